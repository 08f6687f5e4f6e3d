/** The order book on the screen: asks above, spread, bids below; a price goes into the ticket. */

import { divDown, mul, sub } from "./decimal.js";
import { withBars } from "./book.js";
import { $, h, setText } from "./dom.js";
import { number, placesFor, setNumber } from "./format.js";

const ROW_PX = 21;
const SPREAD_PX = 37;
const ROWS_MIN = 6;
const ROWS_MAX = 25;

export class Ladder {
  /** pick(price, side): called when a level is chosen. */
  constructor(store, book, pick) {
    this.store = store;
    this.book = book;
    this.pick = pick;
    this.places = placesFor(store.instrument);
    this.bodies = { asks: $("#book-asks"), bids: $("#book-bids") };
    this.rows = { asks: [], bids: [] };
    this.frame = $("#book-frame");
    new ResizeObserver(() => store.touch("book")).observe(this.frame);
    this.frame.addEventListener("click", (event) => this.clicked(event));
    this.frame.addEventListener("keydown", (event) => this.moved(event));
    store.on(["book", "orders"], () => this.show());
  }

  count() {
    const fixed = SPREAD_PX + $("#book-head").offsetHeight;
    const room = Math.floor((this.frame.clientHeight - fixed) / 2);
    const count = Math.max(ROWS_MIN, Math.min(ROWS_MAX, Math.round(room / ROW_PX)));
    const height = `${Math.max(19, Math.min(ROW_PX + 4, Math.floor(room / count)))}px`;
    if (this.height !== height) this.frame.style.setProperty("--row", height);
    this.height = height;
    return count;
  }

  show() {
    if (this.book.seq === null) return;
    const count = this.count();
    const [bids, asks] = withBars(this.book.levels("bids", count), this.book.levels("asks", count));
    const mine = this.ownPrices();
    this.fill("asks", [...asks].reverse(), mine.sell);
    this.fill("bids", bids, mine.buy);
    this.spread(bids[0]?.price, asks[0]?.price);
  }

  ownPrices() {
    const mine = { buy: new Set(), sell: new Set() };
    for (const order of this.store.orders.values()) {
      if (order.symbol === this.store.symbol && order.price) mine[order.side].add(order.price);
    }
    return mine;
  }

  fill(side, levels, mine) {
    const rows = this.rows[side];
    if (!rows.length) this.bodies[side].replaceChildren();
    while (rows.length < levels.length) {
      rows.push(this.row(side));
      this.bodies[side].append(rows.at(-1).row);
    }
    while (rows.length > levels.length) rows.pop().row.remove();
    levels.forEach((level, index) => this.put(rows[index], level, mine.has(level.price)));
  }

  row(side) {
    const price = h("button", { type: "button", class: "price", tabindex: "-1" });
    const [size, total] = [h("td", { class: "num" }), h("td", { class: "num muted" })];
    const row = h("tr", { class: side }, h("td", { class: "num" }, price), size, total);
    return { row, price, size, total };
  }

  put(cells, level, own) {
    if (cells.width !== level.width) {
      cells.width = level.width;
      cells.row.style.setProperty("--w", `${level.width / 10}%`);
    }
    cells.row.dataset.price = level.price;
    cells.row.classList.toggle("own", own);
    setNumber(cells.price, level.price, this.places.price);
    setNumber(cells.size, level.size, this.places.size);
    setNumber(cells.total, level.total, this.places.size);
  }

  spread(bid, ask) {
    if (!bid || !ask) {
      setText($("#spread"), "One side of the book is empty");
      return;
    }
    const gap = sub(ask, bid);
    const share = divDown(mul(gap, "10000"), ask, 1);
    setText($("#spread"), `Spread ${number(gap, this.places.price)} · ${share} bp`);
    const best = this.rows.asks.at(-1)?.price;
    if (best && !this.frame.contains(document.activeElement)) {
      for (const { price } of [...this.rows.asks, ...this.rows.bids]) price.tabIndex = -1;
      best.tabIndex = 0;
    }
  }

  clicked(event) {
    const row = event.target.closest("tr[data-price]");
    if (!row) return;
    event.preventDefault();
    this.pick(row.dataset.price, row.classList.contains("asks") ? "buy" : "sell");
  }

  /** One tab stop for the whole ladder; the arrow keys walk it. */
  moved(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const prices = [...this.rows.asks, ...this.rows.bids].map((cells) => cells.price);
    const at = prices.indexOf(document.activeElement);
    if (!step || at < 0 || !prices[at + step]) return;
    event.preventDefault();
    prices[at].tabIndex = -1;
    prices[at + step].tabIndex = 0;
    prices[at + step].focus();
  }
}
