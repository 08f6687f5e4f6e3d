/**
 * The connection badge and the banner: live, reconnecting, stale, logged out; and what everybody on
 * the page must know of the account and the symbol. Stale prices are greyed.
 */

import { $, setText } from "./dom.js";
import { notice } from "./standing.js";

const STALE_MS = 5_000;
const BANNER_AFTER_MS = 1_500;
const TROUBLE_MS = 15_000; // what the server refused is said so long: nothing tells that it is over
const USER = "oms.user";
const WORDS = { live: "Live", reconnecting: "Reconnecting", out: "Logged out", closed: "Refused" };

export class Connection {
  constructor(store, { user }) {
    this.store = store;
    this.user = user;
    this.states = { market: "connecting", orders: "connecting" };
    this.heardAt = performance.now();
    this.badge = $("#connection");
    this.banner = $("#banner");
    setInterval(() => this.show(), 500);
    store.on("account", () => this.show());
    this.watchUser();
  }

  /** Another tab logged somebody else in: this page is no longer of who looks at it. */
  watchUser() {
    localStorage.setItem(USER, this.user);
    addEventListener("storage", ({ key, newValue }) => {
      if (key === USER && newValue !== this.user) {
        this.store.signOut(`${newValue} has logged in in this browser. This page is still ${this.user}'s: it can send nothing any more.`);
      }
    });
  }

  changed(name, state, code) {
    this.states[name] = state;
    if (state === "live") this.heardAt = performance.now();
    else this.lostAt ??= performance.now();
    if (state === "closed" && code === 4401) this.store.signOut();
    else if (state === "closed") this.refused = code;
    this.show();
  }

  /** Any market message counts, unless the ticker itself says that it is old. */
  heard(message) {
    if (message.symbol !== this.store.symbol) return;
    if (message.stale !== undefined) this.stale = message.stale;
    if (!message.stale) this.heardAt = performance.now();
  }

  took(ms) {
    this.latency = ms;
  }

  error({ code, detail }) {
    this.trouble = detail || code;
    this.troubleAt = performance.now();
    this.show();
  }

  show() {
    const live = Object.values(this.states).every((state) => state === "live");
    if (live) this.lostAt = null;
    const silent = performance.now() - this.heardAt;
    const trading = this.store.instrument.state === "TRADING"; // others have no prices to grow old
    const stale = trading && (this.stale || silent > STALE_MS);
    const state = this.state(live, stale);
    const seconds = Math.floor(silent / 1000);
    if (this.badge.dataset.state !== state) this.badge.dataset.state = state;
    setText($("#connection-text"), this.words(state, seconds));
    const old = state !== "live";
    if (this.store.stale !== (stale || !live)) {
      this.store.stale = stale || !live;
      this.store.touch("stale");
    }
    if (document.documentElement.hasAttribute("data-stale") !== old) document.documentElement.toggleAttribute("data-stale", old);
    this.tell(this.message(live, stale, seconds));
  }

  state(live, stale) {
    if (this.store.signedOut) return "out";
    if (this.refused) return "closed";
    if (!live) return "reconnecting";
    return stale ? "stale" : "live";
  }

  words(state, seconds) {
    if (this.lostAt === undefined) return "Connecting";
    if (state === "stale") return `Stale ${seconds}\u202fs`;
    if (state === "live" && this.latency !== undefined) return `Live ${this.latency}\u202fms`;
    return WORDS[state];
  }

  message(live, stale, seconds) {
    if (this.store.signedOut) return this.store.signedOut;
    if (this.refused) return "The server does not allow this page's connection. Reload, or ask the desk.";
    if (!live && performance.now() - (this.lostAt ?? performance.now()) > BANNER_AFTER_MS) {
      return "Connection lost. Prices and orders shown are the last known ones; reconnecting…";
    }
    const known = notice(this.store);
    if (known) return known;
    if (live && stale) return `Prices are ${seconds}\u202fs old: new orders may be refused until they move again.`;
    const fresh = performance.now() - this.troubleAt < TROUBLE_MS;
    return live && fresh ? this.trouble : "";
  }

  tell(text) {
    if (this.banner.hidden === Boolean(text)) this.banner.hidden = !text;
    setText($("#banner-text"), text);
    $("#banner-login").hidden = !this.store.signedOut;
  }
}
