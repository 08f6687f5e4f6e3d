/**
 * The candles of one symbol and interval: history by REST, the one that grows by the socket.
 *
 * Prices stay the server's texts. A gap between what is known and what the socket tells is asked for.
 */

import { Problem, get } from "./api.js";

export const INTERVALS = { "1s": 1, "1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "4h": 14_400, "1d": 86_400 };
const FIRST = 400;
const MORE = 800;
const KEPT_MAX = 20_000;
const RETRY_MS = 4_000;

export class Candles {
  /** changed(whole): history came (true), or only the newest changed (false). */
  constructor(symbol, { interval, changed }) {
    this.symbol = symbol;
    this.changed = changed;
    this.choose(interval);
  }

  /** Begin with another interval; what is on its way for the old one is not for us any more. */
  choose(interval) {
    this.interval = interval;
    this.step = INTERVALS[interval];
    this.bars = [];
    this.waiting = []; // what the socket told before history came
    this.complete = false; // there is nothing older
    this.trouble = "";
    this.round = Symbol(interval);
    this.asking = false;
    this.load();
  }

  async load() {
    const found = await this.ask({ limit: FIRST });
    if (!found) return;
    this.put(found);
    const told = this.waiting.splice(0);
    if (told.length) this.newest(told);
    this.changed(true);
  }

  /** Ask for what is older than the first candle; a second call while one is under way does nothing. */
  async older() {
    if (this.complete || this.asking || !this.bars.length) return;
    const first = this.bars[0].time;
    const found = await this.ask({ limit: MORE, to: iso(first) });
    if (!found) return;
    const fresh = found.filter((bar) => bar.time < first);
    this.complete = fresh.length === 0 || this.bars.length >= KEPT_MAX;
    this.bars = [...fresh, ...this.bars];
    if (fresh.length) this.changed(true);
  }

  /** A frame of the socket: a snapshot of the newest two, or what grew. */
  receive({ interval, candles }) {
    if (interval !== this.interval || !candles.length) return;
    const told = candles.map(read);
    if (!this.bars.length) {
      this.waiting = told;
      return;
    }
    if (told[0].time > this.bars.at(-1).time + this.step) this.mend();
    else this.newest(told);
  }

  newest(told) {
    this.put(told.filter((bar) => bar.time >= (this.bars.at(-2) ?? this.bars[0]).time));
    this.changed(false);
  }

  /** Something is missing in front of what came: ask for all since the last that is known. */
  async mend() {
    if (this.asking) return;
    const found = await this.ask({ limit: MORE, from: iso(this.bars.at(-1).time) });
    if (!found) return;
    if (found.length >= MORE) this.bars = []; // away for so long that only the newest matter
    if (!this.bars.length) return this.load();
    this.put(found);
    this.changed(true);
  }

  /** Put bars (by time) in: of two of one time the one that counts more trades stands. */
  put(bars) {
    for (const bar of bars) {
      const last = this.bars.at(-1);
      if (!last || bar.time > last.time) this.bars.push(bar);
      else {
        const at = this.bars.findLastIndex((one) => one.time === bar.time);
        if (at >= 0 && this.bars[at].trades <= bar.trades) this.bars[at] = bar;
      }
    }
  }

  /** Return the bars of an answer, null if it is not ours any more or did not come (it is tried again). */
  async ask(range) {
    const { round } = this;
    this.asking = true;
    const query = new URLSearchParams({ interval: this.interval, ...range });
    try {
      const { candles } = await get(`/api/marketdata/${this.symbol}/candles?${query}`);
      if (round !== this.round) return null;
      this.trouble = "";
      return candles.map(read);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (round === this.round) this.failed(problem);
      return null;
    } finally {
      if (round === this.round) this.asking = false;
    }
  }

  failed(problem) {
    this.trouble = problem.message;
    this.changed(true);
    const { round } = this;
    if (!this.bars.length) setTimeout(() => round === this.round && this.load(), RETRY_MS);
  }
}

function read(candle) {
  return { ...candle, time: Date.parse(candle.at) / 1_000 };
}

function iso(seconds) {
  return new Date(seconds * 1_000).toISOString().replace(".000", "");
}
