/**
 * The chart: candles and volume by lightweight-charts, what is one's own on top, or the book's depth.
 *
 * The library wants plain numbers and gets them: they become pixels. Every text comes from the server.
 */

import { CandlestickSeries, HistogramSeries, createChart } from "../vendor/lightweight-charts/lightweight-charts.js";
import { Candles, INTERVALS } from "./candles.js";
import { readColours } from "./colours.js";
import { divDown, mul, sub } from "./decimal.js";
import { Depth } from "./depth.js";
import { $, $$, setText } from "./dom.js";
import { number, placesFor, setTone } from "./format.js";
import { Fills, Lines } from "./marks.js";

const EDGE_BARS = 30; // so near to the first candle that older ones are asked for
const DRAW_MS = 450; // a candle that moves twice a second is alive; more is only warmth
const PAN_BARS = 10;
const RIGHT_BARS = 6; // room between the newest candle and the axis

export class Chart {
  /** subscribe(interval): have the socket tell of this interval from now on; cancel: see Lines. */
  constructor(store, book, { memory, subscribe, cancel }) {
    Object.assign(this, { store, memory, subscribe });
    this.frame = $("#chart-frame");
    this.drawnAt = -DRAW_MS;
    this.pointed = null; // the time under the pointer
    this.places = placesFor(store.instrument).price;
    this.colours = readColours(this.frame);
    this.build();
    this.fills = new Fills(store, this.colours);
    this.fills.updateAllViews = () => this.lines?.place();
    this.prices.attachPrimitive(this.fills);
    this.lines = new Lines(store, this.chart, this.prices, { colours: this.colours, cancel });
    this.depth = new Depth(store, book, this.colours);
    const kept = memory.get("interval");
    this.candles = new Candles(store.symbol, {
      interval: kept in INTERVALS ? kept : "1m",
      changed: (whole) => this.changed(whole),
    });
    subscribe(this.candles.interval);
    this.listen();
    this.pressed();
    this.view(memory.get("chart") ?? "price");
  }

