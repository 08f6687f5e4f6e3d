/** The order book on the screen: asks above, spread, bids below; a price goes into the ticket. */

import { add, cmp, divDown, fromScaled, mul, sub, toScaled } from "./decimal.js";
import { withBars } from "./book.js";
import { $, $$, h, setText } from "./dom.js";
import { number, placesFor, setNumber } from "./format.js";

const ROW_PX = 18;
const FINGER_ROW_PX = 24;
const SPREAD_PX = 30;
const ROWS_MIN = 6;
const ROWS_MAX = 25;

const AIM_MS = 5_000; // a pointer that rests that long does not aim any more

export class Ladder {
  /** pick(price, side): called when a level is chosen. */
  constructor(store, book, pick, memory) {
    this.store = store;
    this.memory = memory;
    this.book = book;
    this.pick = pick;
    this.places = placesFor(store.instrument);
    this.bodies = { asks: $("#book-asks"), bids: $("#book-bids") };
    this.rows = { asks: [], bids: [] };
    this.frame = $("#book-frame");
    this.panel = $("#book");
    this.phone = matchMedia("(max-width: 699px)"); // where trade.css makes the rows as high as a finger
    this.pinned = null; // the prices that stand still while somebody aims at one of them
    new ResizeObserver(() => this.resized()).observe(this.frame);
    this.frame.addEventListener("pointermove", () => this.aim());
    this.frame.addEventListener("pointerleave", () => this.release());
    this.frame.addEventListener("pointerdown", (event) => (this.aimedAt = priceOf(event)));
    this.frame.addEventListener("click", (event) => this.clicked(event));
    this.frame.addEventListener("keydown", (event) => this.moved(event));
    store.on(["book", "orders"], () => this.show());
    this.choices();
  }

  /** What is shown: both sides or one; prices put together in steps or each by itself. Both are kept. */
  choices() {
    this.grouping = $("#book-group");
    this.grouping.addEventListener("change", () => this.chosen("group", this.grouping.value));
    for (const button of $$("[data-sides]")) button.addEventListener("click", () => this.chosen("sides", button.dataset.sides));
    this.sides = this.memory.get("sides") ?? "both";
    this.step = 1n;
    this.wanted = this.memory.get("group");
    this.pressed();
  }

  chosen(name, value) {
    this.memory.set(name, value);
    if (name === "sides") this.sides = value;
    else this.step = toScaled(value, this.places.price);
    this.pressed();
    this.release();
    this.resized();
  }

  pressed() {
    for (const button of $$("[data-sides]")) button.setAttribute("aria-pressed", String(button.dataset.sides === this.sides));
    this.frame.dataset.sides = this.sides;
  }

  /** Offer the steps that make sense at this price, once there is one. */
  offer(price) {
    if (this.grouping.options.length > 1) return;
    const steps = stepsFor(toScaled(price, this.places.price));
    const texts = steps.map((step) => fromScaled(step, this.places.price));
    this.grouping.replaceChildren(...texts.map((text) => h("option", { value: text }, number(text))));
    if (texts.includes(this.wanted)) {
      this.grouping.value = this.wanted;
      this.step = toScaled(this.wanted, this.places.price);
    }
  }

  resized() {
    this.counted = null;
    this.store.touch("book");
  }

  count() {
    if (this.counted) return this.counted;
    const fixed = SPREAD_PX + $("#book-head").offsetHeight;
    const room = Math.floor((this.frame.clientHeight - fixed) / (this.sides === "both" ? 2 : 1));
    const least = this.phone.matches ? FINGER_ROW_PX : ROW_PX;
    const count = Math.max(ROWS_MIN, Math.min(this.sides === "both" ? ROWS_MAX : 2 * ROWS_MAX, Math.floor(room / least)));
    this.frame.style.setProperty("--row", `${Math.max(least, Math.floor(room / count))}px`);
    this.counted = count;
    return count;
  }

