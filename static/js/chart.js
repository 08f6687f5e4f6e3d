/**
 * The price line: from trades before the page was opened, mids since; own fills and orders on it.
 *
 * Prices stay scaled BigInts; they become plain numbers only as pixels.
 */

import { add, divDown, fromScaled, toScaled } from "./decimal.js";
import { $, $$ } from "./dom.js";
import { number, placesFor } from "./format.js";

const RIGHT_PX = 84;
const BOTTOM_PX = 24;
const POINTS_MAX = 6_000;
const STEP_MS = 250;
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
    store.on(["fills", "orders"], () => this.draw());
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(`--${name}`).trim();
    return Object.fromEntries(["line", "muted", "text", "up", "down", "accent", "panel", "raised", "on-accent"].map((name) => [name, read(name)]));
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
    this.draw();
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
    const pad = (high - low) / 6n + 2n;
    low -= pad;
    high += pad;
    const room = { width: this.size.width - RIGHT_PX, height: this.size.height - BOTTOM_PX };
    const x = (at) => ((at - start) / (end - start || 1)) * (room.width - 8);
    const y = (value) => room.height - (Number(value - low) / Number(high - low)) * room.height;
    return { start, end, seen, low, high, room, x, y };
  }

  draw() {
    if (!this.size?.width || this.points.length < 2) return;
    $("#chart-empty").hidden = true;
    const frame = this.frame();
    this.pen.clearRect(0, 0, this.size.width, this.size.height);
    this.pen.font = "11px Inter, sans-serif";
    this.pen.textBaseline = "middle";
    this.grid(frame);
    this.area(frame);
    this.ownOrders(frame);
    this.ownFills(frame);
    this.tag(frame, this.points.at(-1).value, this.colours.accent, this.colours["on-accent"]);
    this.cross(frame);
  }

  grid({ low, high, start, end, room, x, y }) {
    const { pen } = this;
    pen.strokeStyle = this.colours.line;
    pen.fillStyle = this.colours.muted;
    pen.lineWidth = 1;
    const step = niceStep((high - low) / BigInt(Math.max(3, Math.floor(room.height / 64))));
    for (let value = (low / step + 1n) * step; value < high; value += step) {
      this.rule(0, y(value), room.width, y(value));
      pen.fillText(number(fromScaled(value, this.places), this.places), room.width + 8, y(value));
    }
    const seconds = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].find((s) => ((end - start) / 1000 / s) * 90 < room.width) ?? 7200;
    for (let at = Math.ceil(start / 1000 / seconds) * seconds * 1000; at < end; at += seconds * 1000) {
      this.rule(x(at), 0, x(at), room.height);
      const text = new Date(at).toISOString().slice(11, seconds < 60 ? 19 : 16);
      const left = x(at) - pen.measureText(text).width / 2;
      if (left > 0 && left < room.width - 40) pen.fillText(text, left, room.height + BOTTOM_PX / 2);
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
    shade.addColorStop(0, `${this.colours.accent}40`);
    shade.addColorStop(1, `${this.colours.accent}00`);
    pen.fillStyle = shade;
    pen.fill(under);
    pen.strokeStyle = this.colours.accent;
    pen.lineWidth = 1.6;
    pen.lineJoin = "round";
    pen.stroke(line);
  }

  /** A dashed line across and the price in a box on the axis. */
  tag({ room, y }, value, colour, ink) {
    const { pen } = this;
    pen.strokeStyle = colour;
    pen.lineWidth = 1;
    pen.setLineDash([2, 4]);
    this.rule(0, y(value), room.width, y(value));
    pen.setLineDash([]);
    pen.fillStyle = colour;
    pen.fillRect(room.width + 2, y(value) - 9, RIGHT_PX - 4, 18);
    pen.fillStyle = ink;
    pen.fillText(number(fromScaled(value, this.places), this.places), room.width + 8, y(value) + 0.5);
  }

  ownOrders(frame) {
    for (const order of this.store.orders.values()) {
      if (order.symbol !== this.store.symbol || !order.price) continue;
      const value = toScaled(order.price, this.places);
      if (value <= frame.low || value >= frame.high) continue;
      this.tag(frame, value, order.side === "buy" ? this.colours.up : this.colours.down, this.colours["on-accent"]);
    }
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

  cross(frame) {
    const { room, low, high } = frame;
    if (!this.pointer || this.pointer.x > room.width || this.pointer.y > room.height) return;
    this.pen.strokeStyle = this.colours.muted;
    this.pen.setLineDash([3, 3]);
    this.rule(this.pointer.x, 0, this.pointer.x, room.height);
    this.pen.setLineDash([]);
    const share = BigInt(Math.round((1 - this.pointer.y / room.height) * 10_000));
    this.tag(frame, low + ((high - low) * share) / 10_000n, this.colours.raised, this.colours.text);
  }
}

/** Return 1, 2 or 5 times a power of ten, not below least. */
function niceStep(least) {
  let power = 1n;
  while (power * 10n <= least) power *= 10n;
  return [1n, 2n, 5n, 10n].map((factor) => factor * power).find((step) => step >= least) ?? 1n;
}
