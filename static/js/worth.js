/** The top bar's account figures: what everything is worth now, and what the last 24 hours have made. */

import { Problem, get } from "./api.js";
import { add, mul, neg, roundDown, sub } from "./decimal.js";
import { $, setText } from "./dom.js";
import { clock, setNumber, setTone } from "./format.js";

const MONEY = "USD";
const DAY_MS = 24 * 3_600_000;
const MINUTE_MS = 60_000;
const NOTHING = { traded: "0", paid: "0", fees: "0" };
const PAGE = 200;
const PAGES_MAX = 25;

export class Worth {
  constructor(store) {
    this.store = store;
    this.minutes = null; // what was traded, by symbol and minute; null: not known
    this.counted = new Set();
    if (!$("#equity")) return;
    store.on("fills", () => this.count(this.store.fills));
    store.on(["balances", "fills", "tickers"], () => this.show());
  }

  /** Read the day's fills: what is held now, less them, is what was held a day ago. */
  async load() {
    const found = [];
    const from = Date.now() - DAY_MS;
    let [cursor, whole] = ["", false];
    try {
      for (let page = 0; page < PAGES_MAX && !whole; page += 1) {
        const query = new URLSearchParams({ limit: String(PAGE), ...(cursor && { cursor }) });
        const { fills, next_cursor: next } = await get(`/api/accounts/${this.store.account}/fills?${query}`);
        found.push(...fills);
        cursor = next;
        whole = !next || Date.parse(fills.at(-1).at) < from;
      }
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
    }
    if (!whole) return; // too much, or no answer: rather no figure than a wrong one
    this.minutes = new Map();
    this.count(found.filter((fill) => Date.parse(fill.at) >= from));
    this.counted = new Set(found.map((fill) => fill.trade_id));
    this.count(this.store.fills);
    this.show();
  }

  /** Add fills that were not counted yet to their minutes; forget minutes older than a day. */
  count(fills) {
    if (!this.minutes) return;
    for (const { trade_id: id, symbol, side, price, quantity, fee, at } of fills) {
      if (this.counted.has(id)) continue;
      const minute = Math.floor(Date.parse(at) / MINUTE_MS);
      const key = `${symbol} ${minute}`;
      const signed = side === "buy" ? quantity : neg(quantity);
      const { traded, paid, fees } = this.minutes.get(key) ?? NOTHING;
      this.minutes.set(key, { symbol, minute, traded: add(traded, signed), paid: add(paid, mul(price, signed)), fees: add(fees, fee) });
    }
    this.counted = new Set(fills.map((fill) => fill.trade_id));
    const oldest = Math.floor((Date.now() - DAY_MS) / MINUTE_MS);
    for (const [key, { minute }] of this.minutes) if (minute < oldest) this.minutes.delete(key);
    this.sums = null;
  }

  show() {
    if (this.store.seq === null) return;
    const equity = this.equity();
    setNumber($("#equity"), equity && roundDown(equity, 2), 2);
    const { result, since } = this.result();
    setNumber($("#result"), result && roundDown(result, 2), 2, true);
    setTone($("#result"), result);
    setText($("#result-label"), `${since ? `Since ${clock(since).slice(0, 5)}` : "24\u202fh result"} (${MONEY})`);
  }

  /** Everything the account owns at its mark; null while a price is missing. */
  equity() {
    let sum = "0";
    for (const { asset, total } of this.store.balances.values()) {
      if (asset === MONEY) sum = add(sum, total);
      else if (/[1-9]/.test(total)) {
        const mark = this.store.tickers.get(`${asset}-${MONEY}`)?.mark;
        if (!mark) return null;
        sum = add(sum, mul(mark, total));
      }
    }
    return sum;
  }

  /** What was made in the window of the tickers, fees paid: by what was held all along, and by what was traded. */
  result() {
    let [sum, since] = ["0", null];
    if (!this.minutes) return { result: null, since };
    for (const { asset, total } of this.store.balances.values()) {
      if (asset === MONEY) continue;
      const ticker = this.store.tickers.get(`${asset}-${MONEY}`);
      const { traded, paid, fees } = this.traded(`${asset}-${MONEY}`, ticker?.since);
      if (![total, traded, paid].some((text) => /[1-9]/.test(text))) continue;
      if (!ticker?.mark || !ticker.open_24h) return { result: null, since };
      const before = sub(total, traded);
      const made = sub(mul(ticker.mark, total), add(mul(ticker.open_24h, before), paid));
      sum = add(sum, sub(made, fees));
      since ??= ticker.since ?? null;
    }
    return { result: sum, since };
  }

  /** Return {traded, paid, fees} of a symbol in the window; summed again when fills came, or a minute passed. */
  traded(symbol, since) {
    const now = Math.floor(Date.now() / MINUTE_MS);
    if (!this.sums || this.summedAt !== now) [this.sums, this.summedAt] = [new Map(), now];
    if (!this.sums.has(symbol)) this.sums.set(symbol, this.sum(symbol, since ? Math.floor(Date.parse(since) / MINUTE_MS) : 0));
    return this.sums.get(symbol);
  }

  sum(symbol, from) {
    let { traded, paid, fees } = NOTHING;
    for (const one of this.minutes.values()) {
      if (one.symbol !== symbol || one.minute < from) continue;
      [traded, paid, fees] = [add(traded, one.traded), add(paid, one.paid), add(fees, one.fees)];
    }
    return { traded, paid, fees };
  }
}
