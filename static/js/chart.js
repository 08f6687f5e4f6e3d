/**
 * The price line: from trades before the page was opened, mids since; own fills and orders on it.
 *
 * Prices stay scaled BigInts; they become plain numbers only as pixels.
 */

import { add, divDown, fromScaled, sign, toScaled } from "./decimal.js";
import { $, $$, h } from "./dom.js";
import { SIDE, number, placesFor } from "./format.js";

const RIGHT_PX = 84;
const BOTTOM_PX = 24;
const POINTS_MAX = 6_000;
const STEP_MS = 250;
const DRAW_MS = 450; // a line that moves twice a second is alive; more is only warmth
const TAG_PX = 18;
const EDGE_TAGS_MAX = 3;
const SPAN_PPM = 1_000n; // the smallest height: a tenth of a percent, or noise would look like a crash
const TOGETHER_MS = 5_000; // a buy and a sell further apart say nothing of the mid

export class Chart {
  constructor(store, memory) {
    this.store = store;
    this.memory = memory;
    this.canvas = $("#chart-canvas");
    this.pen = this.canvas.getContext("2d");
    this.places = placesFor(store.instrument).price;
    this.points = [];
    this.span_ms = 5 * 60_000;
    this.colours = this.readColours();
    new ResizeObserver(() => this.resize()).observe(this.canvas.parentElement);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => this.point(null));
    for (const button of $$("[data-span]")) button.addEventListener("click", () => this.choose(button));
    addEventListener("palette", () => {
      this.colours = this.readColours();
      this.draw();
    });
    const kept = memory.get("span");
    if (kept) this.choose($(`[data-span="${kept}"]`));
    store.on("ticker", () => this.tick());
    store.on(["fills", "orders", "positions"], () => this.draw());
  }

  /** The colours as the browser resolves them: a system's own (forced colours) are names, not numbers. */
  readColours() {
    const probe = h("span", { hidden: true });
    this.canvas.after(probe);
    const read = (name) => {
      probe.style.color = `var(--${name})`;
      return getComputedStyle(probe).color;
    };
    const names = ["line", "muted", "text", "up", "down", "accent", "panel", "soft", "on-accent"];
    const found = Object.fromEntries(names.map((name) => [name, read(name)]));
    probe.remove();
    return found;
  }

  /** Begin with the trades the server knows: between the last buy and the last sell is the mid. */
  seed(trades) {
    const old = [];
    const last = {};
    for (const trade of [...trades].reverse()) {
      const at = Date.parse(trade.at);
      last[trade.side] = { at, value: toScaled(trade.price, this.places) };
      const { buy, sell } = last;
      const together = buy && sell && Math.abs(buy.at - sell.at) < TOGETHER_MS;
      if (together) old.push({ at, value: (buy.value + sell.value) / 2n });
    }
    const first = this.points[0]?.at ?? Infinity;
    this.points = [...old.filter((point) => point.at < first), ...this.points];
    this.draw();
  }

  tick() {
    const { bid, ask, at } = this.store.quote();
    if (!bid || !ask) return;
    const when = Date.parse(at);
    const value = toScaled(divDown(add(bid, ask), "2", this.places), this.places);
    const last = this.points.at(-1);
    if (last && when <= last.at) return;
    if (last && when - last.at < STEP_MS) last.value = value;
    else this.points.push({ at: when, value });
    if (this.points.length > POINTS_MAX) this.points.splice(0, this.points.length - POINTS_MAX);
    if (performance.now() - (this.drawnAt ?? 0) >= DRAW_MS) this.draw();
  }

  choose(button) {
    for (const one of $$("[data-span]")) one.setAttribute("aria-pressed", String(one === button));
    this.span_ms = Number(button.dataset.span) * 60_000;
    this.memory.set("span", button.dataset.span);
    this.draw();
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    this.pointer = event ? { x: event.clientX - box.left, y: event.clientY - box.top } : null;
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

  /** Work out the window: which points, and where a time and a price are in pixels. */
  frame() {
    const end = this.points.at(-1).at;
    const start = Math.max(end - this.span_ms, Math.min(this.points[0].at, end - 60_000));
    const seen = this.points.filter((point) => point.at >= start);
    let [low, high] = [seen[0].value, seen[0].value];
    for (const { value } of seen) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    const least = (high * SPAN_PPM) / 1_000_000n;
    const lack = high - low < least ? (least - (high - low)) / 2n : 0n;
    const pad = (high - low) / 6n + 2n + lack;
    low -= pad;
    high += pad;
    const room = { width: this.size.width - RIGHT_PX, height: this.size.height - BOTTOM_PX };
    const x = (at) => ((at - start) / (end - start || 1)) * (room.width - 8);
    const y = (value) => room.height - (Number(value - low) / Number(high - low)) * room.height;
    return { start, end, seen, low, high, room, x, y };
  }

  draw() {
    if (!this.size?.width || this.points.length < 2) return;
    if (!$("#chart-empty").hidden) $("#chart-empty").hidden = true;
    this.drawnAt = performance.now();
    const frame = this.frame();
    frame.taken = []; // the heights on the axis that have a tag already
    this.said = []; // and those with words at the left
    this.pen.clearRect(0, 0, this.size.width, this.size.height);
    this.pen.font = "11px Inter, sans-serif";
    this.pen.textBaseline = "middle";
    this.rules(frame);
    this.area(frame);
    this.tag(frame, this.points.at(-1).value, this.colours.accent, this.colours["on-accent"]);
    this.ownPosition(frame);
    this.ownOrders(frame);
    this.ownFills(frame);
    this.cross(frame);
    this.labels(frame);
  }

  /** Lines at round prices and times; labels() writes what they are where nothing else stands. */
  rules({ low, high, start, end, room, x, y }) {
    this.pen.strokeStyle = this.colours.line;
    this.pen.lineWidth = 1;
    this.prices = [];
    this.times = [];
    const step = niceStep((high - low) / BigInt(Math.max(3, Math.floor(room.height / 64))));
    for (let value = (low / step + 1n) * step; value < high; value += step) {
      this.rule(0, y(value), room.width, y(value));
      this.prices.push(value);
    }
    const steps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
    const seconds = steps.find((s) => ((end - start) / 1000 / s) * 90 < room.width) ?? 7200;
    for (let at = Math.ceil(start / 1000 / seconds) * seconds * 1000; at < end; at += seconds * 1000) {
      this.rule(x(at), 0, x(at), room.height);
      this.times.push([at, seconds < 60 ? 19 : 16]);
    }
  }

  labels({ room, x, y, taken }) {
    const { pen } = this;
    pen.fillStyle = this.colours.muted;
    for (const value of this.prices) {
      const top = y(value);
      const free = top > TAG_PX / 2 && taken.every((one) => Math.abs(one - top) > TAG_PX - 2);
      if (free) pen.fillText(number(fromScaled(value, this.places), this.places), room.width + 8, top);
    }
    for (const [at, length] of this.times) {
      const text = new Date(at).toISOString().slice(11, length);
      const left = x(at) - pen.measureText(text).width / 2;
      const covered = this.crossed && Math.abs(this.crossed - x(at)) < 60;
      if (left > 0 && left < room.width - 40 && !covered) pen.fillText(text, left, room.height + BOTTOM_PX / 2);
    }
  }

  rule(x1, y1, x2, y2) {
    this.pen.beginPath();
    this.pen.moveTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
    this.pen.lineTo(Math.round(x2) + 0.5, Math.round(y2) + 0.5);
    this.pen.stroke();
  }

  area({ seen, room, x, y }) {
    const { pen } = this;
    const line = new Path2D();
    seen.forEach((point, index) => (index ? line.lineTo(x(point.at), y(point.value)) : line.moveTo(x(point.at), y(point.value))));
    const under = new Path2D(line);
    under.lineTo(x(seen.at(-1).at), room.height);
    under.lineTo(x(seen[0].at), room.height);
    const shade = pen.createLinearGradient(0, 0, 0, room.height);
    shade.addColorStop(0, this.colours.accent);
    shade.addColorStop(1, "transparent");
    pen.globalAlpha = 0.25;
    pen.fillStyle = shade;
    pen.fill(under);
    pen.globalAlpha = 1;
    pen.strokeStyle = this.colours.accent;
    pen.lineWidth = 1.6;
    pen.lineJoin = "round";
    pen.stroke(line);
  }

  /** A dashed line across, words at its left end and the price in a box on the axis, clear of other boxes. */
  tag({ room, y, taken }, value, colour, ink, words = "") {
    const { pen } = this;
    pen.strokeStyle = colour;
    pen.lineWidth = 1;
    pen.setLineDash([2, 4]);
    this.rule(0, y(value), room.width, y(value));
    pen.setLineDash([]);
    let top = Math.min(Math.max(y(value), TAG_PX / 2), room.height - TAG_PX / 2);
    while (taken.some((one) => Math.abs(one - top) < TAG_PX)) top += top > room.height - 2 * TAG_PX ? -TAG_PX / 2 : TAG_PX / 2;
    taken.push(top);
    pen.fillStyle = colour;
    pen.fillRect(room.width + 2, top - TAG_PX / 2, RIGHT_PX - 4, TAG_PX);
    pen.fillStyle = ink;
    pen.fillText(number(fromScaled(value, this.places), this.places), room.width + 8, top + 0.5);
    if (words) this.words(words, y(value), colour);
  }

  /** Words at the left end of a line, clear of other words: towards the middle of the chart. */
  words(text, at, colour) {
    const { pen } = this;
    const step = at > this.size.height / 2 ? -4 : 4;
    let top = at;
    while (this.said.some((one) => Math.abs(one - top) < 16)) top += step;
    this.said.push(top);
    const width = pen.measureText(text).width;
    pen.fillStyle = this.colours.panel;
    pen.fillRect(8, top - 8, width + 8, 16);
    pen.fillStyle = colour;
    pen.fillText(text, 12, top);
  }

  /** Own orders as lines; one off the scale stands at the edge it lies behind. */
  ownOrders(frame) {
    const edges = { high: 0, low: 0 };
    for (const { symbol, price, side, remaining_quantity: left } of this.store.orders.values()) {
      if (symbol !== this.store.symbol || !price) continue;
      const value = toScaled(price, this.places);
      const colour = side === "buy" ? this.colours.up : this.colours.down;
      const words = `${SIDE[side]} ${number(left)}`;
      const edge = value >= frame.high ? "high" : value <= frame.low ? "low" : "";
      if (!edge) {
        this.tag(frame, value, colour, this.colours["on-accent"], words);
      } else if (edges[edge] < EDGE_TAGS_MAX) {
        const row = 14 + 18 * edges[edge];
        this.words(`${edge === "high" ? "↑" : "↓"} ${words} @ ${number(price, this.places)}`, edge === "high" ? row : frame.room.height - row, colour);
        edges[edge] += 1;
      }
    }
  }

  /** What is held, at the price it was bought or sold for on average. */
  ownPosition(frame) {
    const position = this.store.positions.get(this.store.symbol);
    const way = position?.average_price ? sign(position.quantity) : 0;
    if (!way) return;
    const value = toScaled(divDown(position.average_price, "1", this.places), this.places);
    if (value <= frame.low || value >= frame.high) return;
    const words = `${way > 0 ? "Long" : "Short"} ${number(position.quantity.replace("-", ""))}`;
    this.tag(frame, value, this.colours.muted, this.colours.panel, words);
  }

  ownFills({ start, end, x, y, low, high }) {
    for (const fill of this.store.fills) {
      const at = Date.parse(fill.at);
      if (fill.symbol !== this.store.symbol || at < start || at > end + 2_000) continue;
      const value = toScaled(fill.price, this.places);
      if (value <= low || value >= high) continue;
      const way = fill.side === "buy" ? 1 : -1;
      const [left, top] = [x(Math.min(at, end)), y(value)];
      this.pen.fillStyle = way > 0 ? this.colours.up : this.colours.down;
      this.pen.beginPath();
      this.pen.moveTo(left, top + 3 * way);
      this.pen.lineTo(left - 5, top + 12 * way);
      this.pen.lineTo(left + 5, top + 12 * way);
      this.pen.fill();
    }
  }

  /** Where the pointer is: the price on the axis, the time below. */
  cross(frame) {
    const { room, low, high, start, end } = frame;
    this.crossed = null;
    if (!this.pointer || this.pointer.x > room.width || this.pointer.y > room.height) return;
    const { pen } = this;
    this.crossed = this.pointer.x;
    pen.strokeStyle = this.colours.muted;
    pen.setLineDash([3, 3]);
    this.rule(this.pointer.x, 0, this.pointer.x, room.height);
    pen.setLineDash([]);
    const share = BigInt(Math.round((1 - this.pointer.y / room.height) * 10_000));
    this.tag({ ...frame, taken: [] }, low + ((high - low) * share) / 10_000n, this.colours.soft, this.colours.panel);
    const at = start + (this.pointer.x / (room.width - 8)) * (end - start);
    const text = new Date(at).toISOString().slice(11, 19);
    pen.fillStyle = this.colours.soft;
    pen.fillText(text, Math.min(Math.max(this.pointer.x - 24, 0), room.width - 50), room.height + BOTTOM_PX / 2);
  }
}

/** Return 1, 2 or 5 times a power of ten, not below least. */
function niceStep(least) {
  let power = 1n;
  while (power * 10n <= least) power *= 10n;
  return [1n, 2n, 5n, 10n].map((factor) => factor * power).find((step) => step >= least) ?? 1n;
}
