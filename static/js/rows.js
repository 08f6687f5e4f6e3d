/** One builder a table: what a row of the blotter looks like. The templates print the same cells. */

import { cmp, divDown, mul, sign, sub } from "./decimal.js";
import { h } from "./dom.js";
import { SIDE, STATUS, clock, placesFor, setNumber, setTone, stamp } from "./format.js";
import { reason } from "./reasons.js";

const EMPTY_PLACES = { price: 0, size: 0 };

function num(text, places, { signed = false, toned = false, unit } = {}) {
  const value = h("span", {});
  setNumber(value, text, places, signed);
  const cell = h("td", { class: "num" }, value, unit && text !== null ? h("span", { class: "unit" }, ` ${unit}`) : null);
  if (toned) setTone(cell, text);
  return cell;
}

function side(order) {
  return h("td", {}, h("span", { class: `side ${order.side}` }, SIDE[order.side]));
}

function symbol(name) {
  return h("td", {}, h("a", { href: `../${name}/` }, name));
}

function kind(order) {
  return h("td", {}, `${order.type === "market" ? "Market" : "Limit"} `, h("span", { class: "unit" }, order.time_in_force.toUpperCase()));
}

function time(iso, link) {
  const text = h("time", { datetime: iso, title: `${iso.slice(0, 10)} ${iso.slice(11, 23)} UTC` }, link?.long ? stamp(iso) : clock(iso));
  return h("td", { class: "time" }, link?.href ? h("a", { href: link.href, title: "Open the order" }, text) : text);
}

function status(order) {
  const title = order.reason ? reason(order.reason) : null;
  return h("td", {}, h("span", { class: `status ${order.status.toLowerCase()}`, title }, STATUS[order.status] ?? order.status));
}

export function filledShare(order) {
  return sign(order.quantity) ? divDown(mul(order.filled_quantity, "100"), order.quantity, 0) : "0";
}

export class Rows {
  constructor(store) {
    this.store = store;
  }

  places(name) {
    const instrument = this.store.instruments.get(name);
    return instrument ? placesFor(instrument) : EMPTY_PLACES;
  }

  open(order) {
    const places = this.places(order.symbol);
    const waiting = order.status === "PENDING_CANCEL";
    const cancel = h(
      "button",
      { type: "button", class: "small", dataset: { cancel: order.order_id }, disabled: waiting, "aria-label": `Cancel ${SIDE[order.side]} ${order.quantity} ${order.symbol}` },
      waiting ? "Canceling" : "Cancel",
    );
    return h(
      "tr", {}, time(order.created_at, { href: `/orders/${order.order_id}/` }), symbol(order.symbol), side(order), kind(order),
      order.price ? num(order.price, places.price) : h("td", { class: "num muted" }, "Market"),
      num(order.quantity, places.size), this.filled(order, places), status(order),
      h("td", { class: "act" }, this.store.mayTrade ? cancel : null),
    );
  }

  filled(order, places) {
    const cell = num(order.filled_quantity, places.size, { unit: `${filledShare(order)}\u2009%` });
    cell.classList.add("progress");
    cell.style.setProperty("--done", `${filledShare(order)}%`);
    return cell;
  }

  history(order) {
    const places = this.places(order.symbol);
    return h(
      "tr", {}, time(order.updated_at, { href: `/orders/${order.order_id}/`, long: true }), symbol(order.symbol), side(order), kind(order),
      order.price ? num(order.price, places.price) : h("td", { class: "num muted" }, "Market"),
      num(order.average_price, places.price), num(order.quantity, places.size), num(order.filled_quantity, places.size),
      status(order),
    );
  }

  fill(fill) {
    const places = this.places(fill.symbol);
    const maker = fill.liquidity === "maker";
    return h(
      "tr", {}, time(fill.at, { href: `/orders/${fill.order_id}/`, long: true }), symbol(fill.symbol), side(fill), num(fill.price, places.price),
      num(fill.quantity, places.size), num(this.cents(mul(fill.price, fill.quantity)), 2), num(fill.fee, 2, { unit: fill.fee_asset }),
      h("td", { class: "muted" }, maker ? "Maker" : "Taker"),
    );
  }

  /** A position, marked at what closing it would pay now. */
  position(position) {
    const places = this.places(position.symbol);
    const { average_price: average, mark_price: mark, quantity } = position;
    const unrealized = mark && average ? mul(sub(mark, average), quantity) : position.unrealized_pnl;
    const close = h("button", { type: "button", class: "small", dataset: { close: position.symbol }, "aria-label": `Prepare an order that closes ${position.symbol}` }, "Close…");
    return h(
      "tr", {}, symbol(position.symbol), num(quantity, places.size, { signed: true, toned: true }), num(average, places.price), num(mark ?? null, places.price),
      num(mark ? this.cents(mul(mark, quantity)) : null, 2), num(unrealized ? this.cents(unrealized) : null, 2, { signed: true, toned: true }),
      num(this.cents(position.realized_pnl), 2, { signed: true, toned: true }),
      h("td", { class: "act" }, this.store.mayTrade && sign(quantity) ? close : null),
    );
  }

  /** Profit is read at a glance: two decimals, cut; the order page has all of them. */
  cents(text) {
    return text === null || text === undefined ? null : divDown(text, "1", 2);
  }

  balance(balance) {
    const mark = this.store.tickers.get(`${balance.asset}-USD`)?.mark;
    const worth = balance.asset === "USD" ? balance.total : mark ? mul(mark, balance.total) : null;
    return h(
      "tr", {}, h("td", {}, h("strong", {}, balance.asset)), num(balance.free, 2), num(balance.locked, 2), num(balance.total, 2),
      num(worth && this.cents(worth), 2, { unit: "USD" }),
    );
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
