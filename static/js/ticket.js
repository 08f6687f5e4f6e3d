/**
 * The order ticket: a draft, what it costs, and sending it once.
 *
 * Rules of this file: one press is one order. A held key sends nothing (ask.js), and an order that was taken
 * disarms the ticket: the draft stays, but it has to be touched before it can be sent again.
 */

import { Problem, newKey, post } from "./api.js";
import { ask } from "./ask.js";
import { cmp, floorTo, roundDown, roundUp } from "./decimal.js";
import { $, $$, setText } from "./dom.js";
import { SIDE, number, percent, placesFor, setNumber } from "./format.js";
import { explain } from "./reasons.js";
import { standing } from "./standing.js";
import { PRICED, STOPPED, bill, capacity, estimate, hold, problems, questions, sized, stepped, withRoom, worstPrice } from "./sizing.js";

const FIELDS = ["stop_price", "trail_amount", "price", "quantity", "time_in_force", "expires_at", "order"];
const POINTED = FIELDS.filter((name) => name !== "order");
const KEPT = ["side", "type", "time_in_force", "price", "quantity", "expires_at", "stop_price", "trail_amount", "trail_in"];
const CHECKED = ["stop_price", "trail_amount", "price", "quantity", "expires_at"];
const RESTING = new Set(["gtc", "day", "gtd"]);
const HOUR_MS = 3_600_000;

export class Ticket {
  constructor(store, { book, receipt, memory }) {
    this.store = store;
    this.book = book;
    this.receipt = receipt;
    this.memory = memory;
    this.form = $("#ticket-form");
    if (!this.form) return;
    this.places = placesFor(store.instrument);
    this.key = newKey();
    this.sending = false;
    this.armed = true;
    this.form.noValidate = true;
    this.form.addEventListener("submit", (event) => this.submit(event));
    this.form.addEventListener("input", (event) => this.edited(event.target));
    this.form.addEventListener("keydown", (event) => this.keyed(event));
    for (const button of $$("[data-share]", this.form)) {
      button.addEventListener("click", () => this.share(button.dataset.share));
    }
    this.chips = $$("[data-quote-price]", this.form);
    for (const chip of this.chips) {
      chip.addEventListener("pointerdown", () => (this.aimed = chip.price));
      chip.addEventListener("click", (event) => this.quoted(event.detail ? this.aimed : chip.price));
    }
    this.restore();
    store.on(["ticker", "book", "balances", "account", "positions"], () => this.show());
    this.show();
  }

  // ---------------------------------------------------------------- the draft
  draft() {
    const fields = new FormData(this.form);
    const clean = (name) => ungrouped(String(fields.get(name) ?? "").replace(/[\s\u2009\u202f]/g, ""));
    const draft = {
      side: fields.get("side"),
      type: fields.get("type"),
      time_in_force: fields.get("time_in_force"),
      quantity: clean("quantity"),
      price: clean("price"),
    };
    const ends = fields.get("expires_at");
    if (STOPPED.has(draft.type)) draft.stop_price = clean("stop_price");
    if (draft.type === "trailing_stop") Object.assign(draft, { trail_amount: clean("trail_amount"), trail_in: fields.get("trail_in") });
    return draft.time_in_force === "gtd" ? { ...draft, expires_at: ends && iso(ends) } : draft;
  }

  /** Bring back the draft of this tab. What was sent already stays disarmed. */
  restore() {
    const { elements } = this.form;
    const asked = new URLSearchParams(location.search);
    if (!asked.has("price") && !elements.price.hasAttribute("aria-invalid")) elements.price.value = "";
    if (asked.size) history.replaceState(null, "", location.pathname + location.hash); // a reload begins nothing
    const kept = this.memory.get("draft");
    if (!kept || asked.has("price")) return;
    for (const name of KEPT) if (kept.draft[name] !== undefined) elements[name].value = kept.draft[name];
    elements.expires_at.value = local(kept.draft.expires_at ?? "");
    this.armed = kept.armed;
    this.key = kept.key ?? this.key; // what may have arrived before a reload is sent under its own key
  }

  keep() {
    const draft = this.draft();
    this.memory.set("draft", { draft: Object.fromEntries(KEPT.map((name) => [name, draft[name]])), armed: this.armed, key: this.key });
  }

