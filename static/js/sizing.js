/** What an order is worth, what it holds and how much one can afford. Pure: no page, no network. */

import { add, cmp, divDown, floorTo, isDecimal, isMultiple, mul, nearest, neededPlaces, roundDown, roundUp, sign, sub } from "./decimal.js";
import { number, placesFor } from "./format.js";

const SCALE = 8; // decimals of an asset's smallest unit
const MARKET_CAP = "0.05"; // how far through the mark a market order may trade, unless told
const MOVE = "0.002"; // how far the mark may move while a market order of the largest size is on its way
const LEVELS_MAX = 200;
const FAR = "0.02"; // a limit this far through the other side is asked about: a slip of the finger
const SLIP = "0.01"; // so is a market order this much worse than the best price

export const PRICED = new Set(["limit", "stop_limit", "take_profit_limit"]); // types with a limit price
export const STOPPED = new Set(["stop", "stop_limit", "take_profit", "take_profit_limit"]); // and with a trigger

/** Return the price an order is sized by: its limit, its trigger, or the market's own. */
function reference({ type, price, stop_price: stop }, market) {
  if (PRICED.has(type)) return price;
  return STOPPED.has(type) ? stop : market;
}

/** Return the worst price an order may trade at: its limit, or the cap beyond its trigger or the mark. */
export function worstPrice(instrument, draft, market) {
  const { side, type } = draft;
  if (PRICED.has(type)) return isDecimal(draft.price) ? draft.price : null;
  const mark = reference(draft, market);
  if (!isDecimal(mark ?? "") || cmp(mark, "0") === 0) return null;
  const cap = instrument.market_cap ?? MARKET_CAP;
  const factor = side === "buy" ? add("1", cap) : sub("1", cap);
  const places = neededPlaces(instrument.tick_size);
  const worst = floorTo(mul(mark, factor), instrument.tick_size);
  const cut = cmp(worst, mul(mark, factor)) < 0;
  return side === "sell" && cut ? add(worst, instrument.tick_size) : roundUp(worst, places);
}

/** Tell whether a limit order would trade at once against the best bid and ask. */
export function crosses({ side, type, price }, { bid, ask }) {
  if (type === "market") return true;
  if (type !== "limit" || !isDecimal(price)) return false;
  const other = side === "buy" ? ask : bid;
  return Boolean(other) && (side === "buy" ? cmp(price, other) >= 0 : cmp(price, other) <= 0);
}

/** Walk levels [{price, size}] for quantity, not beyond limit: {value, left, levels used}. */
function sweep(levels, quantity, side, limit) {
  let [left, value, worst] = [quantity, "0", null];
  for (const { price, size } of levels) {
    if (cmp(left, "0") === 0) break;
    if (limit && (side === "buy" ? cmp(price, limit) > 0 : cmp(price, limit) < 0)) break;
    const taken = cmp(size, left) < 0 ? size : left;
    value = add(value, mul(price, taken));
    left = sub(left, taken);
    worst = price;
  }
  return { value, left, worst };
}

/**
 * Return {value, fee, taker, total, price, worst, left} of an order, or null while it is not complete.
 *
 * What fills at once is valued by walking the book, the rest at its limit (or at the last level);
 * price: the average; left: what the book that is known cannot fill.
 */
export function estimate(instrument, draft, quote, book = null) {
  const { side, type, quantity } = draft;
  if (!isDecimal(quantity) || cmp(quantity, "0") === 0) return null;
  const touch = side === "buy" ? quote.ask : quote.bid;
  const limit = type === "market" ? null : reference(draft, touch);
  if (!isDecimal(limit ?? touch ?? "")) return null;
  const taker = crosses(draft, quote);
  const levels = taker && book?.seq ? book.levels(side === "buy" ? "asks" : "bids", LEVELS_MAX) : [];
  const { value: swept, left, worst } = sweep(levels, quantity, side, limit);
  const value = add(swept, mul(left, limit ?? worst ?? touch));
  const takes = taker || !PRICED.has(type);
  const fee = roundUp(mul(value, takes ? instrument.taker_fee : instrument.maker_fee), SCALE);
  const total = side === "buy" ? add(value, fee) : sub(value, fee);
  return { value, fee, taker: takes, total, price: divDown(value, quantity, SCALE), worst: worst ?? touch, left, known: levels.length > 0 };
}

/** Return the figures as they are shown: each rounded once, and the total is their sum. */
export function bill({ value, fee }, side) {
  const shown = { value: side === "buy" ? roundUp(value, 2) : roundDown(value, 2), fee: roundUp(fee, 2) };
  return { ...shown, total: side === "buy" ? add(shown.value, shown.fee) : sub(shown.value, shown.fee) };
}

