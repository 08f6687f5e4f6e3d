/** The connection badge and the banner: live, reconnecting, stale. Stale prices are greyed. */

import { $, setText } from "./dom.js";

const STALE_MS = 5_000;
const BANNER_AFTER_MS = 1_500;

export class Connection {
  constructor(store) {
    this.store = store;
    this.states = { market: "connecting", orders: "connecting" };
    this.heardAt = performance.now();
    this.badge = $("#connection");
    this.banner = $("#banner");
    setInterval(() => this.show(), 500);
  }

  changed(name, state, code) {
    this.states[name] = state;
    if (state === "live") this.heardAt = performance.now();
    else this.lostAt ??= performance.now();
    if (state === "closed") this.refused = code;
    this.show();
  }

  /** Any market message counts, unless the ticker itself says that it is old. */
  heard(message) {
    if (message.symbol !== this.store.symbol) return;
    if (message.stale !== undefined) this.stale = message.stale;
    if (!message.stale) this.heardAt = performance.now();
  }

  error({ code, detail }) {
    this.trouble = detail || code;
    this.show();
  }

  show() {
    const live = Object.values(this.states).every((state) => state === "live");
    if (live) this.lostAt = null;
    const silent = performance.now() - this.heardAt;
    const trading = this.store.instrument.state === "TRADING"; // others have no prices to grow old
    const stale = trading && (this.stale || silent > STALE_MS);
    const state = live ? (stale ? "stale" : "live") : "reconnecting";
    const seconds = Math.floor(silent / 1000);
    const text = { live: "Live", stale: `Stale ${seconds}\u2009s`, reconnecting: "Reconnecting" }[state];
    setText($("#connection-text"), this.lostAt === undefined ? "Connecting" : text);
    if (this.badge.dataset.state !== state) this.badge.dataset.state = state;
    document.documentElement.toggleAttribute("data-stale", state !== "live");
    this.tell(this.message(live, stale, seconds));
  }

  message(live, stale, seconds) {
    if (this.refused === 4401) return "Your session has ended. Log in again to go on.";
    if (this.refused) return "The server does not allow this page's connection. Reload, or ask the desk.";
    if (!live && performance.now() - (this.lostAt ?? performance.now()) > BANNER_AFTER_MS) {
      return "Connection lost. Prices and orders shown are the last known ones; reconnecting…";
    }
    if (live && stale) return `Prices are ${seconds}\u2009s old: new orders may be refused until they move again.`;
    return this.trouble && live ? this.trouble : "";
  }

  tell(text) {
    this.banner.hidden = !text;
    setText($("#banner-text"), text);
    $("#banner-login").hidden = this.refused !== 4401;
  }
}
