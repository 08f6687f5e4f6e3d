/**
 * Decimal text as exact numbers: the only file that does arithmetic on prices, sizes and money.
 *
 * Rules of this file: BigInt only, no parseFloat, no rounding unless the name says which way.
 * A decimal is text like "-12.50"; scaled values are BigInts of 10^-places.
 */

const API_DECIMAL = /^(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$/;
const DECIMAL = /^(-?)([0-9]+)(?:\.([0-9]+))?$/; // sums and products may be longer than an input

/** Tell whether text is a decimal the API would take (no sign, exponent, blank, leading zero). */
export function isDecimal(text) {
  return API_DECIMAL.test(text);
}

/** Return how many decimals text shows ("0.010" -> 3). */
function placesOf(text) {
  const dot = text.indexOf(".");
  return dot < 0 ? 0 : text.length - dot - 1;
}

/** Return how many decimals text needs ("0.010" -> 2). */
export function neededPlaces(text) {
  return text.includes(".") ? placesOf(text.replace(/0+$/, "")) : 0;
}

/** Return text × 10^places, exact; null if it needs more decimals. Throws if it is no decimal. */
export function toScaled(text, places) {
  const found = DECIMAL.exec(text);
  if (!found) throw new RangeError(`not a decimal: ${text}`);
  const [, sign, whole, fraction = ""] = found;
  if (neededPlaces(text) > places) return null;
  const digits = BigInt(whole + fraction.slice(0, places).padEnd(places, "0"));
  return sign ? -digits : digits;
}

/** Return a scaled value as text with all its decimals. */
export function fromScaled(value, places) {
  const sign = value < 0n ? "-" : "";
  const digits = (value < 0n ? -value : value).toString().padStart(places + 1, "0");
  if (!places) return sign + digits;
  return `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** Return text without needless zeros, but with at least placesMin decimals. */
export function canonical(text, placesMin = 0) {
  const places = Math.max(neededPlaces(text), placesMin);
  const whole = toScaled(text, Math.max(placesOf(text), places));
  const from = Math.max(placesOf(text), places);
  return fromScaled(whole / 10n ** BigInt(from - places), places);
}

function aligned(a, b) {
  const places = Math.max(placesOf(a), placesOf(b));
  return [toScaled(a, places), toScaled(b, places), places];
}

export function add(a, b) {
  const [x, y, places] = aligned(a, b);
  return fromScaled(x + y, places);
}

export function sub(a, b) {
  const [x, y, places] = aligned(a, b);
  return fromScaled(x - y, places);
}

export function mul(a, b) {
  const places = placesOf(a) + placesOf(b);
  return fromScaled(toScaled(a, placesOf(a)) * toScaled(b, placesOf(b)), places);
}

/** Return -1, 0 or 1 as a is below, equal to or above b. */
export function cmp(a, b) {
  const [x, y] = aligned(a, b);
  return x < y ? -1 : x > y ? 1 : 0;
}

export function sign(a) {
  return cmp(a, "0");
}

export function neg(a) {
  return sub("0", a);
}

/** Return a / b with places decimals, cut towards zero. */
export function divDown(a, b, places) {
  const [x, y] = aligned(a, b);
  if (y === 0n) throw new RangeError("division by zero");
  return fromScaled((x * 10n ** BigInt(places)) / y, places);
}

/** Return a with places decimals, cut towards zero. */
export function roundDown(a, places) {
  return divDown(a, "1", places);
}

/** Return a ≥ 0 with places decimals, rounded up (fees and holds do). */
export function roundUp(a, places) {
  const cut = roundDown(a, places);
  return cmp(cut, a) < 0 ? add(cut, unit(places)) : cut;
}

/** Return the smallest amount with that many decimals: 10^-places. */
export function unit(places) {
  return fromScaled(1n, places);
}

export function isMultiple(a, step) {
  const [x, y] = aligned(a, step);
  return x % y === 0n;
}

/** Return the largest multiple of step that is not above a (a ≥ 0), with the step's decimals. */
export function floorTo(a, step) {
  const [x, y, places] = aligned(a, step);
  return canonical(fromScaled(x - (x % y), places), neededPlaces(step));
}

/** Return the multiple of step nearest to a (a ≥ 0; half goes up). */
export function nearest(a, step) {
  const [x, y, places] = aligned(a, step);
  const low = x - (x % y);
  const value = (x - low) * 2n >= y ? low + y : low;
  return canonical(fromScaled(value, places), neededPlaces(step));
}