/** Return what the engine will lock for a buy of quantity at the worst price. */
export function hold(instrument, worst, quantity) {
  const value = mul(worst, quantity);
  return add(value, roundUp(mul(value, instrument.taker_fee), SCALE));
}

/** Return the largest quantity the free balance pays for, fee included (a buy). */
export function affordable(instrument, draft, { free, mark }) {
  const worst = worstPrice(instrument, draft, mark);
  if (!worst || cmp(worst, "0") <= 0) return null;
  const cost = mul(worst, add("1", instrument.taker_fee));
  let quantity = floorTo(divDown(free, cost, 12), instrument.lot_size);
  while (cmp(quantity, "0") > 0 && cmp(hold(instrument, worst, quantity), free) > 0) {
    quantity = sub(quantity, instrument.lot_size);
  }
  return quantity;
}

/**
 * Return {quantity, by, words}: the most that may be sent, and what limits it. Null without a price.
 *
 * means: {asset, free, mark, orderValueMax, position, reduceOnly}; the engine's own rules, in its order.
 */
export function capacity(instrument, draft, means) {
  const { base, quote, lot_size: lot, quantity_max: largest, notional_max: dearest } = instrument;
  const price = reference(draft, means.mark);
  if (!isDecimal(price ?? "") || cmp(price, "0") === 0) return null;
  const worst = worstPrice(instrument, draft, means.mark);
  const valued = PRICED.has(draft.type) || cmp(worst, price) > 0 ? worst : price;
  const paid = draft.side === "buy" ? affordable(instrument, draft, means) : floorTo(means.free, lot);
  const extra = draft.side === "buy" ? `, fee${PRICED.has(draft.type) ? "" : " and slippage"} included` : "";
  const limits = [{ quantity: paid, by: "free", words: `limited by the free ${means.asset}${extra}` }];
  const upTo = (most, at) => floorTo(divDown(most, at, 12), lot);
  if (means.reduceOnly) limits.push({ quantity: reducible(draft.side, means.position), by: "reduce", words: "the account may only reduce its position" });
  if (isSet(largest)) limits.push({ quantity: floorTo(largest, lot), by: "quantity_max", words: `the largest quantity is ${number(largest)} ${base}` });
  if (isSet(dearest)) limits.push({ quantity: upTo(dearest, price), by: "notional_max", words: `the largest order is ${number(dearest)} ${quote}` });
  if (isSet(means.orderValueMax)) {
    const words = `the account's largest order is ${number(means.orderValueMax)} ${quote}`;
    limits.push({ quantity: upTo(means.orderValueMax, valued), by: "order_value", words });
  }
  return limits.reduce((least, one) => (cmp(one.quantity, least.quantity) < 0 ? one : least));
}

/** Return the means to size an order by that is sent a moment later: a market order is held at the mark of then. */
export function withRoom(means, { type }) {
  return type === "market" && means.mark ? { ...means, mark: mul(means.mark, add("1", MOVE)) } : means;
}

function isSet(limit) {
  return Boolean(limit) && cmp(limit, "0") > 0;
}

/** Return how much an order of that side may still take off a position. */
function reducible(side, position) {
  const against = side === "sell" ? sign(position) > 0 : sign(position) < 0;
  return against ? position.replace("-", "") : "0";
}

/** Return {quantity, words}: that share (percent) of what is free, cut to what may be sent. */
export function sized(instrument, draft, means, share) {
  const most = capacity(instrument, draft, means);
  if (most === null) return null;
  const part = divDown(mul(means.free, share), "100", SCALE);
  const price = reference(draft, means.touch ?? means.mark);
  const cost = mul(price, add("1", instrument.taker_fee));
  const wanted = draft.side === "sell" ? floorTo(part, instrument.lot_size) : floorTo(divDown(part, cost, 12), instrument.lot_size);
  return cmp(wanted, most.quantity) > 0 ? most : { quantity: wanted, by: "share", words: "" };
}

/** Return what to ask before an order like this is sent: sentences, none for an ordinary one. */
export function questions(instrument, draft, quote, book, stale) {
  const asked = [];
  const { side, type, price } = draft;
  const places = placesFor(instrument);
  const touch = side === "buy" ? quote.ask : quote.bid;
  const [best, beyond] = side === "buy" ? ["ask", "above"] : ["bid", "below"];
  const away = (at) => percents(divDown(mul(side === "buy" ? sub(at, touch) : sub(touch, at), "100"), touch, 1));
  if (stale && crosses(draft, quote)) asked.push("The prices on this page are old: nobody knows what this fills at.");
  if (!touch) return asked;
  const far = mul(touch, side === "buy" ? add("1", FAR) : sub("1", FAR));
  if (type === "limit" && (side === "buy" ? cmp(price, far) > 0 : cmp(price, far) < 0)) {
    asked.push(`${number(price, places.price)} is ${away(price)} ${beyond} the best ${best} of ${number(touch, places.price)}: it fills at once, as far as the book goes.`);
  }
  const found = estimate(instrument, draft, quote, book);
  if (type !== "market" || !found?.known) return asked;
  if (cmp(found.left, "0") > 0) {
    asked.push(`The book shows only ${number(sub(draft.quantity, found.left), places.size)} ${instrument.base}: the rest fills at unknown prices or is canceled.`);
  } else if (side === "buy" ? cmp(found.price, mul(touch, add("1", SLIP))) > 0 : cmp(found.price, mul(touch, sub("1", SLIP))) < 0) {
    asked.push(`The book is thin: it fills at ${number(roundDown(found.price, places.price), places.price)} on average, ${away(found.price)} worse than the best ${best}.`);
  }
  return asked;
}

