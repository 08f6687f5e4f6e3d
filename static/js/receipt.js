/** What became of the order the ticket sent last: said on the ticket, where the eyes are. */

import { $, setText } from "./dom.js";
import { SIDE, STATUS, kindWords, number, placesFor } from "./format.js";
import { orderPage } from "./links.js";
import { reason } from "./reasons.js";

const FRESH_MS = 10_000; // what happens later is also worth a toast: one has looked away by then

export class Receipt {
  constructor(store) {
    this.store = store;
    this.place = $("#receipt");
    this.link = $("#receipt-link");
    this.waiting = false;
    this.settled = () => {};
    store.on(["orders", "history"], () => this.show());
  }

  /** An order is on its way: the stream may know it before its answer is here. */
  expect() {
    this.waiting = true;
  }

  /** The answer is here, whichever: what the stream told meanwhile can be told on. */
  settle() {
    this.waiting = false;
    this.settled();
  }

  /** Follow the order that was just sent. */
  follow(orderId, draft) {
    this.orderId = orderId;
    this.draft = draft;
    this.at = performance.now();
    this.link.href = orderPage(orderId);
    this.show();
  }

  /** Tell whether this order's news is said here, so that nobody else has to. */
  tells(orderId) {
    return orderId === this.orderId && performance.now() - this.at < FRESH_MS;
  }

  show() {
    if (!this.orderId) return;
    const order = this.store.order(this.orderId);
    const [kind, words, text] = said(order ?? { ...this.draft, status: "NEW" }, this.store);
    this.place.dataset.kind = kind;
    setText($("#receipt-status"), words);
    setText($("#receipt-text"), text);
    this.place.hidden = false;
  }
}

/** Return [kind, status, sentence] for an order. */
export function said(order, store) {
  const instrument = store.instruments.get(order.symbol);
  const places = placesFor(instrument);
  const size = (text) => number(text, 0);
  const price = (text) => number(text, places.price);
  const limit = !order.price ? "at market" : `@ ${price(order.price)}`;
  const terms = `${SIDE[order.side]} ${size(order.quantity)} ${instrument.base} ${limit}`;
  const filled = () => `${size(order.filled_quantity)} of ${size(order.quantity)} at ${price(order.average_price)}`;
  const partly = order.filled_quantity && Number(order.filled_quantity) > 0;
  switch (order.status) {
    case "TRIGGER_PENDING":
      return ["open", "Waiting", `${terms}, ${kindWords(order, places.price)}`];
    case "ACCEPTED":
      return ["open", "Open", terms];
    case "PARTIALLY_FILLED":
      return ["good", "Partly filled", `${SIDE[order.side]} ${filled()}`];
    case "FILLED":
      return ["good", "Filled", `${SIDE[order.side]} ${filled()}`];
    case "PENDING_CANCEL":
      return ["open", "Canceling", terms];
    case "CANCELED":
    case "EXPIRED":
      return ["end", STATUS[order.status], `${partly ? `${filled()}. ` : `${terms}. `}${reason(order.reason, order, store.limits)}`.trim()];
    case "REJECTED":
      return ["bad", order.rejected_by === "venue" ? "Rejected by the venue" : "Rejected", `${terms}. ${reason(order.reason, order, store.limits)}`];
    default:
      return ["sent", "Sent", terms];
  }
}
