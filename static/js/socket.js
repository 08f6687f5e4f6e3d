/**
 * One websocket that comes back by itself: jittered backoff, heartbeat, subscriptions sent again.
 *
 * States: "connecting" → "live" → "reconnecting" → "live" …; "closed" when the server says never.
 */

const BACKOFF_MS = 300;
const BACKOFF_MS_MAX = 8_000;
const SILENCE_MS_MAX = 40_000; // the server pings every 15 s: more than two missed is a dead wire
const LOOK_MS = 5_000;
const FINAL_CODES = new Set([4401, 4403]);

export class Socket {
  /**
   * receive(message): every parsed message but pings; changed(state, code): see above;
   * took(ms): how long an answer takes, now and then.
   */
  constructor(path, { receive, changed, took = () => {} }) {
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
    this.receive = receive;
    this.changed = changed;
    this.took = took;
    this.subscriptions = new Map();
    this.attempts = 0;
    this.state = "connecting";
    addEventListener("online", () => this.retryNow());
    addEventListener("pagehide", () => this.wire?.close(1000));
    document.addEventListener("visibilitychange", () => !document.hidden && this.retryNow());
    setInterval(() => {
      this.watch();
      this.ask();
    }, LOOK_MS);
    this.connect();
  }

  /** Keep a subscription: build() is asked for the message on every (re)connect, so it can resume. */
  subscribe(key, build) {
    this.subscriptions.set(key, build);
    this.send(build());
  }

  /** Ask for one subscription again, after a gap. */
  renew(key) {
    const build = this.subscriptions.get(key);
    if (build) this.send(build());
  }

  send(message) {
    if (this.wire?.readyState === WebSocket.OPEN) this.wire.send(JSON.stringify(message));
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = null;
    const wire = new WebSocket(this.url);
    this.wire = wire;
    wire.onopen = () => {
      this.attempts = 0;
      this.heard = performance.now();
      this.move("live");
      for (const build of this.subscriptions.values()) this.send(build());
      this.ask();
    };
    wire.onmessage = (event) => {
      if (wire === this.wire) this.take(event.data);
    };
    wire.onclose = (event) => {
      if (wire === this.wire) this.lost(event.code);
    };
  }

  take(data) {
    this.heard = performance.now();
    const message = JSON.parse(data);
    if (message.op === "ping") this.send({ op: "pong" });
    else if (message.op === "pong") this.answered();
    else this.receive(message);
  }

  /** Ask for an answer, to see how long it takes. */
  ask() {
    if (this.state !== "live") return;
    this.askedAt = performance.now();
    this.send({ op: "ping" });
  }

  answered() {
    if (this.askedAt) this.took(Math.max(1, Math.round(performance.now() - this.askedAt)));
    this.askedAt = null;
  }

  lost(code) {
    this.wire = null;
    if (FINAL_CODES.has(code)) {
      this.move("closed", code);
      return;
    }
    this.move("reconnecting", code);
    const ceiling = Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** this.attempts);
    this.attempts += 1;
    this.timer = setTimeout(() => this.connect(), ceiling / 2 + (Math.random() * ceiling) / 2);
  }

  /** Close a wire that went silent: the browser may take minutes to notice by itself. */
  watch() {
    if (this.state !== "live" || performance.now() - this.heard < SILENCE_MS_MAX) return;
    const wire = this.wire;
    this.lost(1006);
    wire?.close();
  }

  retryNow() {
    if (this.timer) this.connect();
  }

  move(state, code) {
    this.state = state;
    this.changed(state, code);
  }
}
