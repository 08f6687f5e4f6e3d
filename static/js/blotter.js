/** The tables at the bottom: open orders, positions, balances, fills, history; tabs with counters. */

import { Problem, newKey, post } from "./api.js";
import { ask } from "./ask.js";
import { sign } from "./decimal.js";
import { $, $$, setText } from "./dom.js";
import { counted } from "./format.js";
import { explain } from "./reasons.js";
import { Columns, newestFirst, worthShowing } from "./rows.js";
import { Hold, Table } from "./table.js";

const SHOWN = 100; // more are a press away: the rest costs nothing until somebody wants it

export class Blotter {
  constructor(store, { toasts, closing, memory }) {
    this.store = store;
    this.toasts = toasts;
    this.closing = closing;
    this.memory = memory;
    this.keys = new Map(); // one idempotency key per order to cancel, kept for retries
    this.limits = new Map();
    this.root = $("#blotter");
    this.tabs();
    this.tables();
    this.root.addEventListener("click", (event) => this.clicked(event));
    store.on("orders", () => this.showOpen());
    store.on(["positions", "tickers", "orders"], () => this.showPositions());
    store.on(["balances", "tickers"], () => this.showBalances());
    store.on("fills", () => this.showFills());
    store.on("history", () => this.showHistory());
  }

  tables() {
    const columns = new Columns(this.store);
    const hold = new Hold(this.root, () => this.showAll());
    const table = (name, key) => new Table(name, { columns: columns[name](), key, hold });
    this.open = table("open", (order) => order.order_id);
    this.positions = table("positions", (position) => position.symbol);
    this.balances = table("balances", (balance) => balance.asset);
    this.fills = table("fills", (fill) => fill.trade_id);
    this.history = table("history", (order) => order.order_id);
  }

  /** Make the headings of the panels tabs; without scripts they simply stand above each other. */
  tabs() {
    const tabs = $$("[data-tab]", this.root);
    const select = (tab, focus) => {
      for (const one of tabs) {
        const on = one === tab;
        one.setAttribute("aria-selected", String(on));
        one.tabIndex = on ? 0 : -1;
        $(`#${one.dataset.tab}`).hidden = !on;
      }
      this.tab = tab.dataset.tab;
      this.memory.set("tab", this.tab);
      if (focus) tab.focus();
      this.showAll();
    };
    for (const tab of tabs) tab.addEventListener("click", () => select(tab));
    $("[role=tablist]", this.root).addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) select(tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length], true);
    });
    const kept = this.memory.get("tab");
    select(tabs.find((tab) => tab.dataset.tab === kept) ?? tabs[0]);
  }

  /** Show the table that can be seen; the others are brought up to date when they are chosen. */
  showAll() {
    if (!this.open) return;
    for (const show of ["showOpen", "showPositions", "showBalances", "showFills", "showHistory"]) this[show]();
  }

  /** Put items into a table, the first of them; a button brings the rest. */
  fill(name, items) {
    if (this.store.seq === null || this.tab !== name) return;
    const most = this.limits.get(name) ?? SHOWN;
    this[name].show(items.slice(0, most), items.length);
    const more = $(`#${name}-more`);
    if (!more) return;
    more.hidden = items.length <= most;
    setText($("span", more), `${most} of ${items.length} shown.`);
  }

  count(name, count) {
    for (const badge of $$(`[data-count=${name}]`)) {
      setText(badge, String(count));
      badge.hidden = count === 0;
    }
  }

  showOpen() {
    if (this.store.seq === null) return;
    const orders = [...this.store.orders.values()].sort(newestFirst);
    this.fill("open", orders);
    this.count("open", orders.length);
    const all = $("#cancel-all");
    if (all) all.disabled = orders.length === 0;
  }

  showPositions() {
    if (this.store.seq === null) return;
    const shown = [...this.store.positions.values()].filter(worthShowing);
    this.fill("positions", shown.map((position) => this.closing.marked(position)));
    const held = shown.filter((position) => sign(position.quantity)).length;
    this.count("positions", held);
    const flatten = $("#flatten");
    if (flatten) flatten.disabled = held === 0;
  }

  showBalances() {
    const shown = [...this.store.balances.values()].map((balance) => ({
      ...balance,
      mark: this.store.tickers.get(`${balance.asset}-USD`)?.mark,
    }));
    this.fill("balances", shown);
  }

  showFills() {
    this.fill("fills", this.store.fills);
  }

  showHistory() {
    this.fill("history", [...this.store.history.values()]);
  }

  clicked(event) {
    const button = event.target.closest("button");
    if (!button) {
      this.rowClicked(event);
      return;
    }
    const { cancel, close, more } = button.dataset;
    if (cancel || button.id === "cancel-all") event.preventDefault();
    if (cancel) this.cancel(cancel, button);
    else if (close) this.closing.ask(close);
    else if (button.id === "cancel-all") this.cancelAll(button);
    else if (button.id === "flatten") this.closing.askAll();
    else if (more) this.more(more);
  }

  /** A row opens its order; not when text was marked, not in the cell of the buttons. */
  rowClicked(event) {
    if (event.target.closest("a, .act") || String(getSelection())) return;
    event.target.closest("tbody tr")?.querySelector(".time a")?.click();
  }

  more(name) {
    this.limits.set(name, (this.limits.get(name) ?? SHOWN) + SHOWN);
    this.showAll();
  }

  cancel(orderId, button) {
    return this.send(orderId, `/api/orders/${orderId}/cancel`, {}, button);
  }

  /** Post a cancel once; after an unknown outcome the same key is used again. */
  async send(what, path, body, button) {
    if (this.keys.get(what)?.busy) return;
    const attempt = this.keys.get(what) ?? { key: newKey() };
    this.keys.set(what, attempt);
    attempt.busy = true;
    button.setAttribute("aria-disabled", "true");
    try {
      await post(path, body, attempt.key);
      this.keys.delete(what);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (!problem.unknown) this.keys.delete(what);
      const text = problem.unknown ? "Not known whether it arrived. Try again: canceling twice is safe." : explain(problem);
      this.toasts.failed("Could not cancel", text);
    } finally {
      attempt.busy = false;
      button.removeAttribute("aria-disabled");
    }
  }

  /** Say what it takes before it takes it: every symbol, or the one on the screen. */
  async cancelAll(button) {
    const { symbol, account } = this.store;
    const orders = [...this.store.orders.values()];
    const here = orders.filter((order) => order.symbol === symbol).length;
    const symbols = new Set(orders.map((order) => order.symbol)).size;
    const answers = here && symbols > 1 ? { symbol: `Only ${symbol} (${here})` } : {};
    const where = symbols > 1 ? `in ${symbols} symbols` : `in ${orders[0]?.symbol}`;
    const answer = await ask({
      title: `Cancel ${counted(orders.length, "open order")}?`,
      lines: [`Everything open on ${this.store.accountName}, ${where}, also what was sent by other people or programs.`],
      answers: { ...answers, all: `Cancel all ${orders.length}` },
      no: "Keep them",
    });
    if (!answer) return;
    const body = answer === "symbol" ? { account_id: account, symbol } : { account_id: account };
    await this.send(answer, "/api/orders/cancel", body, button);
    this.keys.delete(answer); // pressed again it means what is open then: a key of its own
  }
}