  /** A changed order is another order: it gets a key of its own, and may be sent. */
  edited(field) {
    this.key = newKey();
    this.armed = true;
    if (field?.name) this.complain(field.name, null);
    if (field?.name === "type" || field?.name === "side") this.complainNothing();
    this.say("");
    this.complain("order", null);
    this.show();
    this.keep();
  }

  /** A market order never rests, so it is IOC or FOK; others rest again as they did, and what waits for a price
   * to be sent at the market must rest. A GTD order has an end. */
  matchTimeInForce() {
    const { type, time_in_force: tif } = this.draft();
    const pick = (value) => ($(`input[name=time_in_force][value=${value}]`, this.form).checked = true);
    if (type === "market" && RESTING.has(tif)) {
      pick("ioc");
      this.rested = tif;
    } else if (type !== "market" && (this.rested || (!PRICED.has(type) && !RESTING.has(tif)))) {
      pick(this.rested || "gtc");
      this.rested = "";
    }
    const { expires_at: ends, time_in_force: chosen } = this.form.elements;
    const turned = chosen.value !== this.lasts; // an end that was cleared by hand stays empty
    this.lasts = chosen.value;
    if (turned && this.lasts === "gtd" && !ends.value) ends.value = local(new Date(Date.now() + HOUR_MS).toISOString());
  }

  /** Put in a price from the book and go to the quantity; say so when that turns the side. */
  fill({ side, type, price }) {
    if (!this.form) return;
    const { elements } = this.form;
    const turned = side && elements.side.value !== side;
    if (side) elements.side.value = side;
    if (type) elements.type.value = type;
    if (price) elements.price.value = price;
    this.complainNothing();
    this.edited();
    if (turned) this.say(`The side is now ${SIDE[side]}: that price is ${side === "sell" ? "a bid" : "an ask"}.`);
    elements.quantity.focus({ preventScroll: true });
    elements.quantity.select();
  }

  focus(side) {
    if (this.form) this.fill({ side });
  }

  /** The price that stood on the chip when it was pressed. */
  quoted(price) {
    if (!price) return;
    this.form.elements.price.value = price;
    this.edited(this.form.elements.price);
  }

  quote() {
    return this.store.quote();
  }

