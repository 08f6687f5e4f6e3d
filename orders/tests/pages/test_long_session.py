"""Ten hours of a busy page, run faster: what it holds stays what it was."""

import pytest
from playwright.sync_api import CDPSession, expect

from orders.tests.pages.conftest import Watched

pytestmark = pytest.mark.browser
FEED = """() => {
  window.sockets = [];
  const Real = window.WebSocket;
  window.WebSocket = class extends Real {
    constructor(...rest) {
      super(...rest);
      window.sockets.push(this);
    }
  };
}"""
HOURS = """async ([orders, seq]) => {
  const wires = window.sockets;
  const [market, own] = ["market", "orders"].map((name) => wires.findLast((one) => one.url.endsWith(name)));
  const say = (wire, body) => wire.onmessage({ data: JSON.stringify(body) });
  const { account } = JSON.parse(document.getElementById("boot").textContent);
  for (let index = 0; index < orders; index += 1) {
    const at = new Date(Date.UTC(2026, 10, 24) + seq * 1000).toISOString();
    const price = `64${String(index % 1000).padStart(3, "0")}.00`;
    const order = { order_id: `o-${seq}`, account_id: account, client_order_id: `c-${seq}`, symbol: "BTC-USD", side: "buy",
      type: "limit", time_in_force: "gtc", quantity: "0.1000", price, filled_quantity: "0.1000", remaining_quantity: "0",
      average_price: price, fee: "1", fee_asset: "USD", rejected_by: null, reason: null, created_at: at, updated_at: at };
    const event = (type, more) => say(own, { op: "event", channel: "orders", account_id: account, seq: (seq += 1), ...more,
      event: { type, order_id: order.order_id, symbol: "BTC-USD", at, ...more.event } });
    event("OrderAccepted", { order: { ...order, status: "ACCEPTED", version: 2, filled_quantity: "0", remaining_quantity: "0.1000" }, event: {} });
    event("OrderFilled", { order: { ...order, status: "FILLED", version: 3 }, event: { trade_id: `t-${seq}`, side: "buy", price,
      quantity: "0.1000", fee: "1", fee_asset: "USD", liquidity: "taker" } });
    event("PositionChanged", { event: { quantity: "0.1000", average_price: price, realized_pnl: "1" } });
    say(market, { op: "trades", symbol: "BTC-USD", trades: [{ trade_id: `p-${seq}`, price, quantity: "0.1000", side: "buy", at }] });
    say(market, { op: "ticker", symbol: "BTC-USD", bid: price, ask: price, mark: price, last: price, high_24h: price,
      low_24h: price, volume_24h: "1", change_24h: "0.10", stale: false, state: "TRADING", at });
    if (index % 20 === 0) await new Promise((done) => requestAnimationFrame(done));
  }
  return seq;
}"""


def held(client: CDPSession) -> dict[str, float]:
    """Return what the page holds once everything that can go has gone."""
    for _ in range(3):
        client.send("HeapProfiler.collectGarbage")
    found = client.send("Performance.getMetrics")["metrics"]
    return {one["name"]: one["value"] for one in found}


def test_heap_and_dom_stay_flat_through_a_long_session(watched: Watched) -> None:
    """Forty thousand events are an order every three seconds for ten hours."""
    page = watched.page
    page.add_init_script(f"({FEED})()")
    watched.trade()
    seq = page.evaluate(
        """async () => {
          const { get } = await import("/static/js/api.js");
          await get("/api/orders?limit=1&account_id=" + JSON.parse(document.getElementById("boot").textContent).account);
          window.sockets.findLast((one) => one.url.endsWith("orders")).onmessage({ data: JSON.stringify(
            { op: "snapshot", seq: 1000000, orders: [], positions: [], balances: [], fills: [] }) });
          return 1000000;
        }"""
    )
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable")
    for tab in ("fills", "history", "open"):
        page.click(f"#tab-{tab}")
        seq = page.evaluate(HOURS, [800, seq])
    expect(page.locator("#bell-count")).to_have_text("99+")
    before = held(client)
    for tab in ("fills", "history", "open", "positions", "fills", "history", "open"):
        page.click(f"#tab-{tab}")
        seq = page.evaluate(HOURS, [1500, seq])
    after = held(client)
    assert after["JSHeapUsedSize"] < before["JSHeapUsedSize"] * 1.15 + 300_000, (before, after)
    assert after["Nodes"] < before["Nodes"] * 1.1 + 300, (before, after)
    assert after["JSEventListeners"] <= before["JSEventListeners"] + 10, (before, after)
    assert watched.found() == []
