/** How numbers, times and words look. The server's orders/pages/filters.py prints the same. */

import { canonical, neededPlaces, sign } from "./decimal.js";

const THIN = "\u202f"; // narrow and never broken across lines
const MINUS = "\u2212";

/** Split a decimal into what is bright and the trailing zeros that are dimmed. Text only: it is hot. */
export function parts(text, places = 0, signed = false) {
  const negative = text.startsWith("-");
  const [whole, fraction = ""] = (negative ? text.slice(1) : text).split(".");
  const kept = fraction.replace(/0+$/, "");
  const zeros = "0".repeat(Math.max(0, places - kept.length));
  const isZero = !kept && whole === "0";
  const lead = isZero ? "" : negative ? MINUS : signed ? "+" : "";
  const grouped = whole.length > 3 ? whole.replace(/\B(?=(\d{3})+$)/g, THIN) : whole;
  if (kept) return { main: `${lead}${grouped}.${kept}`, zeros };
  return { main: lead + grouped, zeros: zeros && `.${zeros}` };
}

/** Return a decimal as plain text, grouped: for labels, titles and toasts. */
export function number(text, places = 0, signed = false) {
  const { main, zeros } = parts(text, places, signed);
  return main + zeros;
}

/** Write a decimal into an element; does nothing when it shows it already. */
export function setNumber(element, text, places = 0, signed = false) {
  if (!element) return;
  const key = `${text}|${places}|${signed}`;
  if (element.shown === key) return;
  element.shown = key;
  if (text === null || text === undefined || text === "") {
    element.replaceChildren("–");
    return;
  }
  const { main, zeros } = parts(text, places, signed);
  const [bright, dim] = numberNodes(element);
  if (bright.data !== main) bright.data = main;
  if (dim.data !== zeros) dim.data = zeros;
}

/** Return an element's two text nodes, bright and dimmed: changing their text costs no new style. */
function numberNodes(element) {
  if (element.childNodes.length !== 2 || element.lastChild.className !== "z") {
    const dim = document.createElement("span");
    dim.className = "z";
    dim.append("");
    element.replaceChildren("", dim);
  }
  return [element.firstChild, element.lastChild.firstChild];
}

/** Mark an element as up, down or flat: a class for the colour, an arrow or sign stands in the text. */
export function setTone(element, text) {
  if (!element) return;
  const tone = text ? sign(text) : 0;
  element.classList.toggle("up", tone > 0);
  element.classList.toggle("down", tone < 0);
}

/** Return "12:04:05" of an ISO time (UTC, as everywhere on the page). */
export function clock(iso) {
  return iso ? iso.slice(11, 19) : "–";
}

/** Return "21 Nov 12:04:05" of an ISO time. */
export function stamp(iso) {
  const months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const month = Number(iso.slice(5, 7)) - 1;
  return `${iso.slice(8, 10)} ${months.slice(month * 3, month * 3 + 3)} ${clock(iso)}`;
}

/** Return a rate like "0.001" as "0.1 %". */
export function percent(rate) {
  const [whole, fraction = ""] = rate.split(".");
  const digits = fraction.padEnd(2, "0");
  const text = canonical(`${whole}${digits.slice(0, 2)}`.replace(/^0+(?=\d)/, "") + (digits.slice(2) ? `.${digits.slice(2)}` : ""));
  return `${text}${THIN}%`;
}

/** Return the decimals prices and sizes of an instrument are shown with. */
export function placesFor(instrument) {
  return { price: neededPlaces(instrument.tick_size), size: neededPlaces(instrument.lot_size) };
}

export const SIDE = { buy: "Buy", sell: "Sell" };
export const STATUS = {
  NEW: "New",
  TRIGGER_PENDING: "Waiting",
  ACCEPTED: "Open",
  PARTIALLY_FILLED: "Partly filled",
  PENDING_CANCEL: "Canceling",
  FILLED: "Filled",
  CANCELED: "Canceled",
  EXPIRED: "Expired",
  REJECTED: "Rejected",
};
export const OPEN = new Set(["NEW", "TRIGGER_PENDING", "ACCEPTED", "PARTIALLY_FILLED", "PENDING_CANCEL"]);

const TYPE = { limit: "Limit", market: "Market", stop: "Stop", stop_limit: "Stop limit", take_profit: "Take profit", take_profit_limit: "TP limit", trailing_stop: "Trailing" };

/** Return "Limit", "Stop 60 000.00", "Trailing 50 bp": a type, and what it waits for. */
export function kindWords(order, places) {
  if (order.trail_bps) return `${TYPE[order.type]} ${order.trail_bps} bp`;
  const waits = order.trail_amount ?? order.stop_price;
  return waits ? `${TYPE[order.type]} ${number(waits, places)}` : (TYPE[order.type] ?? order.type);
}

/** Return "1 order", "12 orders". */
export function counted(count, what) {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** Return a code like "insufficient_balance" as words. */
export function words(code) {
  return code ? code.replaceAll("_", " ") : "";
}
