/**
 * The order book of one symbol: a snapshot, then deltas that must follow each other without a gap.
 */

import { fromScaled, toScaled } from "./decimal.js";

export class Book {
  /** places: {price, size} decimals of the instrument. */
  constructor(places) {
    this.places = places;
    this.seq = null;
    this.sides = { bids: new Map(), asks: new Map() };
  }

  snapshot({ seq, bids, asks }) {
    this.seq = seq;
    this.sides = { bids: new Map(), asks: new Map() };
    this.put("bids", bids);
    this.put("asks", asks);
  }

  /** Apply a delta. Returns false when something is missing before it: ask for a snapshot. */
  delta({ seq, prev_seq: previous, bids, asks }) {
    if (this.seq === null) return false;
    if (seq <= this.seq) return true;
    if (previous !== this.seq) {
      this.seq = null;
      return false;
    }
    this.seq = seq;
    this.put("bids", bids);
    this.put("asks", asks);
    return true;
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

  /** Return up to count levels, best first: {price, size, total, sum}; sum is the total, scaled. */
  levels(side, count) {
    const way = side === "bids" ? 1 : -1;
    const keys = [...this.sides[side].keys()].sort((a, b) => (a < b ? way : a > b ? -way : 0));
    return this.summed(keys.slice(0, count).map((key) => this.sides[side].get(key)));
  }

  /** Return the levels at these prices, best first; a price nobody is at has no size. */
  at(side, prices) {
    const book = this.sides[side];
    return this.summed(prices.map((price) => book.get(toScaled(price, this.places.price)) ?? { price, size: null, amount: 0n }));
  }

  summed(levels) {
    let sum = 0n;
    return levels.map(({ price, size, amount }) => {
      sum += amount;
      return { price, size, total: fromScaled(sum, this.places.size), sum };
    });
  }
}

/** Add each level's share of the deepest total, in thousandths, for the bars. */
export function withBars(bids, asks) {
  const [most, other] = [bids.at(-1)?.sum ?? 0n, asks.at(-1)?.sum ?? 0n];
  const deepest = other > most ? other : most;
  const bar = (level) => ({ ...level, width: Number((level.sum * 1000n) / (deepest || 1n)) });
  return [bids.map(bar), asks.map(bar)];
}
