/** The columns of each table of the blotter. The templates print the same cells. */

import { cmp, divDown, mul, roundDown, sign, sub } from "./decimal.js";
import { h, setText } from "./dom.js";
import { SIDE, STATUS, clock, kindWords, placesFor, setNumber, setTone, stamp } from "./format.js";
import { orderPage, symbolPage } from "./links.js";
import { reason } from "./reasons.js";

const EMPTY_PLACES = { price: 0, size: 0 };

/** A cell with one number. read(item) -> {text, places}; unit(item): words behind it. */
function num(read, { signed = false, toned = false, unit, title } = {}) {
  return {
    class: "num",
    make: (cell) => cell.append(h("span", {}), unit ? h("span", { class: "unit" }) : ""),
    show: (cell, item) => {
      const { text, places } = read(item);
      setNumber(cell.firstChild, text, places, signed);
      if (unit) setText(cell.lastChild, text === null ? "" : ` ${unit(item)}`);
      if (toned) setTone(cell, text);
      if (title) cell.title = title(item);
    },
  };
}

const side = {
  make: (cell) => cell.append(h("span", {})),
  show: (cell, item) => {
    cell.firstChild.className = `side ${item.side}`;
    setText(cell.firstChild, SIDE[item.side]);
  },
};

const symbol = {
  make: (cell, item) => cell.append(h("a", { href: symbolPage(item.symbol) }, item.symbol)),
};

/** Type with what it waits for, and how long it lasts: to the minute, the title has it exactly. */
const kind = (places) => ({
  make: (cell, order) => {
    const ends = order.expires_at;
    const lasts = h("span", { class: "unit" }, `${order.time_in_force.toUpperCase()}${ends ? ` ${stamp(ends).slice(0, -3)}` : ""}`);
    if (ends) lasts.title = `until ${ends.slice(0, 10)} ${ends.slice(11, 19)} UTC`;
    cell.append(`${kindWords(order, places(order).price)} `, lasts);
  },
});

/** When it happened; the link leads to the order. */
function time(read, words) {
  return {
    class: "time",
    make: (cell, item) => {
      cell.append(h("a", { href: orderPage(item.order_id), title: "Open the order" }, h("time", {})));
    },
    show: (cell, item) => {
      const iso = read(item);
      const text = cell.querySelector("time");
      text.dateTime = iso;
      text.title = `${iso.slice(0, 10)} ${iso.slice(11, 23)} UTC`;
      setText(text, words(iso));
    },
  };
}

const status = {
  make: (cell) => cell.append(h("span", {})),
  show: (cell, order) => {
    cell.firstChild.className = `status ${order.status.toLowerCase()}`;
    cell.firstChild.title = order.reason ? reason(order.reason, order) : "";
    setText(cell.firstChild, STATUS[order.status] ?? order.status);
  },
};

/** A small button; words(item) -> {text, label, disabled}. */
function action(name, read, words, isShown) {
  return {
    class: "act",
    make: (cell, item) => {
      cell.append(h("button", { type: "button", class: "small", dataset: { [name]: read(item) } }));
    },
    show: (cell, item) => {
      const button = cell.firstChild;
      const { text, label, disabled = false } = words(item);
      button.hidden = !isShown(item);
      button.disabled = disabled;
      button.setAttribute("aria-label", label);
      setText(button, text);
    },
  };
}

function filledShare(order) {
  return sign(order.quantity) ? divDown(mul(order.filled_quantity, "100"), order.quantity, 0) : "0";
}

/** Profit is read at a glance: two decimals, cut; the order page has all of them. */
function cents(text) {
  return { text: text === null || text === undefined ? null : roundDown(text, 2), places: 2 };
}

/** What a position has made and not taken yet, at the price closing it would pay; flat: zero. */
function unrealized({ quantity, average_price: average, mark_price: mark, unrealized_pnl: told }) {
  if (!sign(quantity)) return "0";
  return mark && average ? mul(sub(mark, average), quantity) : (told ?? null);
}

export class Columns {
  constructor(store) {
    this.store = store;
  }

  places(item) {
    const instrument = this.store.instruments.get(item.symbol);
    return instrument ? placesFor(instrument) : EMPTY_PLACES;
  }

  price(read) {
    return (item) => ({ text: read(item) ?? null, places: this.places(item).price });
  }

