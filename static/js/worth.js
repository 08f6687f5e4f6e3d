/** The top bar's account figures: what everything is worth now, and what open positions have made. */

import { add, divDown, mul } from "./decimal.js";
import { $, setText } from "./dom.js";
import { setNumber, setTone } from "./format.js";
import { unrealized } from "./rows.js";

const MONEY = "USD";

export class Worth {
  constructor(store, marked) {
    this.store = store;
    this.marked = marked;
    if (!$("#equity")) return;
    store.on(["balances", "positions", "tickers"], () => this.show());
  }

  show() {
    if (this.store.seq === null) return;
    const equity = this.equity();
    setNumber($("#equity"), equity && divDown(equity, "1", 2), 2);
    const open = this.unrealized();
    const place = $("#result");
    setNumber(place, open && divDown(open, "1", 2), 2, true);
    setTone(place, open);
    setText($("#result-label"), `Unrealized (${MONEY})`);
  }

  /** Everything the account owns at its mark; null while a price is missing. */
  equity() {
    let sum = "0";
    for (const { asset, total } of this.store.balances.values()) {
      if (asset === MONEY) sum = add(sum, total);
      else if (/[1-9]/.test(total)) {
        const mark = this.store.tickers.get(`${asset}-${MONEY}`)?.mark;
        if (!mark) return null;
        sum = add(sum, mul(mark, total));
      }
    }
    return sum;
  }

  unrealized() {
    const gains = [...this.store.positions.values()].map((position) => unrealized(this.marked(position)));
    return gains.includes(null) ? null : gains.reduce((sum, gain) => add(sum, gain), "0");
  }
}
