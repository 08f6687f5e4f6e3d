/** The trading page: builds the parts and connects them to the two sockets. */

import { Problem, get } from "./api.js";
import { ignoreRepeats } from "./ask.js";
import { Blotter } from "./blotter.js";
import { Book } from "./book.js";
import { Chart } from "./chart.js";
import { Closing } from "./closing.js";
import { Connection } from "./connection.js";
import { $, boot } from "./dom.js";
import { placesFor } from "./format.js";
import { Keys } from "./keys.js";
import { Ladder } from "./ladder.js";
import { Memory } from "./memory.js";
import { menus, phoneTabs } from "./menus.js";
import { Notices } from "./notices.js";
import { palette } from "./palette.js";
import { Receipt } from "./receipt.js";
import { Socket } from "./socket.js";
import { Store } from "./store.js";
import { Tape, TickerBar } from "./tape.js";
import { Ticket } from "./ticket.js";
import { Toasts } from "./toasts.js";
import { Worth } from "./worth.js";

let watched = null; // the interval of the candles that are subscribed to
const TICKERS_MAX = 46; // of the server's 50 subscriptions a socket

const page = boot();
const desk = $("#trade");
const { user = "" } = desk.dataset;
const store = new Store(page, desk.dataset);
const memory = new Memory(user, page.account ?? "");
const book = new Book(placesFor(store.instrument));
const notices = new Notices(memory);
const receipt = new Receipt(store);
const toasts = new Toasts(store, { notices, receipt });
const ticket = new Ticket(store, { book, receipt, memory: new Memory(user, page.account ?? "", page.symbol) });
const closing = new Closing(store);
const connection = new Connection(store, { user });
new Ladder(store, book, (price, side) => {
  showPanel("ticket");
  ticket.fill({ price, side, type: "limit" });
}, memory);
new Tape(store);
new TickerBar(store);
const worth = new Worth(store);
const blotter = new Blotter(store, { toasts, closing, memory });
ignoreRepeats(document);
menus();
palette();
const showPanel = phoneTabs(memory);

// ---------------------------------------------------------------- market
const market = new Socket("/ws/market", {
  receive: (message) => receiveMarket(message),
  changed: (state, code) => connection.changed("market", state, code),
});

const chart = new Chart(store, book, {
  memory,
  subscribe: (interval) => watchCandles(interval),
  cancel: (orderId, button) => blotter.cancel(orderId, button),
});
new Keys({ ticket, chart });

/** Candles of one interval at a time. */
function watchCandles(interval) {
  const { symbol } = store;
  if (watched) market.send({ op: "unsubscribe", channel: "candles", symbol, interval: watched });
  watched = interval;
  market.subscribe("candles", () => ({ op: "subscribe", channel: "candles", symbol, interval }));
}

function receiveMarket(message) {
  connection.heard(message);
  const { op, channel } = message;
  if (op === "error") connection.error(message);
  else if (op === "subscribed" || op === "unsubscribed") return;
  else if ((channel ?? op) === "ticker") store.ticker(message);
  else if ((channel ?? op) === "trades") receiveTrades(message);
  else if (channel === "book") receiveBook(message);
  else if (channel === "candles" && message.symbol === store.symbol) chart.receive(message);
}

function receiveTrades({ symbol, trades }) {
  if (symbol === store.symbol) store.addTrades(trades);
}

function receiveBook(message) {
  if (message.symbol !== store.symbol) return;
  if (message.op === "snapshot") book.snapshot(message);
  else if (message.op === "delta" && !book.delta(message)) market.renew("book");
  store.touch("book");
}

// A socket has so many subscriptions: this page's symbol first, then as many others as there is room for.
for (const channel of ["book", "trades"]) {
  market.subscribe(channel, () => ({ op: "subscribe", channel, symbol: store.symbol }));
}
for (const symbol of new Set([store.symbol, ...store.instruments.keys()].slice(0, TICKERS_MAX))) {
  market.subscribe(`ticker ${symbol}`, () => ({ op: "subscribe", channel: "ticker", symbol }));
}

// ---------------------------------------------------------------- own orders
const orders = new Socket("/ws/orders", {
  receive: (message) => receiveOrders(message),
  changed: (state, code) => connection.changed("orders", state, code),
  took: (ms) => connection.took(ms),
});

function receiveOrders(message) {
  if (message.op === "snapshot") {
    store.snapshot(message);
    loadAccount();
    loadHistory();
    worth.load();
  } else if (message.op === "event") {
    receiveEvent(message);
  } else if (message.op === "error") {
    if (message.code === "snapshot_required") restart();
    else connection.error(message);
  }
}

function receiveEvent(message) {
  const before = store.seq;
  if (!store.event(message)) {
    orders.renew("orders"); // something is missing before it: resume from what we have
    return;
  }
  if (store.seq !== before) toasts.event(message.event, message.order ?? store.order(message.event.order_id));
}

/** The stream no longer holds what we need: begin again from a snapshot. */
function restart() {
  store.seq = null;
  orders.renew("orders");
}

/** What the account may do: the stream tells every change of it, this is how it begins. */
async function loadAccount() {
  const { accountChanges } = store;
  try {
    const account = await get(`/api/accounts/${store.account}`);
    if (accountChanges === store.accountChanges) store.putAccount(account); // else the stream was newer
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    toasts.failed("The account's limits could not be loaded", problem.message);
  }
}

async function loadHistory() {
  try {
    const query = new URLSearchParams({ account_id: store.account, limit: "50" });
    store.addHistory((await get(`/api/orders?${query}`)).orders);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    toasts.failed("History could not be loaded", problem.message);
  }
}

if (store.account) {
  orders.subscribe("orders", () => ({
    op: "subscribe",
    channel: "orders",
    account_id: store.account,
    ...(store.seq === null ? {} : { from_seq: store.seq + 1 }),
  }));
}
$("#trade").dataset.ready = "yes";
