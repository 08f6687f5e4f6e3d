/** The notification centre: everything that was told about own orders, newest first, and how much is unread. */

import { $, h, setText } from "./dom.js";
import { clock } from "./format.js";

const KEPT_MAX = 100;

export class Notices {
  constructor(memory) {
    this.memory = memory;
    this.menu = $("#bell");
    this.list = $("#notices");
    this.items = memory.get("notices") ?? [];
    this.menu.addEventListener("toggle", () => this.menu.open && this.read());
    $("#notices-clear").addEventListener("click", () => this.clear());
    this.show();
  }

  /** Add what was told; about the same order it replaces what was told before. isRead: it is seen already. */
  add(key, { kind, title, text, href, at }, isRead = false) {
    const item = { key, kind, title, text, href, at: at ?? new Date().toISOString(), unread: !isRead && !this.menu.open };
    this.items = [item, ...this.items.filter((one) => one.key !== key)].slice(0, KEPT_MAX);
    this.keep();
  }

  read(key) {
    for (const item of this.items) if (!key || item.key === key) item.unread = false;
    this.keep();
  }

  clear() {
    this.items = [];
    this.keep();
    this.menu.open = false;
    $("summary", this.menu).focus();
  }

  get unread() {
    return this.items.filter((item) => item.unread).length;
  }

  /** Several in one frame are one write and one picture. */
  keep() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.memory.set("notices", this.items);
      this.show();
    });
  }

  show() {
    const { unread } = this;
    const badge = $("#bell-count");
    badge.hidden = unread === 0;
    setText(badge, unread > 99 ? "99+" : String(unread));
    setText($("#bell-words"), unread ? `Notifications, ${unread} unread` : "Notifications");
    $("#notices-empty").hidden = this.items.length > 0;
    $("#notices-clear").hidden = this.items.length === 0;
    if (this.menu.open || !this.items.length) this.list.replaceChildren(...this.items.map(row));
  }
}

function row({ kind, title, text, href, at }) {
  const inside = [h("strong", {}, title), h("time", { datetime: at }, clock(at)), h("span", {}, text)];
  return h("li", { class: kind }, h(href ? "a" : "div", { href }, ...inside));
}
