/** Short messages about own orders. One toast per order, updated in place; errors stay. */

import { $, boot, h } from "./dom.js";
import { SIDE, number, placesFor } from "./format.js";
import { reason } from "./reasons.js";

const STAY_MS = 6_000;
const TOASTS_MAX = 3;

export class Toasts {
  constructor(store) {
    this.store = store;
    this.region = $("#toasts");
    this.byKey = new Map();
  }

  /** Show or update a toast. kind: info, good, bad; bad ones stay until dismissed. */
  show(key, { kind, title, text, href }) {
    const old = this.byKey.get(key);
    const close = h("button", { type: "button", class: "close", "aria-label": `Dismiss: ${title}` }, "×");
    const body = h(href ? "a" : "div", { class: "body", href }, h("strong", {}, title), h("span", {}, text));
    const box = h("div", { class: `toast ${kind}`, role: kind === "bad" && "alert" }, body, close);
    close.addEventListener("click", () => this.drop(key, box));
    if (old) {
      clearTimeout(old.timer);
      box.classList.add("still"); // it takes the old one's place: nothing flies in
      old.replaceWith(box);
    } else {
      this.region.append(box);
    }
    this.byKey.set(key, box);
    if (kind !== "bad") this.fade(key, box);
    this.trim();
  }

  /** A toast somebody points at or has focus in stays. */
  fade(key, box) {
    const later = () => {
      box.timer = setTimeout(() => {
        if (box.matches(":hover, :focus-within")) later();
        else this.drop(key, box);
      }, STAY_MS);
    };
    later();
  }

  drop(key, box) {
    clearTimeout(box.timer);
    box.remove();
    if (this.byKey.get(key) === box) this.byKey.delete(key);
  }

  trim() {
    const passing = [...this.byKey].filter(([, box]) => !box.classList.contains("bad"));
    for (const [key, box] of passing.slice(0, Math.max(0, passing.length - TOASTS_MAX))) this.drop(key, box);
  }

  /** The server has the order; the stream will say more, unless it already did. */
  sent(orderId, draft) {
    if (this.byKey.has(orderId)) return;
    this.show(orderId, {
      kind: "info",
      title: "Order sent",
      text: describe(draft),
      href: `/orders/${orderId}/`,
    });
  }

  failed(title, text) {
    this.show(`failed ${title}`, { kind: "bad", title, text });
  }

  /** Tell about one event of an own order. */
  event(event, order) {
    const told = TELL[event.type]?.(event, order);
    if (!told) return;
    this.show(event.order_id, { ...told, href: `/orders/${event.order_id}/` });
  }
}

function describe({ side, quantity, symbol, type, price }) {
  const instrument = boot().instruments.find((one) => one.symbol === symbol);
  const places = instrument ? placesFor(instrument).price : 0;
  const at = type === "market" || !price ? "at market" : `@ ${number(price, places)}`;
  return `${SIDE[side]} ${number(quantity)} ${symbol} ${at}`;
}

function refusal(event, order) {
  const title = order?.rejected_by === "venue" ? "Rejected by the venue" : "Order rejected";
  return { kind: "bad", title, text: `${order ? `${describe(order)}. ` : ""}${reason(event.reason ?? order?.reason)}` };
}

const TELL = {
  OrderAccepted: (event, order) =>
    order && order.status === "ACCEPTED" && { kind: "info", title: "Order open", text: describe(order) },
  OrderFilled: (event, order) => {
    if (!order) return null;
    const done = order.status === "FILLED";
    const average = order.average_price ? ` at ${number(order.average_price)}` : "";
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