  /** The rows stand still under a pointer: their sizes go on, their prices do not. */
  aim() {
    if (!this.pinned && this.shown) this.pinned = this.shown;
    this.panel.toggleAttribute("data-held", Boolean(this.pinned));
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.release(), AIM_MS);
  }

  release() {
    clearTimeout(this.resting);
    this.pinned = null;
    this.panel.removeAttribute("data-held");
    this.store.touch("book");
  }

  show() {
    if (this.book.seq === null) return;
    const touch = this.book.best("asks", 1)[0] ?? this.book.best("bids", 1)[0];
    if (touch) this.offer(touch.price);
    const count = this.count();
    const mine = this.ownSizes();
    const [bids, asks] = withBars(this.levels("bids", count, mine.buy), this.levels("asks", count, mine.sell));
    if (!this.pinned) this.shown = { bids: bids.map((level) => level.price), asks: asks.map((level) => level.price) };
    this.fill("asks", [...asks].reverse(), mine.sell);
    this.fill("bids", bids, mine.buy);
    const [[bid], [ask]] = [this.book.levels("bids", 1), this.book.levels("asks", 1)];
    this.spread(bid?.price, ask?.price);
  }

  /** Best first: the book's levels and own prices between them; the pinned ones while they are pinned. */
  levels(side, count, own) {
    if (this.pinned) return this.book.at(side, this.pinned[side], this.step);
    const levels = this.book.levels(side, count, this.step);
    const worst = levels.at(-1)?.price;
    const inside = (price) => worst === undefined || (side === "bids" ? cmp(price, worst) > 0 : cmp(price, worst) < 0);
    const missing = [...own.keys()].filter((price) => inside(price) && levels.every((level) => cmp(level.price, price) !== 0));
    if (!missing.length) return levels;
    const way = side === "bids" ? -1 : 1;
    const prices = [...levels.map((level) => level.price), ...missing].sort((a, b) => way * cmp(a, b));
    return this.book.at(side, prices.slice(0, count), this.step);
  }

  /** Own open sizes by price, of each side. */
  ownSizes() {
    const mine = { buy: new Map(), sell: new Map() };
    for (const { symbol, price, side, remaining_quantity: left } of this.store.resting()) {
      if (symbol !== this.store.symbol || !price) continue;
      const at = this.step === 1n ? price : this.book.step(side === "buy" ? "bids" : "asks", price, this.step);
      mine[side].set(at, add(mine[side].get(at) ?? "0", left));
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
    levels.forEach((level, index) => this.put(rows[index], level, mine.get(level.price)));
  }

  row(side) {
    const price = h("button", { type: "button", class: "price", tabindex: "-1" });
    const own = h("td", { class: "own-size" });
    const [size, total] = [h("td", { class: "num" }), h("td", { class: "num muted" })];
    const row = h("tr", { class: side }, own, h("td", { class: "num" }, price), size, total);
    return { row, own, price, size, total };
  }

  put(cells, level, own) {
    const percents = Math.round(level.width / 10); // finer nobody sees, and each change is a new style
    if (cells.percents !== percents) {
      cells.percents = percents;
      cells.row.style.setProperty("--w", `${percents}%`);
    }
    const weight = Math.round(level.weight / 10);
    if (cells.weight !== weight) {
      cells.weight = weight;
      cells.row.style.setProperty("--s", `${weight}%`);
    }
    if (cells.at !== level.price) cells.row.dataset.price = level.price;
    cells.at = level.price;
    const words = own ? number(own) : "";
    if (cells.words !== words) {
      cells.words = words;
      cells.row.classList.toggle("own", Boolean(own));
      setText(cells.own, words);
      cells.own.title = own ? `Your open orders here: ${words} ${this.store.instrument.base}` : "";
    }
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

  /** The price is the one that was aimed at when the button went down. */
  clicked(event) {
    const aimed = event.detail ? this.aimedAt : priceOf(event); // a key press has no pointer
    if (!aimed) return;
    event.preventDefault();
    this.pick(aimed.price, aimed.side);
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

/** Return the steps a price may be put together in: 1, 10, 50, 100, 500, … ticks, up to a two-hundredth of it. */
export function stepsFor(price) {
  const found = [1n];
  for (let power = 10n; power * 200n <= price; power *= 10n) {
    found.push(power);
    if (power > 10n || power * 1_000n <= price) found.push(power * 5n);
  }
  return [1n, ...found.filter((step) => step > 1n && step * 200n <= price).slice(-5)];
}

function priceOf(event) {
  const row = event.target.closest("tr[data-price]");
  return row && { price: row.dataset.price, side: row.classList.contains("asks") ? "buy" : "sell" };
}
