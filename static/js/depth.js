/** The depth of the book: what could be bought and sold up to each price, on a canvas. */

import { divDown, mul, sub } from "./decimal.js";
import { $ } from "./dom.js";
import { number, placesFor } from "./format.js";

const LEVELS = 200;
const BOTTOM_PX = 22;
const TOP_PX = 26;

export class Depth {
  constructor(store, book, colours) {
    Object.assign(this, { store, book, colours });
    this.canvas = $("#depth-canvas");
    this.pen = this.canvas.getContext("2d");
    this.places = placesFor(store.instrument);
    this.on = false;
    new ResizeObserver(() => this.resize()).observe(this.canvas.parentElement);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    store.on(["book", "orders"], () => this.draw());
  }

  point(event) {
    this.pointer = event ? event.clientX - this.canvas.getBoundingClientRect().left : null;
    this.draw();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.canvas.parentElement;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.size = { width, height };
    this.draw();
  }

  /** Prices and sums become plain numbers here, as pixels. */
  draw() {
    if (!this.on || !this.size?.width || this.book.seq === null) return;
    const [bids, asks] = [this.book.levels("bids", LEVELS), this.book.levels("asks", LEVELS)];
    if (!bids.length || !asks.length) return;
    const { width, height } = this.size;
    const middle = (Number(bids[0].price) + Number(asks[0].price)) / 2;
    const reach = Math.min(middle - Number(bids.at(-1).price), Number(asks.at(-1).price) - middle);
    const most = Math.max(Number(bids.at(-1).total), Number(asks.at(-1).total));
    this.frame = {
      middle, reach, bids, asks,
      x: (price) => ((price - middle + reach) / (2 * reach)) * width,
      y: (total) => height - BOTTOM_PX - (total / most) * (height - BOTTOM_PX - TOP_PX),
    };
    this.pen.clearRect(0, 0, width, height);
    this.pen.font = "11px Inter, sans-serif";
    this.pen.textBaseline = "middle";
    this.rules(most);
    this.side(bids, this.colours.up, this.colours["up-soft"], 0);
    this.side(asks, this.colours.down, this.colours["down-soft"], width);
    this.cross();
  }

  rules(most) {
    const { pen, size, frame } = this;
    pen.strokeStyle = this.colours["line-soft"];
    pen.fillStyle = this.colours.muted;
    pen.textAlign = "left";
    for (const total of round(0, most, 4)) {
      const y = Math.round(frame.y(total)) + 0.5;
      line(pen, 0, y, size.width, y);
      if (total > 0) pen.fillText(plain(total), 8, y - 8);
    }
    pen.textAlign = "center";
    for (const price of round(frame.middle - frame.reach, frame.middle + frame.reach, Math.max(2, size.width / 110))) {
      const x = frame.x(price);
      const words = number(price.toFixed(this.places.price), this.places.price);
      if (x > 40 && x < size.width - 40) pen.fillText(words, x, size.height - BOTTOM_PX / 2);
    }
    pen.strokeStyle = this.colours["line-strong"];
    line(pen, size.width / 2, TOP_PX, size.width / 2, size.height - BOTTOM_PX);
  }

  /** A staircase from the touch outwards: at a price stands what is offered up to it. */
  side(levels, colour, soft, edge) {
    const { pen, frame, size } = this;
    const foot = size.height - BOTTOM_PX;
    const stairs = new Path2D();
    stairs.moveTo(frame.x(Number(levels[0].price)), foot);
    let before = foot;
    for (const level of levels) {
      const x = frame.x(Number(level.price));
      stairs.lineTo(x, before);
      before = frame.y(Number(level.total));
      stairs.lineTo(x, before);
    }
    stairs.lineTo(edge, before);
    const area = new Path2D(stairs);
    area.lineTo(edge, foot);
    pen.fillStyle = soft;
    pen.fill(area);
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    pen.stroke(stairs);
    pen.lineWidth = 1;
  }

  /** Under the pointer: up to which price, how much, what that costs, how far from the middle. */
  cross() {
    const { pen, frame, size } = this;
    if (this.pointer === null || this.pointer === undefined) return;
    const bidding = this.pointer < size.width / 2;
    const levels = bidding ? frame.bids : frame.asks;
    const level = levels.findLast((one) => (bidding ? frame.x(Number(one.price)) >= this.pointer : frame.x(Number(one.price)) <= this.pointer)) ?? levels[0];
    const [x, y] = [frame.x(Number(level.price)), frame.y(Number(level.total))];
    pen.strokeStyle = this.colours.muted;
    pen.setLineDash([3, 3]);
    line(pen, x, TOP_PX, x, size.height - BOTTOM_PX);
    pen.setLineDash([]);
    pen.fillStyle = bidding ? this.colours.up : this.colours.down;
    pen.beginPath();
    pen.arc(x, y, 3.5, 0, 2 * Math.PI);
    pen.fill();
    const touch = levels[0].price;
    const away = divDown(mul(bidding ? sub(touch, level.price) : sub(level.price, touch), "100"), touch, 2);
    const words = `${bidding ? "Bids" : "Asks"} to ${number(level.price, this.places.price)}: ${number(level.total)} ${this.store.instrument.base}, ${away}\u202f% away`;
    const width = pen.measureText(words).width + 12;
    const left = Math.min(Math.max(x - width / 2, 4), size.width - width - 4);
    pen.fillStyle = this.colours.raised;
    pen.fillRect(left, 4, width, 19);
    pen.fillStyle = this.colours.text;
    pen.textAlign = "left";
    pen.fillText(words, left + 6, 14);
  }
}

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

/** Return the round numbers between two, about so many of them. */
function round(low, high, count) {
  const least = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= least);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(at);
  return found;
}

/** A round number as text, without the dust of its sum. */
function plain(value) {
  return number(String(Number(value.toPrecision(6))));
}
