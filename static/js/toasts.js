/**
 * Short messages about own orders: one toast an order, at most three, never over the ticket. What
 * does not fit is counted, and everything stands in the notification centre.
 */

import { $, h, setText } from "./dom.js";
import { SIDE, number, placesFor } from "./format.js";
import { orderPage } from "./links.js";
import { describe, reason } from "./reasons.js";

const STAY_MS = 6_000;
const TOASTS_MAX = 3;

export class Toasts {
  /** receipt: what it tells needs no toast. */
  constructor(store, { notices, receipt }) {
    this.store = store;
    this.notices = notices;
    this.receipt = receipt;
    this.region = $("#toasts-list");
    this.more = $("#toasts-more");
    this.byKey = new Map();
    this.hidden = 0;
    this.early = [];
    receipt.settled = () => this.early.splice(0).forEach(([event, order]) => this.event(event, order));
    this.more.addEventListener("click", (event) => this.openCentre(event));
  }

  /** Show or update a toast. kind: info, good, bad; bad ones stay longer. */
  show(key, told) {
    this.notices.add(key, told);
    const { kind, title, text, href } = told;
    const old = this.byKey.get(key);
    const close = h("button", { type: "button", class: "close", "aria-label": `Dismiss: ${title}` }, "×");
    const body = h(href ? "a" : "div", { class: "body", href }, h("strong", {}, title), h("span", {}, text));
    const box = h("div", { class: `toast ${kind}`, role: kind === "bad" && "alert" }, body, close);
    close.addEventListener("click", () => {
      this.notices.read(key);
      this.drop(key, box);
    });
    if (old) {
      clearTimeout(old.timer);
      box.classList.add("still"); // it takes the old one's place: nothing flies in
      old.replaceWith(box);
    } else {
      this.region.append(box);
    }
    this.byKey.set(key, box);
    this.fade(key, box, kind === "bad" ? 3 * STAY_MS : STAY_MS);
    this.trim();
  }

  /** A toast somebody points at or has focus in stays. */
  fade(key, box, stay_ms) {
    const later = () => {
      box.timer = setTimeout(() => {
        if (box.matches(":hover, :focus-within")) later();
        else this.drop(key, box);
      }, stay_ms);
    };
    later();
  }

  drop(key, box) {
    clearTimeout(box.timer);
    box.remove();
    if (this.byKey.get(key) === box) this.byKey.delete(key);
    if (!this.byKey.size) this.hidden = 0;
    this.showMore();
  }

  /** Make room: the oldest goes, unless somebody is about to press it. */
  trim() {
    const spare = [...this.byKey].filter(([, box]) => !box.matches(":hover, :focus-within"));
    for (const [key, box] of spare.slice(0, Math.max(0, this.byKey.size - TOASTS_MAX))) {
      this.hidden += 1;
      this.drop(key, box);
    }
    this.showMore();
  }

  showMore() {
    this.more.hidden = this.hidden === 0;
    setText(this.more, `+${this.hidden} more`);
  }

  openCentre(event) {
    event.stopPropagation(); // a click outside of a menu closes it
    $("#bell").open = true;
    for (const [key, box] of [...this.byKey]) this.drop(key, box);
  }

  failed(title, text) {
    this.show(`failed ${title}`, { kind: "bad", title, text });
  }

  /** Tell about one event of an own order. */
  event(event, order) {
    if (this.receipt.waiting) {
      this.early.push([event, order]); // perhaps it is the ticket's own: its answer will say
      return;
    }
    const told = TELL[event.type]?.(event, order, this.store);
    if (!told) return;
    const whole = { ...told, href: orderPage(event.order_id), at: event.at };
    if (this.receipt.tells(event.order_id)) this.notices.add(event.order_id, whole, true);
    else this.show(event.order_id, whole);
  }
}

function refusal(event, order, store) {
  const title = order?.rejected_by === "venue" ? "Rejected by the venue" : "Order rejected";
  const known = store.order(event.order_id) ?? order;
  const why = reason(event.reason ?? order?.reason, known, store.limits);
  return { kind: "bad", title, text: `${order ? `${describe(order)}. ` : ""}${why}` };
}

const TELL = {
  OrderAccepted: (event, order) =>
    order && order.status === "ACCEPTED" && { kind: "info", title: "Order open", text: describe(order) },
  OrderFilled: (event, order, store) => {
    if (!order) return null;
    const done = order.status === "FILLED";
    const instrument = store.instruments.get(order.symbol);
    const average = order.average_price && instrument ? ` at ${number(order.average_price, placesFor(instrument).price)}` : "";
    const text = `${SIDE[order.side]} ${number(order.filled_quantity)} of ${number(order.quantity)} ${order.symbol}${average}`;
    return { kind: "good", title: done ? "Filled" : "Partly filled", text };
  },
  OrderCanceled: (event, order) => {
    if (!order) return null;
    const why = !event.reason || event.reason === "requested" ? "" : ` ${reason(event.reason)}`;
    return { kind: "info", title: "Order canceled", text: `${describe(order)}.${why}` };
  },
  OrderRejected: refusal,
  OrderDenied: refusal,
  CancelRejected: (event, order) => ({
    kind: "bad",
    title: "Cancel refused",
    text: `${order ? `${describe(order)}. ` : ""}${reason(event.reason)}`,
  }),
};
