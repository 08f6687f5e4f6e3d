/**
 * The order book of one symbol: a snapshot, then deltas that must follow each other without a gap.
 */

import { add, permille, toScaled } from "./decimal.js";

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
      if (toScaled(size, this.places.size) === 0n) book.delete(key);
      else book.set(key, [price, size]);
    }
  }

  /** Return up to count levels, best first: [price, size, running total]. */
  levels(side, count) {
    const way = side === "bids" ? 1 : -1;
    const keys = [...this.sides[side].keys()].sort((a, b) => (a < b ? way : a > b ? -way : 0));
    let total = "0";
    return keys.slice(0, count).map((key) => {
      const [price, size] = this.sides[side].get(key);
      total = add(total, size);
      return { price, size, total };
    });
  }

  best(side) {
    return this.levels(side, 1)[0]?.price ?? null;
  }
}

/** Add each level's share of the deepest total, in thousandths, for the bars. */
export function withBars(bids, asks) {
  const deepest = [bids.at(-1)?.total ?? "0", asks.at(-1)?.total ?? "0"];
  const most = toScaled(deepest[0], 18) > toScaled(deepest[1], 18) ? deepest[0] : deepest[1];
  const bar = (level) => ({ ...level, width: permille(level.total, most) });
  return [bids.map(bar), asks.map(bar)];
}
