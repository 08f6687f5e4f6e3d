/** The pages besides trading: menus, and the order page following its order's events. */

import { boot } from "./dom.js";
import { menus } from "./menus.js";
import { palette } from "./palette.js";
import { Socket } from "./socket.js";

const { account, order_id: orderId } = boot();
let seq = null;

function follow() {
  // A log-in that ended is found by asking for the page: the answer sends it to the log-in.
  const changed = (state, code) => state === "closed" && code === 4401 && refresh();
  const socket = new Socket("/ws/orders", { receive, changed });
  socket.subscribe("orders", () => ({
    op: "subscribe",
    channel: "orders",
    account_id: account,
    ...(seq === null ? {} : { from_seq: seq + 1 }),
  }));
  let waiting = false;
  const refresh = () => {
    if (waiting) return; // several events in one frame are one refresh
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      document.body.dispatchEvent(new CustomEvent("order-changed"));
    });
  };
  function receive(message) {
    if (message.op === "snapshot" || message.op === "event") seq = message.seq;
    if (message.op === "snapshot") refresh();
    if (message.op === "event" && message.event.order_id === orderId) refresh();
    if (message.op === "error" && message.code === "snapshot_required") {
      seq = null;
      socket.renew("orders");
    }
  }
}

menus();
palette();
if (orderId) addEventListener("load", follow);

const EVERY_MS = 4_000;
const LISTS = "#orders-table, #positions-table, #ops, #order-body";

/** Ask again while somebody looks, but never under the focus, nor orders under the pointer or below older ones. */
function refreshList() {
  const list = document.querySelector(LISTS);
  if (!list || document.hidden || list.contains(document.activeElement)) return;
  if (list.id === "orders-table" && list.matches(":hover")) return;
  if (list.dataset.older) return;
  document.body.dispatchEvent(new CustomEvent(list.id === "order-body" ? "order-changed" : "refresh-list"));
}

if (boot().refresh) {
  setInterval(refreshList, EVERY_MS);
  document.addEventListener("click", (event) => {
    if (event.target.closest(".more")) document.querySelector(LISTS).dataset.older = "yes";
  });
}
