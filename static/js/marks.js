/** What is one's own on the chart: fills with stems, orders and the position as labelled lines. */

import { add, divDown, sign } from "./decimal.js";
import { $, h, setText } from "./dom.js";
import { SIDE, number, placesFor } from "./format.js";

const STEM_PX = 20;
const WORDS_MAX = 40; // fills in sight with their quantities written; more would only overlap
const EDGE_MAX = 3;
const TAG_PX = 26;

/** Own fills, drawn by the chart: a dot at the price, a stem, an arrow, the quantity. */
export class Fills {
  constructor(store, colours) {
    this.store = store;
    this.colours = colours;
    this.step = 60;
    this.groups = [];
    const draw = (target) => target.useMediaCoordinateSpace(({ context }) => this.draw(context));
    this.views = [{ zOrder: () => "top", renderer: () => ({ draw }) }];
  }

  attached({ chart, series, requestUpdate }) {
    Object.assign(this, { chart, series, requestUpdate });
  }

  paneViews() {
    return this.views;
  }

  /** Put fills of one candle, side and price together. */
  group(step) {
    this.step = step;
    const groups = new Map();
    for (const { symbol, side, price, quantity, at } of this.store.fills) {
      if (symbol !== this.store.symbol) continue;
      const time = Math.floor(Date.parse(at) / 1_000 / step) * step;
      const key = `${time} ${side} ${price}`;
      const known = groups.get(key);
      groups.set(key, { time, side, price, quantity: known ? add(known.quantity, quantity) : quantity });
    }
    this.groups = [...groups.values()];
    this.requestUpdate?.();
  }

  draw(pen) {
    const scale = this.chart.timeScale();
    const seen = [];
    for (const group of this.groups) {
      const [x, y] = [scale.timeToCoordinate(group.time), this.series.priceToCoordinate(Number(group.price))];
      if (x !== null && y !== null) seen.push({ ...group, x, y });
    }
    pen.font = "11px Inter, sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const one of seen) this.fill(pen, one, seen.length <= WORDS_MAX);
  }

  fill(pen, { x, y, side, quantity }, worded) {
    const way = side === "buy" ? 1 : -1;
    const foot = y + way * STEM_PX;
    pen.fillStyle = pen.strokeStyle = side === "buy" ? this.colours.up : this.colours.down;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(x, foot);
    pen.stroke();
    pen.beginPath();
    pen.arc(x, y, 3, 0, 2 * Math.PI);
    pen.fill();
    pen.beginPath();
    pen.moveTo(x, foot - 6 * way);
    pen.lineTo(x - 5, foot + 2 * way);
    pen.lineTo(x + 5, foot + 2 * way);
    pen.fill();
    if (!worded) return;
    const words = `${side === "buy" ? "B" : "S"} ${number(quantity)}`;
    const [top, half] = [foot + way * 11, pen.measureText(words).width / 2 + 3];
    pen.fillStyle = this.colours.panel;
    pen.fillRect(x - half, top - 7, 2 * half, 14);
    pen.fillStyle = this.colours.text;
    pen.fillText(words, x, top);
  }
}

/** Own orders and the position: a line and a price on the axis by the chart, words and × beside it. */
export class Lines {
  /** cancel(order, button): what × does. */
  constructor(store, chart, series, { colours, cancel }) {
    Object.assign(this, { store, chart, series, colours, cancel });
    this.box = $("#chart-tags");
    this.lines = new Map();
  }

  /** Bring lines and words up to date with the orders and the position. */
  show() {
    const wanted = this.wanted();
    for (const [key, one] of this.lines) {
      if (wanted.get(key)?.price === one.price) continue;
      this.series.removePriceLine(one.line);
      one.tag.remove();
      this.lines.delete(key);
    }
    for (const [key, one] of wanted) this.put(key, one);
    this.place();
  }

  wanted() {
    const { symbol, orders, positions } = this.store;
    const found = new Map();
    for (const order of orders.values()) {
      const { order_id: id, side, price, remaining_quantity: left } = order;
      if (order.symbol !== symbol || !price) continue;
      const colour = side === "buy" ? "up" : "down";
      found.set(id, { price, words: `${SIDE[side]} ${number(left)}`, colour, order: this.store.mayTrade ? order : null });
    }
    const position = positions.get(symbol);
    const way = position?.average_price ? sign(position.quantity) : 0;
    if (way) {
      const price = divDown(position.average_price, "1", placesFor(this.store.instrument).price);
      const words = `${way > 0 ? "Long" : "Short"} ${number(position.quantity.replace("-", ""))}`;
      found.set("position", { price, words, colour: "muted", order: null });
    }
    return found;
  }

  put(key, { price, words, colour, order }) {
    let one = this.lines.get(key);
    if (!one) {
      const line = this.series.createPriceLine({
        price: Number(price), color: this.colours[colour], lineStyle: 1, lineWidth: 1, axisLabelVisible: true,
        axisLabelTextColor: this.colours[colour === "muted" ? "panel" : "on-accent"],
      });
      const text = h("span", {});
      const tag = h("div", { class: `chart-tag ${colour}` }, text);
      if (order) tag.append(this.button(key, text));
      this.box.append(tag);
      one = { price, line, tag, text };
      this.lines.set(key, one);
    }
    one.words = words;
    const button = $("button", one.tag);
    const label = `Cancel ${words} at ${number(price, placesFor(this.store.instrument).price)}`;
    if (button && button.ariaLabel !== label) button.ariaLabel = label;
  }

  button(orderId) {
    const button = h("button", { type: "button", title: "Cancel this order" }, "×");
    button.addEventListener("click", () => this.cancel(orderId, button));
    return button;
  }

  /** The colours changed. */
  recolour(colours) {
    this.colours = colours;
    for (const one of this.lines.values()) {
      this.series.removePriceLine(one.line);
      one.tag.remove();
    }
    this.lines.clear();
    this.show();
  }

  /** Put the words where their prices are now, clear of each other; what is off the scale at its edge. */
  place() {
    if (!this.lines.size) return;
    const height = this.chart.panes()[0].getHeight();
    const edges = { "↑": 0, "↓": 0 };
    const taken = [];
    const all = [...this.lines.values()].map((one) => ({ one, y: this.series.priceToCoordinate(Number(one.price)) }));
    for (const { one, y } of all.sort((a, b) => a.y - b.y)) {
      const edge = y === null ? "" : y < 0 ? "↑" : y > height ? "↓" : " ";
      const shown = edge !== "" && (edge === " " || (edges[edge] += 1) <= EDGE_MAX);
      one.tag.hidden = !shown;
      if (!shown) continue;
      let top = Math.min(Math.max(y, TAG_PX / 2 + 22), height - TAG_PX / 2);
      const step = top > height / 2 ? -4 : 4;
      while (taken.some((other) => Math.abs(other - top) < TAG_PX)) top += step;
      taken.push(top);
      const price = edge === " " ? "" : ` @ ${number(one.price, placesFor(this.store.instrument).price)}`;
      setText(one.text, `${edge === " " ? "" : `${edge} `}${one.words}${price}`);
      const at = `translateY(${Math.round(top - TAG_PX / 2)}px)`;
      if (one.at !== at) one.tag.style.transform = one.at = at;
    }
  }
}
