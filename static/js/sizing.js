/** What an order is worth, what it holds and how much one can afford. Pure: no page, no network. */

import { add, cmp, divDown, floorTo, isDecimal, isMultiple, mul, nearest, neededPlaces, roundUp, sub } from "./decimal.js";
import { number, placesFor } from "./format.js";

export const SCALE = 8; // decimals of an asset's smallest unit
const MARKET_CAP = "0.05"; // how far through the mark a market order may trade, unless told

/** Return the worst price an order may trade at: its limit, or the cap of a market order. */
export function worstPrice(instrument, { side, type, price }, mark) {
  if (type === "limit") return isDecimal(price) ? price : null;
  if (!mark) return null;
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
  if (!isDecimal(price)) return false;
  const other = side === "buy" ? ask : bid;
  return Boolean(other) && (side === "buy" ? cmp(price, other) >= 0 : cmp(price, other) <= 0);
}

/** Return {value, fee, rate, total} of an order, or null while it is not complete. */
export function estimate(instrument, draft, quote) {
  const touch = draft.side === "buy" ? quote.ask : quote.bid;
  const price = draft.type === "limit" ? draft.price : touch;
  if (!price || !isDecimal(price) || !isDecimal(draft.quantity)) return null;
  const taker = crosses(draft, quote);
  const rate = taker ? instrument.taker_fee : instrument.maker_fee;
  const value = mul(price, draft.quantity);
  const fee = roundUp(mul(value, rate), SCALE);
  const total = draft.side === "buy" ? add(value, fee) : sub(value, fee);
  return { value, fee, rate, taker, total };
}

/** Return what the engine will lock for a buy of quantity at the worst price. */
export function hold(instrument, worst, quantity) {
  const value = mul(worst, quantity);
  return add(value, roundUp(mul(value, instrument.taker_fee), SCALE));
}

/** Return the largest quantity that share (in percent) of the free balance pays for, fee included. */
export function affordable(instrument, draft, { free, mark, share }) {
  const part = divDown(mul(free, String(share)), "100", SCALE);
  if (draft.side === "sell") return floorTo(part, instrument.lot_size);
  const worst = worstPrice(instrument, draft, mark);
  if (!worst || cmp(worst, "0") <= 0) return null;
  const cost = mul(worst, add("1", instrument.taker_fee));
  let quantity = floorTo(divDown(part, cost, 12), instrument.lot_size);
  while (cmp(quantity, "0") > 0 && cmp(hold(instrument, worst, quantity), part) > 0) {
    quantity = sub(quantity, instrument.lot_size);
  }
  return quantity;
}

function stepError(text, step, name, places) {
  if (!text) return `Enter a ${name}.`;
  if (text.includes(",")) return "Use a point for decimals, no commas.";
  if (!isDecimal(text) || cmp(text, "0") === 0) return `Enter a ${name} above zero, like ${step}.`;
  if (isMultiple(text, step)) return null;
  const near = nearest(text, step);
  const best = cmp(near, "0") > 0 ? near : step;
  const title = name[0].toUpperCase() + name.slice(1);
  return `${title} must be a multiple of ${step}; nearest ${number(best, places)}.`;
}

/** Return {price?, quantity?}: what is wrong with a draft and what to do about it. */
export function problems(instrument, draft) {
  const places = placesFor(instrument);
  const found = {};
  if (draft.type === "limit") {
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
  if (draft.type !== "limit" || priceIsWrong) return null;
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

