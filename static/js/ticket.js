/** The order ticket: a draft, what it costs, and sending it once. */

import { Problem, newKey, post } from "./api.js";
import { cmp, roundDown, roundUp } from "./decimal.js";
import { $, $$, setText } from "./dom.js";
import { SIDE, number, percent, placesFor, setNumber } from "./format.js";
import { affordable, estimate, hold, problems, stepped, worstPrice } from "./sizing.js";

const ECHO_MS = 700;
const POINTERS = { price: "price", quantity: "quantity", side: "side", type: "type", time_in_force: "time_in_force" };

export class Ticket {
  constructor(store, toasts) {
    this.store = store;
    this.toasts = toasts;
    this.form = $("#ticket-form");
    if (!this.form) return;
    this.places = placesFor(store.instrument);
    this.key = newKey();
    this.sending = false;
    this.form.noValidate = true;
    this.form.addEventListener("submit", (event) => this.submit(event));
    this.form.addEventListener("input", (event) => this.edited(event.target));
    this.form.addEventListener("keydown", (event) => this.keyed(event));
    for (const button of $$("[data-share]", this.form)) {
      button.addEventListener("click", () => this.share(button.dataset.share));
    }
    store.on(["ticker", "balances"], () => this.show());
    this.show();
  }

  draft() {
    const fields = new FormData(this.form);
    const clean = (name) => String(fields.get(name) ?? "").replace(/[\s\u2009\u202f]/g, "");
    return {
      side: fields.get("side"),
      type: fields.get("type"),
      time_in_force: fields.get("time_in_force"),
      quantity: clean("quantity"),
      price: clean("price"),
    };
  }

  /** A changed order is another order: it gets a key of its own. */
  edited(field) {
    this.key = newKey();
    if (field?.name) this.complain(field.name, null);
    this.show();
  }

  /** A market order never rests, so it has no GTC; a limit order gets its GTC back. */
  matchTimeInForce() {
    const { type, time_in_force: tif } = this.draft();
    const pick = (value) => ($(`input[name=time_in_force][value=${value}]`, this.form).checked = true);
    if (type === "market" && tif === "gtc") {
      pick("ioc");
      this.wasGtc = true;
    } else if (type === "limit" && this.wasGtc) {
      pick("gtc");
      this.wasGtc = false;
    }
  }

  show() {
    const { instrument } = this.store;
    this.matchTimeInForce();
    const draft = this.draft();
    const quote = this.store.quote();
    const asset = draft.side === "buy" ? instrument.quote : instrument.base;
    const free = this.store.balances.get(asset)?.free;
    const places = draft.side === "buy" ? 2 : this.places.size;
    if (free !== undefined) setNumber($("#available"), roundDown(free, places), places);
    setText($("#available-asset"), asset);
    const touch = draft.side === "buy" ? quote.ask : quote.bid;
    setText($("#market-price"), touch ? `about ${number(touch, this.places.price)} ${instrument.quote}` : "no price yet");
    this.showTotals(draft, estimate(instrument, draft, quote));
    setText($("#submit-label"), this.label(draft));
  }

  showTotals(draft, totals) {
    const cut = draft.side === "buy" ? roundUp : roundDown;
    for (const name of ["value", "fee", "total"]) {
      const place = $(`#order-${name}`);
      setNumber(place, totals ? (name === "fee" ? roundUp : cut)(totals[name], 2) : null, 2);
      place.title = totals ? number(totals[name]) : "";
    }
    const { maker_fee: maker, taker_fee: taker } = this.store.instrument;
    const kind = totals?.taker ?? draft.type === "market" ? "taker" : "maker";
    setText($("#fee-label"), `Fee (${kind} ${percent(kind === "taker" ? taker : maker)})`);
    setText($("#total-label"), draft.side === "buy" ? "Total cost" : "You receive");
  }

  label({ side, type, quantity, price }) {
    if (this.sending) return "Sending…";
    const { base } = this.store.instrument;
    const size = /^[0-9.]+$/.test(quantity) ? ` ${groupedInput(quantity)}` : "";
    if (type === "market") return `${SIDE[side]}${size} ${base} at market`;
    const at = /^[0-9.]+$/.test(price) ? ` @ ${groupedInput(price)}` : "";
    return `${SIDE[side]}${size} ${base}${at}`;
  }

  /** Put in a price from the book (or another draft) and go to the quantity. */
  fill({ side, type, price, quantity }) {
    if (!this.form) return;
    if (side) $(`input[name=side][value=${side}]`, this.form).checked = true;
    if (type) $(`input[name=type][value=${type}]`, this.form).checked = true;
    if (price) this.form.elements.price.value = price;
    if (quantity) this.form.elements.quantity.value = quantity;
    for (const name of Object.keys(POINTERS)) this.complain(name, null);
    this.edited();
  }