  build() {
    this.chart = createChart($("#chart-canvas"), {
      autoSize: true,
      layout: { attributionLogo: false, background: { color: "transparent" }, fontFamily: "Inter, sans-serif", fontSize: 11 },
      localization: { priceFormatter: (price) => this.text(price), timeFormatter: (time) => this.time(time) },
      handleScroll: { vertTouchDrag: false },
      timeScale: { rightOffset: RIGHT_BARS, barSpacing: 7, minBarSpacing: 1, timeVisible: true },
      kineticScroll: { touch: false },
    });
    this.prices = this.chart.addSeries(CandlestickSeries, {
      priceFormat: { type: "custom", minMove: 1 / 10 ** this.places, formatter: (price) => this.text(price) },
    });
    this.volume = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "", priceLineVisible: false, lastValueVisible: false,
      priceFormat: { type: "volume" },
    });
    this.prices.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: 0.2 } });
    this.volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.paint();
  }

  /** Put the page's colours on. */
  paint() {
    const { text, muted, panel, raised, up, down } = this.colours;
    const [soft, strong] = [this.colours["line-soft"], this.colours["line-strong"]];
    const crosshair = { color: muted, labelBackgroundColor: strong };
    this.chart.applyOptions({
      layout: { textColor: muted, panes: { separatorColor: soft } },
      grid: { vertLines: { color: soft }, horzLines: { color: soft } },
      rightPriceScale: { borderColor: raised },
      timeScale: { borderColor: raised },
      crosshair: { mode: 0, vertLine: crosshair, horzLine: crosshair },
    });
    this.prices.applyOptions({
      upColor: up, borderUpColor: up, wickUpColor: up, downColor: down, borderDownColor: down, wickDownColor: down,
    });
    this.ink = { text, panel };
  }

  listen() {
    for (const button of $$("[data-interval]")) button.addEventListener("click", () => this.choose(button.dataset.interval));
    for (const button of $$("[data-view]")) button.addEventListener("click", () => this.view(button.dataset.view));
    $("#chart-now").addEventListener("click", () => this.now());
    this.frame.addEventListener("keydown", (event) => this.key(event));
    this.chart.subscribeCrosshairMove(({ time }) => this.point(time));
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => this.moved(range));
    addEventListener("palette", () => this.repaint());
    this.store.on(["orders", "positions"], () => this.lines.show());
    this.store.on("fills", () => this.fills.group(this.candles.step));
    this.store.on("candles", () => this.show());
  }

  choose(interval) {
    if (interval === this.candles.interval) return;
    this.memory.set("interval", interval);
    this.drawn = null;
    this.candles.choose(interval);
    this.subscribe(interval);
    this.fills.group(this.candles.step);
    this.pressed();
  }

  /** The next interval, shorter (-1) or longer (1). */
  step(way) {
    const names = Object.keys(INTERVALS);
    const next = names[names.indexOf(this.candles.interval) + way];
    if (next) this.choose(next);
  }

  pressed() {
    for (const button of $$("[data-interval]")) {
      button.setAttribute("aria-pressed", String(button.dataset.interval === this.candles.interval));
    }
    this.chart.timeScale().applyOptions({ secondsVisible: this.candles.step < 60, timeVisible: this.candles.step < 86_400 });
  }

  /** Show prices or the depth of the book. */
  view(name) {
    this.memory.set("chart", name);
    for (const button of $$("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === name));
    this.depth.on = name === "depth";
    this.frame.dataset.shows = name;
    this.depth.draw();
  }

  repaint() {
    this.colours = readColours(this.frame);
    this.paint();
    this.fills.colours = this.depth.colours = this.colours;
    this.lines.recolour(this.colours);
    this.drawn = null;
    this.show();
    this.depth.draw();
  }

  // ---------------------------------------------------------------- data

  receive(message) {
    this.candles.receive(message);
  }

  changed(whole) {
    if (whole) this.drawn = null;
    const rested = performance.now() - this.drawnAt;
    if (whole || rested >= DRAW_MS) this.store.touch("candles");
    else this.soon ??= setTimeout(() => this.store.touch("candles"), DRAW_MS - rested);
  }

  /** Draw what changed: all of it, or the newest two. */
  show() {
    const { bars, trouble } = this.candles;
    const empty = $("#chart-empty");
    clearTimeout(this.soon);
    this.soon = null;
    this.drawnAt = performance.now();
    empty.hidden = bars.length > 0;
    if (trouble && !bars.length) setText(empty, `History could not be loaded: ${trouble} It is tried again.`);
    if (!bars.length) return;
    if (this.drawn === null || this.drawn > bars.length) {
      this.prices.setData(bars.map(toCandle));
      this.volume.setData(bars.map((bar) => this.toVolume(bar)));
      this.fills.group(this.candles.step);
      this.lines.show();
    } else {
      for (const bar of bars.slice(Math.max(0, this.drawn - 2))) {
        if (bar.time < bars[this.drawn - 1].time - this.candles.step) continue;
        const past = bar.time < bars[this.drawn - 1].time;
        this.prices.update(toCandle(bar), past);
        this.volume.update(this.toVolume(bar), past);
      }
    }
    this.drawn = bars.length;
    if (!this.pointed) this.legend(bars.at(-1));
  }

  toVolume(bar) {
    const rises = Number(bar.close) >= Number(bar.open);
    return { time: bar.time, value: Number(bar.volume), color: this.colours[rises ? "up-soft" : "down-soft"] };
  }

  // ---------------------------------------------------------------- looking

  moved(range) {
    if (!range) return;
    if (range.from < EDGE_BARS) this.candles.older();
    $("#chart-now").hidden = this.chart.timeScale().scrollPosition() >= -1;
  }

  /** Back to the newest candle, at once: an animation would be lost with the next older candles. */
  now() {
    this.chart.timeScale().scrollToPosition(RIGHT_BARS, false);
  }

  point(time) {
    this.pointed = time === undefined ? null : time;
    const { bars } = this.candles;
    const bar = this.pointed === null ? bars.at(-1) : bars.findLast((one) => one.time === time);
    if (bar) this.legend(bar);
  }

  /** Open, high, low, close, change and volume of a candle, as the server tells them. */
  legend(bar) {
    const price = (text) => number(text, this.places);
    for (const name of ["open", "high", "low", "close"]) setText($(`#bar-${name}`), price(bar[name]));
    const change = divDown(mul(sub(bar.close, bar.open), "100"), bar.open, 2);
    const moved = $("#bar-change");
    setText(moved, `${number(change, 2, true)}\u202f%`);
    setTone(moved, change);
    setText($("#bar-volume"), number(bar.volume));
    setText($("#bar-time"), this.pointed === null ? "" : this.time(bar.time));
  }

  key(event) {
    if (event.target !== this.frame || event.ctrlKey || event.metaKey || event.altKey) return;
    const scale = this.chart.timeScale();
    const zoom = (factor) => scale.applyOptions({ barSpacing: Math.min(60, Math.max(1, scale.options().barSpacing * factor)) });
    const act = {
      ArrowLeft: () => scale.scrollToPosition(scale.scrollPosition() - PAN_BARS, false),
      ArrowRight: () => scale.scrollToPosition(scale.scrollPosition() + PAN_BARS, false),
      "+": () => zoom(1.25),
      "-": () => zoom(0.8),
      Home: () => this.now(),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  text(price) {
    return number(price.toFixed(this.places), this.places);
  }

  time(seconds) {
    const text = new Date(seconds * 1_000).toISOString();
    if (this.candles.step >= 86_400) return text.slice(0, 10);
    return `${text.slice(0, 10)} ${text.slice(11, this.candles.step < 60 ? 19 : 16)}`;
  }
}

function toCandle({ time, open, high, low, close }) {
  return { time, open: Number(open), high: Number(high), low: Number(low), close: Number(close) };
}
