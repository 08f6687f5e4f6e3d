/**
 * Closing a position, and flattening an account: commands of their own that can only reduce.
 *
 * Rules of this file: the side and the size come from the position as it is when it is sent, never
 * from the ticket or the address; every order says reduce_only; a position whose closing order is
 * still on its way is not closed again.
 */

import { Problem, newKey, post } from "./api.js";
import { add, divDown, floorTo, mul, neg, roundDown, roundUp, sign, sub } from "./decimal.js";
import { $, h, setText } from "./dom.js";
import { OPEN, SIDE, counted, number, placesFor } from "./format.js";
import { explain } from "./reasons.js";

const CANCELED_MS_MAX = 5_000;
const OLD = "Prices are old: nobody knows what this closes at.";

export class Closing {
  constructor(store) {
    this.store = store;
    this.sent = new Map(); // symbol -> id of the closing order, until it has ended
    this.unknown = new Map(); // symbol -> {key, body} of a closing order that may have arrived
    this.busy = this.running = false;
    this.one = $("#close");
    this.all = $("#flatten-sheet");
    if (!this.one) return;
    $("#close-form").addEventListener("submit", (event) => this.submitted(event));
    $("#close-form").addEventListener("change", () => this.showOne());
    $("#flatten-form").addEventListener("submit", (event) => this.flattened(event));
    this.one.addEventListener("cancel", (event) => this.busy && event.preventDefault());
    this.all.addEventListener("cancel", (event) => this.running && event.preventDefault());
    store.on(["positions", "tickers", "orders", "stale"], () => this.show());
  }

  /** Return a position with what closing it would pay now, and whether that is on its way. */
  marked(position) {
    const mark = this.store.closingPrice(position) ?? position.mark_price;
    return { ...position, mark_price: mark, closing: this.isClosing(position.symbol) };
  }

  isClosing(symbol) {
    const orderId = this.sent.get(symbol);
    if (!orderId) return false;
    const order = this.store.order(orderId);
    if (order && !OPEN.has(order.status)) this.sent.delete(symbol);
    return this.sent.has(symbol);
  }

  show() {
    if (this.one.open) this.showOne();
    if (this.all.open) this.showAll();
  }

  // ---------------------------------------------------------------- one position
  ask(symbol) {
    if (this.busy) return; // what is on its way is said where it was begun
    this.symbol = symbol;
    this.unknown.delete(symbol);
    setText($("#close-problem"), "");
    $("#close-form").elements.share.value = "100";
    this.showOne();
    this.one.showModal();
  }

  /** Return what closing that share (percent) takes now; null when there is nothing to close. */
  plan(symbol, share) {
    const position = this.store.positions.get(symbol);
    const instrument = this.store.instruments.get(symbol);
    if (!position || !instrument || !sign(position.quantity)) return null;
    const side = sign(position.quantity) > 0 ? "sell" : "buy";
    const held = sign(position.quantity) > 0 ? position.quantity : neg(position.quantity);
    const quantity = floorTo(divDown(mul(held, share), "100", 18), instrument.lot_size);
    const price = this.store.closingPrice(position);
    const waiting = [...this.store.orders.values()].filter((order) => order.symbol === symbol && order.side === side);
    const signed = side === "sell" ? quantity : neg(quantity);
    const gain = price && position.average_price ? mul(sub(price, position.average_price), signed) : null;
    const fee = price ? roundUp(mul(mul(price, quantity), instrument.taker_fee), 2) : null;
    // All of it is closed: what still waits to reduce it would turn it around.
    const old = Boolean(price) && (this.store.stale || this.store.tickers.get(symbol)?.stale);
    return { symbol, instrument, side, held, quantity, price, gain, fee, old, waiting: share === "100" ? waiting : [] };
  }

  showOne() {
    const share = $("#close-form").elements.share.value;
    const plan = this.plan(this.symbol, share);
    const send = $("#close-send");
    setText($("#close-title"), `Close ${this.symbol}`);
    $("button[value=no]", this.one).disabled = this.busy; // it cannot be kept any more
    send.disabled = !plan || this.busy || !sign(plan.quantity) || this.isClosing(this.symbol);
    if (!plan) {
      setText($("#close-what"), "The position is flat: there is nothing to close.");
      return;
    }
    const { side, held, quantity, instrument, waiting } = plan;
    const places = placesFor(instrument);
    const way = side === "sell" ? "Long" : "Short";
    setText($("#close-what"), `${way} ${number(held, places.size)} ${instrument.base} on ${this.store.accountName}`);
    setText(send, this.busy ? "Sending…" : `${SIDE[side]} ${number(quantity, places.size)} ${instrument.base} at market`);
    send.dataset.side = side;
    setText($("#close-price-label"), plan.old ? "Last known price" : "Price now");
    setText($("#close-price"), plan.price ? number(plan.price, places.price) : "no price");
    setText($("#close-old"), plan.old ? OLD : "");
    setText($("#close-gain"), plan.gain ? number(roundDown(plan.gain, 2), 2, true) : "–");
    setText($("#close-fee"), plan.fee ? number(plan.fee, 2) : "–");
    setText($("#close-orders"), waiting.length ? `${counted(waiting.length, "order")} to ${side} ${this.symbol} will be canceled first.` : "");
  }