  focus(side) {
    if (!this.form) return;
    this.fill({ side });
    this.form.elements.quantity.focus();
    this.form.elements.quantity.select();
  }

  share(share) {
    const draft = this.draft();
    const { instrument } = this.store;
    const asset = draft.side === "buy" ? instrument.quote : instrument.base;
    const free = this.store.balances.get(asset)?.free ?? "0";
    const quote = this.store.quote();
    const quantity = affordable(instrument, draft, { free, mark: quote.mark ?? quote.last, share });
    if (quantity === null) {
      this.complain("price", "Enter a price first: the size depends on it.");
      return;
    }
    if (cmp(quantity, "0") === 0) {
      this.complain("quantity", `No free ${asset} for one lot of ${instrument.lot_size} ${instrument.base}.`);
      return;
    }
    this.form.elements.quantity.value = quantity;
    this.edited(this.form.elements.quantity);
  }

  keyed(event) {
    const step = { price: this.store.instrument.tick_size, quantity: this.store.instrument.lot_size }[event.target.name];
    const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!step || !way) return;
    event.preventDefault();
    event.target.value = stepped(event.target.value.trim(), step, way * (event.shiftKey ? 10 : 1));
    this.edited(event.target);
  }

  complain(name, text) {
    const field = this.form.elements[name];
    const place = $(`#${name}-error`);
    if (!place) return;
    setText(place, text ?? "");
    place.hidden = !text;
    if (field instanceof HTMLInputElement) {
      if (text) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  }

  /** Tell what is wrong on the fields; true if the order may go. */
  check(draft) {
    const { instrument } = this.store;
    const wrong = problems(instrument, draft);
    if (!wrong.quantity && !wrong.price) {
      const short = this.shortOf(draft);
      if (short) wrong.quantity = short;
    }
    this.complain("order", null);
    for (const name of ["price", "quantity"]) this.complain(name, wrong[name] ?? null);
    const first = ["price", "quantity"].find((name) => wrong[name]);
    if (first) this.form.elements[first].focus();
    return !first;
  }

  shortOf(draft) {
    const { instrument } = this.store;
    const asset = draft.side === "buy" ? instrument.quote : instrument.base;
    const free = this.store.balances.get(asset)?.free;
    const quote = this.store.quote();
    const worst = worstPrice(instrument, draft, quote.mark ?? quote.last);
    if (free === undefined || !worst) return null;
    const need = draft.side === "buy" ? hold(instrument, worst, draft.quantity) : draft.quantity;
    if (cmp(need, free) <= 0) return null;
    return `That needs ${number(need, 2)} ${asset} with the fee; ${number(free, 2)} is free. Use Max.`;
  }

  async submit(event) {
    event.preventDefault();
    if (this.sending) return; // a second Enter while the first is on its way
    const draft = this.draft();
    if (this.isEcho(draft)) return;
    if (!this.check(draft)) return;
    const body = { account_id: this.store.account, symbol: this.store.symbol, ...draft };
    if (draft.type === "market") delete body.price;
    this.busy(true);
    try {
      const answer = await post("/api/orders", body, this.key);
      this.key = newKey();
      this.echo = { print: JSON.stringify(draft), at: performance.now() };
      this.toasts.sent(answer.order_id, { ...draft, symbol: this.store.symbol });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.refused(problem);
    } finally {
      this.busy(false);
    }
  }

  /** The same order again, sooner than anybody can want it: a key that bounced, a double click. */
  isEcho(draft) {
    return this.echo?.print === JSON.stringify(draft) && performance.now() - this.echo.at < ECHO_MS;
  }

  busy(sending) {
    this.sending = sending;
    $("#submit").setAttribute("aria-disabled", String(sending));
    this.show();
  }

  refused(problem) {
    if (problem.unknown) {
      this.complain("order", "Not known whether it arrived. Press the button again: the same order is never made twice.");
      return;
    }
    let shown = false;
    for (const { pointer = "", detail, code } of problem.errors) {
      const name = POINTERS[pointer.split("/").at(-1)];
      if (!name || !$(`#${name}-error`)) continue;
      this.complain(name, detail || code);
      if (!shown) this.form.elements[name].focus?.();
      shown = true;
    }
    if (!shown) this.complain("order", problem.message);
  }
}

function groupedInput(text) {
  return /^(0|[1-9]\d*)(\.\d+)?$/.test(text) ? number(text, text.split(".")[1]?.length ?? 0) : text;
}