  /** An average, cut to the decimals the instrument trades in; nothing while there is none. */
  average() {
    return (item) => {
      const places = this.places(item).price;
      const known = item.average_price && sign(item.quantity);
      return { text: known ? roundDown(item.average_price, places) : null, places };
    };
  }

  size(read) {
    return (item) => ({ text: read(item), places: this.places(item).size });
  }

  /** The limit price, or the word for none. */
  limit() {
    const column = num(this.price((order) => order.price));
    return {
      ...column,
      show: (cell, order) => {
        if (order.price) column.show(cell, order);
        else setText(cell.firstChild, "Market");
        cell.classList.toggle("muted", !order.price);
      },
    };
  }

  filled() {
    const column = num(this.size((order) => order.filled_quantity), { unit: (order) => `${filledShare(order)}\u202f%` });
    return {
      ...column,
      class: "num progress",
      show: (cell, order) => {
        column.show(cell, order);
        cell.style.setProperty("--done", `${filledShare(order)}%`);
      },
    };
  }

  open() {
    const cancel = action(
      "cancel",
      (order) => order.order_id,
      (order) => {
        const waiting = order.status === "PENDING_CANCEL";
        const text = waiting ? "Canceling" : "Cancel";
        return { text, label: `${text} ${SIDE[order.side]} ${order.quantity} ${order.symbol}`, disabled: waiting };
      },
      () => this.store.mayTrade,
    );
    return [
      time((order) => order.created_at, clock), symbol, side, kind((order) => this.places(order)), this.limit(),
      num(this.size((order) => order.quantity)), this.filled(), status, cancel,
    ];
  }

  history() {
    return [
      time((order) => order.updated_at, stamp), symbol, side, kind((order) => this.places(order)), this.limit(),
      num(this.average()), num(this.size((order) => order.quantity)),
      num(this.size((order) => order.filled_quantity)), status,
    ];
  }

  fills() {
    const role = { class: "muted", make: (cell, fill) => cell.append(fill.liquidity === "maker" ? "Maker" : "Taker") };
    return [
      time((fill) => fill.at, stamp), symbol, side, num(this.price((fill) => fill.price)), num(this.size((fill) => fill.quantity)),
      num((fill) => cents(mul(fill.price, fill.quantity))), num((fill) => cents(fill.fee), { unit: (fill) => fill.fee_asset, title: (fill) => fill.fee }), role,
    ];
  }

  /** A position, marked at what closing it would pay now. */
  positions() {
    const close = action(
      "close",
      (position) => position.symbol,
      (position) => ({ text: position.closing ? "Closing" : "Close…", label: `Close… ${position.symbol}`, disabled: position.closing }),
      (position) => this.store.mayTrade && sign(position.quantity) !== 0,
    );
    return [
      symbol, num(this.size((one) => one.quantity), { signed: true }),
      num(this.average()),
      num(this.price((one) => (sign(one.quantity) ? one.mark_price : null))),
      num((one) => cents(one.mark_price ? mul(one.mark_price, one.quantity) : null)),
      num((one) => cents(unrealized(one)), { signed: true, toned: true }),
      num((one) => cents(one.realized_pnl), { signed: true, toned: true }), close,
    ];
  }

  balances() {
    const worth = (balance) => {
      if (balance.asset === "USD") return balance.total;
      return balance.mark ? mul(balance.mark, balance.total) : null;
    };
    const amount = (name) => num((balance) => ({ text: roundDown(balance[name], this.decimals(balance.asset)), places: 2 }), { title: (balance) => balance[name] });
    return [
      { make: (cell, balance) => cell.append(h("strong", {}, balance.asset)) },
      amount("free"), amount("locked"), amount("total"),
      num((balance) => cents(worth(balance)), { unit: () => "USD" }),
    ];
  }

  /** The decimals an asset is worth showing with: cents of money, lots of what is traded. */
  decimals(asset) {
    let most = 2;
    for (const one of this.store.instruments.values()) {
      if (one.base === asset) most = Math.max(most, placesFor(one).size);
    }
    return most;
  }
}

/** Order of orders on the screen: newest first. */
export function newestFirst(a, b) {
  return a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : 0;
}

/** Positions that are something, or were. */
export function worthShowing(position) {
  return cmp(position.quantity, "0") !== 0 || cmp(position.realized_pnl ?? "0", "0") !== 0;
}