  async submitted(event) {
    if (event.submitter?.value === "no") return; // the browser closes the sheet
    event.preventDefault();
    if (this.busy) return;
    this.busy = true;
    setText($("#close-problem"), "");
    this.showOne();
    const problem = await this.close(this.symbol, $("#close-form").elements.share.value);
    this.busy = false;
    if (problem) {
      setText($("#close-problem"), problem);
      this.showOne();
    } else {
      this.one.close();
    }
  }

  /** Cancel what stands in the way, then send the closing order. Returns what went wrong, or "". */
  async close(symbol, share) {
    if (this.isClosing(symbol)) return "A closing order is on its way already.";
    const before = this.plan(symbol, share);
    if (!before) return "";
    try {
      if (before.waiting.length) {
        await this.cancel({ symbol, side: before.side }, (order) => order.symbol === symbol && order.side === before.side);
      }
      const plan = this.plan(symbol, share); // as it is now: a fill may have come in between
      if (!plan || !sign(plan.quantity)) return "";
      if (plan.side !== before.side) return "The position turned around meanwhile. Look again.";
      const attempt = this.unknown.get(symbol) ?? { key: newKey(), body: this.body(plan) };
      this.unknown.set(symbol, attempt);
      const answer = await post("/api/orders", attempt.body, attempt.key);
      this.unknown.delete(symbol);
      this.sent.set(symbol, answer.order_id);
      this.store.touch("positions");
      return "";
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.unknown) return "Not known whether it arrived. Press again: it is never done twice.";
      this.unknown.delete(symbol);
      return explain(problem);
    }
  }

  body({ symbol, side, quantity }) {
    const account_id = this.store.account;
    return { account_id, symbol, side, type: "market", time_in_force: "ioc", quantity, reduce_only: true };
  }

  /** Cancel orders and wait until they are gone: what they hold is needed. */
  async cancel(which, isOne) {
    await post("/api/orders/cancel", { account_id: this.store.account, ...which }, newKey());
    const none = () => ![...this.store.orders.values()].some(isOne);
    if (await this.store.until(none, CANCELED_MS_MAX)) return;
    throw new Problem(409, { detail: "Open orders are not canceled yet, so nothing was sent. Try again." });
  }

  // ---------------------------------------------------------------- everything
  askAll() {
    if (this.running) return;
    this.results = new Map();
    this.unknown.clear();
    setText($("#flatten-problem"), "");
    this.showAll();
    this.all.showModal();
  }

  held() {
    return [...this.store.positions.values()].filter((position) => sign(position.quantity));
  }

  showAll() {
    const symbols = new Set([...this.held().map((position) => position.symbol), ...this.results.keys()]);
    const plans = [...symbols].map((symbol) => [symbol, this.plan(symbol, "100")]);
    const rows = plans.map(([symbol, plan]) => {
      const words = plan ? `${SIDE[plan.side]} ${number(plan.quantity, placesFor(plan.instrument).size)} ${plan.instrument.base} at market` : "flat";
      const gain = plan?.gain ? number(roundDown(plan.gain, 2), 2, true) : "";
      return h("tr", {}, h("th", { scope: "row" }, symbol), h("td", {}, this.results.get(symbol) || words), h("td", { class: "num" }, gain));
    });
    $("#flatten-rows").replaceChildren(...rows);
    const gains = plans.map(([, plan]) => plan?.gain).filter(Boolean);
    const total = gains.reduce((sum, gain) => add(sum, gain), "0");
    setText($("#flatten-total"), number(roundDown(total, 2), 2, true));
    setText($("#flatten-old"), plans.some(([, plan]) => plan?.old) ? OLD : "");
    const open = this.store.orders.size;
    $("#flatten-orders").classList.toggle("warning", open > 0);
    setText($("#flatten-orders"), open ? `${counted(open, "order")} will be canceled first, in every symbol.` : "No open orders to cancel.");
    setText($("#flatten-title"), `Flatten ${this.store.accountName}`);
    $("button[value=no]", this.all).disabled = this.running;
    $("#flatten-send").disabled = this.running || !this.held().length;
    setText($("#flatten-send"), this.running ? "Flattening…" : `Close ${this.held().length} at market`);
  }

  async flattened(event) {
    if (event.submitter?.value === "no") return;
    event.preventDefault();
    if (this.running) return;
    this.running = true;
    setText($("#flatten-problem"), "");
    this.showAll();
    const failed = await this.flatten();
    this.running = false;
    if (failed) setText($("#flatten-problem"), failed);
    this.showAll();
    if (!failed) this.all.close();
  }

  /** Cancel all, close all; one refusal does not keep the others from being closed. */
  async flatten() {
    try {
      if (this.store.orders.size) await this.cancel({}, () => true);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      return explain(problem);
    }
    const symbols = this.held().map((position) => position.symbol);
    await Promise.all(symbols.map(async (symbol) => {
      const problem = this.isClosing(symbol) ? "" : await this.close(symbol, "100");
      this.results.set(symbol, problem || (this.isClosing(symbol) ? "Sent" : "flat"));
    }));
    const refused = symbols.filter((symbol) => !["Sent", "flat"].includes(this.results.get(symbol)));
    return refused.length ? `Not closed: ${refused.join(", ")}.` : "";
  }
}
