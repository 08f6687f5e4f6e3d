/**
 * The order book of one symbol: a snapshot, then deltas that must follow each other without a gap, and
 * after each a proof that what is held is what the server holds: the CRC32 of the ten best of each side.
 */

import { fromScaled, toScaled } from "./decimal.js";

const PROVEN = 10;

export class Book {
  /** places: {price, size} decimals of the instrument. */
  constructor(places) {
    this.places = places;
    this.seq = null;
    this.mismatches = 0;
    this.sides = { bids: new Map(), asks: new Map() };
  }

  snapshot({ seq, bids, asks }) {
    this.seq = seq;
    this.sides = { bids: new Map(), asks: new Map() };
    this.put("bids", bids);
    this.put("asks", asks);
  }

  /** Apply a delta. Returns false when the book is not the server's any more: ask for a snapshot. */
  delta({ seq, prev_seq: previous, bids, asks, checksum }) {
    if (this.seq === null) return false;
    if (seq <= this.seq) return true;
    if (previous !== this.seq) {
      this.seq = null;
      return false;
    }
    this.seq = seq;
    this.put("bids", bids);
    this.put("asks", asks);
    if (checksum === undefined || checksum === this.checksum()) return true;
    this.mismatches += 1;
    this.seq = null;
    return false;
  }

  /** The CRC32 of "price:size:…" of the ten best bids, then the ten best asks, as the server told them. */
  checksum() {
    const texts = ["bids", "asks"].flatMap((side) => this.best(side, PROVEN).flatMap(({ price, size }) => [price, size]));
    return crc32(texts.join(":"));
  }

  put(side, levels) {
    const book = this.sides[side];
    for (const [price, size] of levels) {
      const key = toScaled(price, this.places.price);
      const amount = toScaled(size, this.places.size);
      if (amount === 0n) book.delete(key);
      else book.set(key, { price, size, amount });
    }
  }

  /**
   * Return up to count levels, best first: {price, size, total, amount, sum}; sum is the total, scaled.
   * step (scaled): prices put together in steps, bids down and asks up: never better than they are.
   */
  levels(side, count, step = 1n) {
    return this.summed(step === 1n ? this.best(side, count) : this.grouped(side, step).slice(0, count));
  }

  /** The levels put together in steps, best first. */
  grouped(side, step) {
    const found = new Map();
    for (const { price, amount } of this.best(side)) {
      const key = this.step(side, price, step);
      found.set(key, (found.get(key) ?? 0n) + amount);
    }
    return [...found].map(([price, amount]) => ({ price, amount, size: fromScaled(amount, this.places.size) }));
  }

  /** The price of the step that a price lies in. */
  step(side, price, step) {
    const key = toScaled(price, this.places.price);
    const down = (key / step) * step;
    return fromScaled(side === "asks" && down !== key ? down + step : down, this.places.price);
  }

  best(side, count) {
    const way = side === "bids" ? 1 : -1;
    const keys = [...this.sides[side].keys()].sort((a, b) => (a < b ? way : a > b ? -way : 0));
    return keys.slice(0, count).map((key) => this.sides[side].get(key));
  }

  /** Return the levels at these prices, best first; a price nobody is at has no size. */
  at(side, prices, step = 1n) {
    if (step !== 1n) {
      const known = new Map(this.grouped(side, step).map((level) => [level.price, level]));
      return this.summed(prices.map((price) => known.get(price) ?? { price, size: null, amount: 0n }));
    }
    const book = this.sides[side];
    return this.summed(prices.map((price) => book.get(toScaled(price, this.places.price)) ?? { price, size: null, amount: 0n }));
  }

  summed(levels) {
    let sum = 0n;
    return levels.map(({ price, size, amount }) => {
      sum += amount;
      return { price, size, amount, total: fromScaled(sum, this.places.size), sum };
    });
  }
}

/** Add each level's share of the deepest total and of the largest size, in thousandths, for the bars. */
export function withBars(bids, asks) {
  const [most, other] = [bids.at(-1)?.sum ?? 0n, asks.at(-1)?.sum ?? 0n];
  const deepest = other > most ? other : most;
  const largest = [...bids, ...asks].reduce((top, { amount }) => (amount > top ? amount : top), 1n);
  const share = (part, whole) => Number((part * 1000n) / (whole || 1n));
  const bar = (level) => ({ ...level, width: share(level.sum, deepest), weight: share(level.amount, largest) });
  return [bids.map(bar), asks.map(bar)];
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** The CRC32 (IEEE) of an ASCII text. */
export function crc32(text) {
  let value = 0xffffffff;
  for (let at = 0; at < text.length; at += 1) value = CRC[(value ^ text.charCodeAt(at)) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