function percents(text) {
  return `${number(text)}\u202f%`;
}

function stepError(text, step, name, places) {
  if (!text) return `Enter a ${name}.`;
  if (text.includes(",")) return "Use a point for decimals, no commas.";
  if (/^[\d.]*e[+-]?\d+$/i.test(text)) return "Write all digits, no exponent.";
  if (/^-/.test(text)) return `Enter a ${name} above zero.`;
  if (/^0\d/.test(text)) return `Leave out the zero in front: ${text.replace(/^0+(?=\d)/, "")}.`;
  if (/^\d{19,}/.test(text)) return `That ${name} is too large.`;
  if (!isDecimal(text)) return `A ${name} is written like ${example(step)}.`;
  if (cmp(text, "0") === 0) return `Enter a ${name} above zero.`;
  if (isMultiple(text, step)) return null;
  const near = nearest(text, step);
  const best = cmp(near, "0") > 0 ? near : step;
  const title = name[0].toUpperCase() + name.slice(1);
  return `${title} must be a multiple of ${step}; nearest ${number(best, places)}.`;
}

/** Return a number such as one would enter: one step above one. */
function example(step) {
  return cmp(step, "1") < 0 ? add("1", step) : step;
}

/** Return {price?, quantity?}: what is wrong with a draft and what to do about it. */
export function problems(instrument, draft) {
  const places = placesFor(instrument);
  const found = {};
  if (STOPPED.has(draft.type)) {
    const wrong = stepError(draft.stop_price, instrument.tick_size, "trigger price", places.price);
    if (wrong) found.stop_price = wrong;
  }
  if (draft.type === "trailing_stop") {
    const step = draft.trail_in === "bps" ? "1" : instrument.tick_size;
    const wrong = stepError(draft.trail_amount, step, "distance", draft.trail_in === "bps" ? 0 : places.price);
    if (wrong) found.trail_amount = wrong;
  }
  if (PRICED.has(draft.type)) {
    const wrong = stepError(draft.price, instrument.tick_size, "price", places.price);
    if (wrong) found.price = wrong;
  }
  const wrong = stepError(draft.quantity, instrument.lot_size, "quantity", places.size);
  if (wrong) found.quantity = wrong;
  else found.quantity = quantityError(instrument, draft, places, found.price);
  if (!found.quantity) delete found.quantity;
  return found;
}

function quantityError(instrument, draft, places, priceIsWrong) {
  const { quantity_min: least, quantity_max: most } = instrument;
  if (least && cmp(draft.quantity, least) < 0) return `Smallest quantity is ${number(least, places.size)} ${instrument.base}.`;
  if (most && cmp(most, "0") > 0 && cmp(draft.quantity, most) > 0) return `Largest quantity is ${number(most)} ${instrument.base}.`;
  if (!PRICED.has(draft.type) || priceIsWrong) return null;
  return notionalError(instrument, draft);
}

function notionalError(instrument, draft) {
  const value = mul(draft.price, draft.quantity);
  const { notional_min: least, notional_max: most, quote } = instrument;
  if (least && cmp(value, least) < 0) {
    const need = floorTo(divDown(least, draft.price, 12), instrument.lot_size);
    const enough = cmp(mul(need, draft.price), least) < 0 ? add(need, instrument.lot_size) : need;
    return `An order is worth at least ${number(least)} ${quote}: enter ${number(enough)} or more.`;
  }
  if (most && cmp(most, "0") > 0 && cmp(value, most) > 0) {
    const room = floorTo(divDown(most, draft.price, 12), instrument.lot_size);
    return `An order is worth at most ${number(most)} ${quote}: enter ${number(room)} or less.`;
  }
  return null;
}

/** Return text moved by count steps, never below one step. */
export function stepped(text, step, count) {
  const from = isDecimal(text) ? nearest(text, step) : "0";
  const moved = add(from, mul(step, String(Math.abs(count))));
  const next = count > 0 ? moved : sub(from, mul(step, String(-count)));
  return cmp(next, step) < 0 ? floorTo(step, step) : floorTo(next, step);
}

