/** The tables at the bottom: open orders, positions, balances, fills, history; tabs with counters. */

import { Problem, newKey, post } from "./api.js";
import { neg, sign } from "./decimal.js";
import { $, $$, setText } from "./dom.js";
import { Rows, newestFirst, worthShowing } from "./rows.js";

const SHOWN_MAX = 100;

export class Blotter {
  constructor(store, { toasts, ticket }) {
    this.store = store;
    this.toasts = toasts;
    this.ticket = ticket;
    this.rows = new Rows(store);
    this.keys = new Map(); // one idempotency key per order to cancel, kept for retries
    this.root = $("#blotter");
    this.tabs();
    this.root.addEventListener("click", (event) => this.clicked(event));
    store.on("orders", () => this.showOpen());
    store.on(["positions", "tickers"], () => this.showPositions());
    store.on(["balances", "tickers"], () => this.showBalances());
    store.on("fills", () => this.showFills());
    store.on("history", () => this.showHistory());
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
      if (focus) tab.focus();
    };
    for (const tab of tabs) tab.addEventListener("click", () => select(tab));
    $("[role=tablist]", this.root).addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) select(tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length], true);
    });
    select(tabs[0]);
  }

  ready() {
    return this.store.seq !== null;
  }

  /** Replace a table's rows only when what they show changed; keep the focus where it was. */
  fill(name, items, build, key) {
    if (!this.ready()) return;
    const body = $(`#${name}-rows`);
    const shown = items.slice(0, SHOWN_MAX);
    const old = new Map([...body.children].map((row) => [row.dataset.key, row]));
    const rows = shown.map((item) => {
      const id = key(item);
      const print = JSON.stringify(item);
      const known = old.get(id);
      if (known?.dataset.print === print) return known;
      const row = build(item);
      row.dataset.key = id;
      row.dataset.print = print;
      return row;
    });
    const focused = document.activeElement?.dataset ?? {};
    const same = rows.length === body.children.length && rows.every((row, index) => row === body.children[index]);
    if (!same) body.replaceChildren(...rows);
    if (!same && focused.cancel && !body.contains(document.activeElement)) $(`[data-cancel="${focused.cancel}"]`, body)?.focus();
    $(`#${name}-empty`).hidden = items.length > 0;
    $(`#${name}-table`).hidden = items.length === 0;
  }

  count(name, count) {
    for (const badge of $$(`[data-count=${name}]`)) {
      setText(badge, String(count));
      badge.hidden = count === 0;
    }
  }

  showOpen() {
    if (!this.ready()) return;
    const orders = [...this.store.orders.values()].sort(newestFirst);
    this.fill("open", orders, (order) => this.rows.open(order), (order) => order.order_id);
    this.count("open", orders.length);
    const all = $("#cancel-all");
    if (all) all.disabled = orders.length === 0;
  }

  showPositions() {
    if (!this.ready()) return;
    const shown = [...this.store.positions.values()].filter(worthShowing).map((position) => ({
      ...position,
      mark_price: this.store.closingPrice(position) ?? position.mark_price,
    }));
    this.fill("positions", shown, (position) => this.rows.position(position), (position) => position.symbol);
    this.count("positions", shown.filter((position) => sign(position.quantity)).length);
  }

  showBalances() {
    if (!this.ready()) return;
    const shown = [...this.store.balances.values()].map((balance) => ({
      ...balance,
      mark: this.store.tickers.get(`${balance.asset}-USD`)?.mark,
    }));
    this.fill("balances", shown, (balance) => this.rows.balance(balance), (balance) => balance.asset);
  }

  showFills() {
    this.fill("fills", this.store.fills, (fill) => this.rows.fill(fill), (fill) => fill.trade_id);
  }

  showHistory() {
    this.fill("history", [...this.store.history.values()], (order) => this.rows.history(order), (order) => order.order_id);
  }

  clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.cancel) {
      event.preventDefault();
      this.cancel(button.dataset.cancel, button);
    } else if (button.id === "cancel-all") {
      event.preventDefault();
      this.cancelAll(button);
    } else if (button.dataset.close) {
      this.prepareClose(button.dataset.close);
    }
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
      const text = problem.unknown ? "Not known whether it arrived. Press Cancel again, it does no harm." : problem.message;
      this.toasts.failed("Could not cancel", text);
    } finally {
      attempt.busy = false;
      button.removeAttribute("aria-disabled");
    }
  }

  /** Ask first: the button turns into "Cancel n orders?" for a few seconds. */
  async cancelAll(button) {
    if (button.dataset.armed !== "yes") {
      button.dataset.armed = "yes";
      setText(button, `Cancel ${this.store.orders.size} orders?`);
      setTimeout(() => this.disarm(button), 4_000);
      return;
    }
    this.disarm(button);
    const body = { account_id: this.store.account };
    await this.send("all", "/api/orders/cancel", body, button);
  }

  disarm(button) {
    delete button.dataset.armed;
    setText(button, "Cancel all");
  }

  prepareClose(symbol) {
    const position = this.store.positions.get(symbol);
    const way = sign(position.quantity) > 0 ? "sell" : "buy";
    const quantity = sign(position.quantity) > 0 ? position.quantity : neg(position.quantity);
    if (symbol !== this.store.symbol) {
      location.assign(`../${symbol}/?side=${way}&type=market&quantity=${quantity}#ticket`);
      return;
    }
    this.ticket.fill({ side: way, type: "market", quantity });
    $("#submit").focus();
  }
}