  keyed(event) {
    const { tick_size: tick, lot_size: lot } = this.store.instrument;
    const step = { price: tick, stop_price: tick, quantity: lot }[event.target.name];
    const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!step || !way) return;
    event.preventDefault();
    event.target.value = stepped(event.target.value.trim(), step, way * (event.shiftKey ? 10 : 1));
    this.edited(event.target);
  }

  // ---------------------------------------------------------------- sizes
  /** What there is to spend, and everything that limits an order. */
  means(draft) {
    const { instrument, balances, limits, positions } = this.store;
    const asset = draft.side === "buy" ? instrument.quote : instrument.base;
    const quote = this.quote();
    return {
      asset,
      free: balances.get(asset)?.free ?? "0",
      mark: quote.mark ?? quote.last,
      touch: draft.side === "buy" ? quote.ask : quote.bid,
      orderValueMax: limits.max_order_value ?? null,
      position: positions.get(instrument.symbol)?.quantity ?? "0",
      reduceOnly: this.store.accountState === "REDUCE_ONLY",
    };
  }

  share(share) {
    const draft = this.draft();
    const { instrument } = this.store;
    const means = withRoom(this.means(draft), draft);
    const found = share === "100" ? capacity(instrument, draft, means) : sized(instrument, draft, means, share);
    if (found === null) {
      const name = PRICED.has(draft.type) ? "price" : STOPPED.has(draft.type) ? "stop_price" : "order";
      this.complain(name, name !== "order" ? "Enter a price first: the size depends on it." : "There is no price to size it by yet.");
      return;
    }
    if (cmp(found.quantity, "0") === 0) {
      this.complain("quantity", `Nothing to ${draft.side}: ${found.words}.`);
      return;
    }
    this.form.elements.quantity.value = found.quantity;
    this.edited(this.form.elements.quantity);
    if (found.words) this.say(`${share === "100" ? "Max" : `${share}\u202f%`} is limited by ${found.words}.`);
  }

  // ---------------------------------------------------------------- what is shown
  show() {
    this.matchTimeInForce();
    const draft = this.draft();
    const { instrument } = this.store;
    const means = this.means(draft);
    const places = draft.side === "buy" ? 2 : this.places.size;
    setNumber($("#available"), roundDown(means.free, places), places);
    setText($("#available-asset"), means.asset);
    const totals = estimate(instrument, draft, this.quote(), this.book);
    setText($("#market-price"), totals?.price && draft.type === "market" ? `about ${number(roundDown(totals.price, this.places.price), this.places.price)}` : means.touch ? `from ${number(means.touch, this.places.price)}` : "no price yet");
    this.showChips();
    this.showTotals(draft, totals);
    this.showButton(draft);
  }

  showChips() {
    const quote = this.quote();
    for (const chip of this.chips) {
      const { quotePrice: name } = chip.dataset;
      const words = { bid: "Bid", mark: "Mid", ask: "Ask" }[name];
      chip.price = quote[name] && floorTo(quote[name], this.store.instrument.tick_size);
      const text = chip.price ? number(chip.price, this.places.price) : words;
      setText(chip, name === "mark" ? words : text);
      const label = chip.price ? `${words} ${text}` : `${words}: no price yet`;
      if (chip.getAttribute("aria-label") !== label) chip.setAttribute("aria-label", label);
    }
  }

  showTotals(draft, totals) {
    const shown = totals && bill(totals, draft.side);
    for (const name of ["value", "fee", "total"]) setNumber($(`#order-${name}`), shown?.[name] ?? null, 2);
    const { maker_fee: maker, taker_fee: taker } = this.store.instrument;
    const kind = (totals?.taker ?? draft.type === "market") ? "taker" : "maker";
    setText($("#fee-label"), `Fee (${kind} ${percent(kind === "taker" ? taker : maker)})`);
    setText($("#total-label"), draft.side === "buy" ? "Total cost" : "You receive");
    setText($("#crosses"), totals?.taker && draft.type === "limit" ? "Crosses the spread: fills at once, as taker." : "");
  }

  /** The button is neutral until the order may go, and says what it would do. */
  showButton(draft) {
    const button = $("#submit");
    const block = standing(this.store);
    const wrong = problems(this.store.instrument, draft);
    const ready = this.armed && !this.sending && !block && !Object.keys(wrong).length;
    button.dataset.side = ready ? draft.side : "";
    button.setAttribute("aria-disabled", String(this.sending || !this.armed || Boolean(block)));
    setText($("#submit-label"), this.label(draft, wrong, block));
    const where = $("#submit-account");
    if (where) where.hidden = !ready;
    $("#ticket-blocked").hidden = !block;
    setText($("#ticket-blocked"), block);
  }

  label(draft, wrong, block) {
    if (this.sending) return "Sending…";
    if (block) return "New orders are refused";
    if (!this.armed) return "Sent. Change it to send another";
    const { base } = this.store.instrument;
    const { side, type, quantity, price } = draft;
    if (!quantity) return `${SIDE[side]} ${base}: enter a quantity`;
    if (PRICED.has(type) && !price) return `${SIDE[side]} ${base}: enter a price`;
    const at = PRICED.has(type) ? `@ ${groupedInput(price)}` : "at market";
    const when = draft.stop_price ? ` when ${groupedInput(draft.stop_price)}` : type === "trailing_stop" && draft.trail_amount ? `, trailing ${groupedInput(draft.trail_amount)}${draft.trail_in === "bps" ? " bp" : ""}` : "";
    return `${SIDE[side]} ${groupedInput(quantity)} ${base} ${at}${when}`;
  }

  say(text) {
    setText($("#ticket-note"), text);
  }

  complainNothing() {
    for (const name of FIELDS) this.complain(name, null);
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

  // ---------------------------------------------------------------- sending
  /** Tell what is wrong on the fields; true if the order may go. */
  check(draft) {
    const { instrument } = this.store;
    const wrong = problems(instrument, draft);
    if (!Object.keys(wrong).length) {
      const short = this.shortOf(draft);
      if (short) wrong.quantity = short;
    }
    this.complain("order", null);
    if (draft.time_in_force === "gtd" && !draft.expires_at) wrong.expires_at = "Enter when it ends.";
    for (const name of CHECKED) this.complain(name, wrong[name] ?? null);
    const first = CHECKED.find((name) => wrong[name]);
    if (first) this.form.elements[first].focus();
    return !first;
  }

  /** Return why the account cannot pay for it or may not have it, or null. */
  shortOf(draft) {
    const { instrument } = this.store;
    const means = this.means(draft);
    const most = capacity(instrument, draft, means);
    if (most === null || cmp(draft.quantity, most.quantity) <= 0) return null;
    const enough = cmp(most.quantity, "0") > 0 ? `At most ${number(most.quantity, this.places.size)} ${instrument.base}` : `Nothing to ${draft.side}`;
    return `${enough}: ${most.words}${this.need(draft, means, most)}.`;
  }

  need(draft, means, { by }) {
    if (by !== "free") return "";
    const { instrument } = this.store;
    const worst = worstPrice(instrument, draft, means.mark);
    const free = number(roundDown(means.free, draft.side === "buy" ? 2 : this.places.size));
    if (draft.side === "sell") return ` of ${free} ${means.asset}`;
    const cap = draft.type === "market" ? ` and up to ${percent(instrument.market_cap)} of slippage` : "";
    return `; with the fee${cap} this needs ${number(roundUp(hold(instrument, worst, draft.quantity), 2), 2)} of ${free} ${means.asset}`;
  }

  async submit(event) {
    event.preventDefault();
    if (this.sending || this.asking || !this.armed || standing(this.store)) return;
    const draft = this.draft();
    if (!this.check(draft)) return;
    const asked = questions(this.store.instrument, draft, this.quote(), this.book, this.store.stale);
    const key = this.key;
    if (asked.length) {
      this.asking = true; // nothing else is sent while the question stands
      const answer = await ask({ title: "Check this order", lines: asked, answers: { yes: this.label(draft, {}, "") } });
      this.asking = false;
      if (!answer || key !== this.key) return;
    }
    await this.send(draft);
  }

  async send(draft) {
    const { trail_in: unit, ...body } = { account_id: this.store.account, symbol: this.store.symbol, ...draft };
    if (!PRICED.has(draft.type)) delete body.price;
    if (unit === "bps") {
      body.trail_bps = Number(body.trail_amount);
      delete body.trail_amount;
    }
    const key = this.key;
    this.keep();
    this.busy(true);
    this.receipt.expect();
    try {
      const answer = await post("/api/orders", body, key);
      if (key === this.key) {
        this.armed = false;
        this.say("");
      }
      this.receipt.follow(answer.order_id, { ...draft, symbol: this.store.symbol });
      this.keep();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.refused(problem);
    } finally {
      this.receipt.settle();
      this.busy(false);
    }
  }

  busy(sending) {
    this.sending = sending;
    this.show();
  }

  refused(problem) {
    if (problem.unknown) {
      this.complain("order", "Not known whether it arrived. Press the button again: the same order is never made twice.");
      return;
    }
    if (problem.isSignedOut) {
      this.store.signOut();
      return;
    }
    let shown = false;
    for (const { pointer = "", detail, code } of problem.errors) {
      const name = pointer.split("/").at(-1).replace("trail_bps", "trail_amount");
      if (!POINTED.includes(name)) continue;
      this.complain(name, detail || code);
      if (!shown) this.form.elements[name].focus?.();
      shown = true;
    }
    if (!shown) this.complain("order", explain(problem));
  }
}

/** The page speaks UTC, and a field for a time knows no zone: "2026-11-24T18:00" and back. */
function iso(text) {
  return `${text}${text.length === 16 ? ":00" : ""}Z`;
}

function local(text) {
  return text.slice(0, 16);
}

function groupedInput(text) {
  return /^(0|[1-9]\d*)(\.\d+)?$/.test(text) ? number(text, text.split(".")[1]?.length ?? 0) : text;
}

/** "64,000.50" as it is pasted from elsewhere. Without the point a comma could be anything: it stays. */
function ungrouped(text) {
  return /^\d{1,3}(,\d{3})+\.\d+$/.test(text) ? text.replaceAll(",", "") : text;
}
