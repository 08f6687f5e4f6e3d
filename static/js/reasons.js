/** What a refusal means in plain words, with the numbers. The server knows the texts (orders/pages/reasons.py). */

import { roundDown, roundUp } from "./decimal.js";
import { boot } from "./dom.js";
import { number, percent, placesFor, words } from "./format.js";

/** What the instrument's own filters say about a refusal: "largest 100 BTC". */
const LIMITS = {
  quantity_min: (one) => one.quantity_min && `smallest ${number(one.quantity_min)} ${one.base}`,
  quantity_max: (one) => one.quantity_max && `largest ${number(one.quantity_max)} ${one.base}`,
  min_notional: (one) => one.notional_min && `at least ${number(one.notional_min)} ${one.quote}`,
  max_notional: (one) => one.notional_max && `at most ${number(one.notional_max)} ${one.quote}`,
  price_collar: (one) => one.price_collar && `at most ${percent(one.price_collar)} away`,
  max_order_value: (one, limits) => limits.max_order_value && `at most ${number(limits.max_order_value)} ${one.quote}`,
  max_open_orders: (one, limits) => limits.max_open_orders && `at most ${limits.max_open_orders}`,
};

/** Return a sentence for a code; order: names the instrument; limits: the account's. */
export function reason(code, order = null, limits = {}) {
  if (!code) return "";
  const instrument = order && boot().instruments?.find((one) => one.symbol === order.symbol);
  if (order?.refusal?.reason === code) return `${sentence(code)} ${measured(order.refusal, instrument)}`;
  const numbers = instrument ? LIMITS[code]?.(instrument, limits) : "";
  return numbers ? `${sentence(code).replace(/\.$/, "")} (${numbers}).` : sentence(code);
}

/** Return what the rule measured and what it allows, money in cents: what is asked up, what is allowed down. */
function measured({ measured: found, limit, unit }, instrument) {
  const isMoney = unit === instrument?.quote;
  const [is, most] = isMoney ? [roundUp(found, 2), roundDown(limit, 2)] : [found, limit];
  return `It is ${number(is)} ${unit}; the limit is ${number(most)} ${unit}.`;
}

function sentence(code) {
  const known = boot().reasons?.[code];
  if (known) return known;
  const text = words(code);
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

/** Return "Buy 0.5 BTC-USD @ 64 000.00". */
export function describe({ side, quantity, symbol, price }) {
  const instrument = boot().instruments.find((one) => one.symbol === symbol);
  const places = instrument ? placesFor(instrument).price : 0;
  const at = !price ? "at market" : `@ ${number(price, places)}`;
  return `${side === "buy" ? "Buy" : "Sell"} ${number(quantity)} ${symbol} ${at}`;
}

/** Return what an answer that is not a success says, for a person: no pointers, no codes. */
export function explain(problem) {
  const told = problem.errors.map(({ detail, code }) => boot().reasons?.[code] ?? (detail || sentence(code)));
  return told.length ? told.join(" ") : problem.message;
}
