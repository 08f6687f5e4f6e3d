/** The public trades, newest first, and the ticker in the top bar and the symbol list. */

import { add, cmp, roundDown, sub } from "./decimal.js";
import { $, $$, arrange, h, setText } from "./dom.js";
import { clock, number, placesFor, setNumber, setTone } from "./format.js";

const SHOWN_MAX = 60;

export class Tape {
  constructor(store) {
    this.store = store;
    this.places = placesFor(store.instrument);
    this.body = $("#tape-rows");
    this.rows = new Map();
    store.on("trades", () => this.show());
  }

  show() {
    const trades = together(this.store.trades.slice(0, SHOWN_MAX));
    if (!trades.length) return;
    const before = this.rows;
    this.largest = trades.reduce((most, { quantity }) => Math.max(most, Number(quantity)), 0);
    this.rows = new Map(trades.map((trade) => [keyOf(trade), before.get(keyOf(trade)) ?? this.row(trade)]));
    arrange(this.body, [...this.rows.values()]);
    $("#tape-empty").hidden = true;
  }

  row(trade) {
    const buys = trade.side === "buy";
    const price = h("td", { class: `num ${buys ? "up" : "down"}` });
    const [text, size] = [h("span", {}), h("td", { class: "num" })];
    setNumber(text, trade.price, this.places.price);
    setNumber(size, trade.quantity, this.places.size);
    price.append(h("span", { class: "arrow", "aria-hidden": "true" }, buys ? "↑" : "↓"), h("span", { class: "sr" }, buys ? "bought " : "sold "), text);
    const row = h("tr", { class: buys ? "bought" : "sold", dataset: { key: trade.trade_id } }, price, size, h("td", { class: "num muted" }, clock(trade.at)));
    row.style.setProperty("--w", `${Math.round((Number(trade.quantity) / (this.largest || 1)) * 100)}%`); // a bar: pixels
    return row;
  }
}

/** Prints of one instant, side and price are one order that met several: shown as one. */
function together(trades) {
  const found = [];
  for (const trade of trades) {
    const last = found.at(-1);
    const same = last && ["at", "side", "price"].every((name) => last[name] === trade[name]);
    if (same) found[found.length - 1] = { ...last, quantity: add(last.quantity, trade.quantity) };
    else found.push(trade);
  }
  return found;
}

const keyOf = (trade) => `${trade.trade_id} ${trade.quantity}`;

export class TickerBar {
  constructor(store) {
    this.store = store;
    this.places = placesFor(store.instrument);
    store.on("ticker", () => this.show());
    store.on(["tickers", "ticker"], () => this.list());
    this.menu = $("#symbol-menu");
    this.menu.addEventListener("toggle", () => this.list());
    this.wide = matchMedia("(min-width: 1800px)"); // where trade.css shows the list of markets
    this.wide.addEventListener("change", () => this.list());
  }

  show() {
    const ticker = this.store.quote();
    this.since(ticker.since);
    const last = $("#last");
    if (this.last && ticker.last && cmp(ticker.last, this.last) !== 0) {
      setTone(last, sub(ticker.last, this.last));
      setText($("#last-arrow"), cmp(ticker.last, this.last) > 0 ? "↑" : "↓");
      setTone($("#last-arrow"), sub(ticker.last, this.last));
    }
    this.last = ticker.last ?? this.last;
    for (const [id, value] of [["last", ticker.last], ["high", ticker.high_24h], ["low", ticker.low_24h]]) {
      setNumber($(`#${id}`), value, this.places.price);
    }
    setNumber($("#volume"), ticker.volume_24h && roundDown(ticker.volume_24h, 2), 2);
    this.change($("#change"), ticker);
    setText($("#spread-mid"), ticker.mark ? number(ticker.mark, this.places.price) : "–");
    if (ticker.last) document.title = `${number(ticker.last, this.places.price)} ${this.store.symbol} · Crypto OMS`;
  }

  /** Where there is no whole day yet, the figures say since when they are. */
  since(iso) {
    if (iso === undefined || iso === this.sinceShown) return;
    this.sinceShown = iso;
    for (const label of $$("[data-since]")) {
      const { since: what } = label.dataset;
      setText(label, iso ? `${what} since ${clock(iso).slice(0, 5)}` : `24\u202fh ${what}`);
    }
  }

  change(element, ticker) {
    if (!element || ticker.change_24h === undefined || ticker.change_24h === null) return;
    setText(element, `${number(ticker.change_24h, 2, true)}\u202f%`);
    setTone(element, ticker.change_24h);
  }

  /** Bring up to date the lists of symbols that can be seen. */
  list() {
    if (this.menu.open) this.quote($$("#symbol-list [data-quote]"));
    if (this.wide.matches) this.quote($$(".watch-list [data-quote]"));
  }

  quote(rows) {
    for (const row of rows) {
      const ticker = this.store.tickers.get(row.dataset.quote);
      const instrument = this.store.instruments.get(row.dataset.quote);
      if (!ticker || !instrument) continue;
      setNumber($(".last", row), ticker.last, placesFor(instrument).price);
      this.change($(".change", row), ticker);
    }
  }
}
