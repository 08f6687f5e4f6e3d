/**
 * What the page knows. Messages change it at once; whoever shows it is told once an animation frame,
 * of prices a few times a second: nobody reads faster, and own orders never wait for them.
 */

import { sign } from "./decimal.js";
import { OPEN } from "./format.js";

const FILLS_MAX = 200;
const HISTORY_MAX = 200;
const PRICES_MS = 250;
const PRICES = new Set(["book", "candles", "ticker", "tickers", "trades"]);

export class Store {
  constructor({ account, mayTrade, symbol, instruments }, { accountName = "", accountState = "ACTIVE" } = {}) {
    this.account = account;
    this.accountName = accountName;
    this.accountState = accountState;
    this.accountChanges = 0;
    this.limits = {};
    this.mayTrade = mayTrade;
    this.symbol = symbol;
    this.instruments = new Map(instruments.map((one) => [one.symbol, one]));
    this.instrument = this.instruments.get(symbol);
    this.tickers = new Map();
    this.trades = [];
    this.orders = new Map();
    this.history = new Map();
    this.positions = new Map();
    this.balances = new Map();
    this.fills = [];
    this.seq = null;
    this.listeners = new Map();
    this.dirty = new Set();
    this.flushing = false;
    this.pricesAt = 0;
  }

  /** Call show() once a frame whenever one of the topics was touched. */
  on(topics, show) {
    for (const topic of [].concat(topics)) {
      if (!this.listeners.has(topic)) this.listeners.set(topic, new Set());
      this.listeners.get(topic).add(show);
    }
  }

  touch(...topics) {
    for (const topic of topics) this.dirty.add(topic);
    if (topics.some((topic) => !PRICES.has(topic))) this.soon();
    else this.later ??= setTimeout(() => this.soon(), PRICES_MS - Math.min(PRICES_MS, performance.now() - this.pricesAt));
  }

  soon() {
    if (this.flushing) return;
    this.flushing = true;
    requestAnimationFrame(() => this.flush());
  }

  flush() {
    this.flushing = false;
    const pricesToo = performance.now() - this.pricesAt >= PRICES_MS / 2;
    const due = new Set();
    for (const topic of this.dirty) {
      if (PRICES.has(topic) && !pricesToo) continue;
      for (const show of this.listeners.get(topic) ?? []) due.add(show);
      this.dirty.delete(topic);
    }
    if (pricesToo) {
      clearTimeout(this.later);
      this.later = null;
      this.pricesAt = performance.now();
    }
    for (const show of due) show();
  }

  /** Wait until test() holds, looked at after every change of own orders; false when it took too long. */
  until(test, ms_max) {
    if (test()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (held) => {
        clearTimeout(timer);
        this.listeners.get("orders").delete(look);
        resolve(held);
      };
      const look = () => test() && end(true);
      const timer = setTimeout(() => end(false), ms_max);
      this.on("orders", look);
    });
  }

  /** Replace everything private by the server's snapshot. */
  snapshot(message) {
    this.seq = message.seq;
    this.orders = new Map(message.orders.map((order) => [order.order_id, order]));
    this.positions = new Map(message.positions.map((one) => [one.symbol, one]));
    this.balances = new Map(message.balances.map((one) => [one.asset, one]));
    this.fills = [...message.fills];
    this.touch("orders", "positions", "balances", "fills", "history");
  }

  /** Open orders that are in the market: one that waits here for its price is not. */
  resting() {
    return [...this.orders.values()].filter((order) => order.status !== "TRIGGER_PENDING");
  }

  /** Put in closed orders read from the API (newest first). */
  addHistory(orders) {
    const closed = orders.filter((order) => !OPEN.has(order.status));
    const newer = [...this.history.values()].filter((one) => closed.every((o) => o.order_id !== one.order_id));
    this.history = new Map([...newer, ...closed].map((order) => [order.order_id, order]));
    this.touch("history");
  }

  /** Apply one event of the private stream. Returns false for one that is not the next. */
  event({ seq, event, order }) {
    if (this.seq !== null && seq <= this.seq) return true;
    if (this.seq !== null && seq !== this.seq + 1) return false;
    this.seq = seq;
    if (order) this.putOrder(event.measured ? { ...order, refusal: event } : order);
    if (event.type === "OrderFilled") this.putFill(event, order);
    if (event.type === "PositionChanged") this.putPosition(event);
    if (event.type === "BalanceChanged") this.putBalance(event);
    if (event.type === "AccountChanged") {
      this.accountChanges += 1;
      this.putAccount(event);
    }
    return true;
  }

  /** The account as it is in force: what it is called, what it may do, its limits. */
  putAccount({ name, state, limits }) {
    this.accountName = name ?? this.accountName;
    this.accountState = state ?? this.accountState;
    this.limits = limits ?? this.limits;
    this.touch("account");
  }

  /** Nothing can be sent any more, and this is why. */
  signOut(text = "Your session has ended. Log in again to go on.") {
    if (this.signedOut) return;
    this.signedOut = text;
    this.touch("account");
  }

  order(orderId) {
    return this.orders.get(orderId) ?? this.history.get(orderId);
  }

  putOrder(order) {
    const known = this.order(order.order_id);
    if (known && known.version > order.version) return;
    if (OPEN.has(order.status)) {
      this.orders.set(order.order_id, order);
    } else {
      this.orders.delete(order.order_id);
      this.history.delete(order.order_id);
      this.history = new Map([[order.order_id, order], ...[...this.history].slice(0, HISTORY_MAX)]);
    }
    this.touch("orders", "history");
  }

  putFill(event, order) {
    if (this.fills.some((fill) => fill.trade_id === event.trade_id)) return;
    const fill = { fee_asset: order?.fee_asset, ...event };
    this.fills = [fill, ...this.fills].slice(0, FILLS_MAX);
    this.touch("fills");
  }

  putPosition(event) {
    this.positions.set(event.symbol, { ...this.positions.get(event.symbol), ...event });
    this.touch("positions");
  }

  putBalance(event) {
    this.balances.set(event.asset, { ...this.balances.get(event.asset), ...event });
    this.touch("balances");
  }

  ticker(message) {
    this.putState(message);
    this.tickers.set(message.symbol, message);
    this.touch("tickers", message.symbol === this.symbol ? "ticker" : "tickers");
  }

  /** A symbol that is halted or traded again changes what this page allows. */
  putState({ symbol, state }) {
    const instrument = this.instruments.get(symbol);
    if (!state || !instrument || instrument.state === state) return;
    instrument.state = state;
    this.touch("account", "states");
  }

  addTrades(news) {
    const known = new Set(this.trades.map((trade) => trade.trade_id));
    const fresh = news.filter((trade) => !known.has(trade.trade_id));
    this.trades = [...fresh, ...this.trades].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
    this.trades.length = Math.min(this.trades.length, 100);
    this.touch("trades");
  }

  /** Return what closing a position would pay now: the bid if long, the ask if short. */
  closingPrice({ symbol, quantity }) {
    const ticker = this.tickers.get(symbol);
    return (sign(quantity) < 0 ? ticker?.ask : ticker?.bid) ?? null;
  }

  /** Return the best bid, ask and mark of this page's symbol. */
  quote() {
    return this.tickers.get(this.symbol) ?? { bid: null, ask: null, mark: null, last: null };
  }
}
