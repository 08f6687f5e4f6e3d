"""What the load sends, and the accounts it sends it for. Seeded: the same run sends the same."""

import msgspec

from marketdata.domain.demo import INSTRUMENTS
from marketdata.domain.instrument import SCALE, Units
from oms_project.access import accounts, tokens, users
from oms_project.access.models import User
from oms_project.adapters.ids import seeded
from oms_project.kernel.words import AccountState, Role
from orders import wiring
from orders.bench import client
from orders.domain import commands
from risk.domain.limits import Limits

SYMBOLS = ("BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD", "ADA-USD")
PASSWORD = "bench-only-password"
FUNDS = 10**9 * 10**SCALE
_encode = msgspec.json.Encoder().encode


def seed(count: int) -> tuple[list[str], str]:
    """Open *count* rich accounts and return their ids and a token that may trade on all."""
    gateway = wiring.gateway()
    assets = {"USD", *(symbol.partition("-")[0] for symbol in SYMBOLS)}
    found = []
    for number in range(count):
        account_id = f"be9c4000-0000-4000-8000-{number:012x}"
        name = f"Bench {number}"
        gateway.broadcast(
            commands.SetAccount(account_id, name, AccountState.ACTIVE, Limits()),
            account_id=account_id, actor="bench",
        )  # fmt: skip
        for asset in sorted(assets):
            gateway.broadcast(
                commands.AdjustBalance(account_id, f"bench-{asset}", asset, FUNDS, "bench"),
                account_id=account_id, actor="bench",
            )  # fmt: skip
        accounts.propose(account_id, name, AccountState.ACTIVE, "{}")
        users.ensure(
            "bench", PASSWORD, desk_role="trader", staff=False, superuser=False,
            member={name: Role.TRADER},
        )  # fmt: skip
        found.append(account_id)
    user = User.objects.get(username="bench")
    return found, tokens.issue(user).access


class Orders:
    """Makes order bodies: small ones of five symbols, half buys, a third market orders.

    Limit orders cross the spread by far, so that what is measured is the way to a fill.
    """

    def __init__(self, seed_number: int, prices: dict[str, str]) -> None:
        self._dice = seeded(seed_number)
        self._units = {i.symbol: Units(i) for i in INSTRUMENTS}
        self._ticks = {symbol: self._units[symbol].ticks(price) for symbol, price in prices.items()}
        self._number = 0

    def order(self) -> dict[str, str]:
        dice = self._dice
        symbol = SYMBOLS[dice.randrange(len(SYMBOLS))]
        units = self._units[symbol]
        buy = dice.randrange(2) == 0
        instrument = units.instrument
        lots = max(instrument.quantity_min_lots, 1) * (1 + dice.randrange(3))
        ticks = self._ticks[symbol]
        least = -(-instrument.notional_min // (ticks * units.tick_lot_units)) * 2
        lots = max(lots, least)
        self._number += 1
        order = {
            "symbol": symbol,
            "side": "buy" if buy else "sell",
            "type": "market",
            "quantity": units.quantity_text(lots),
            "client_order_id": f"b{self._number}",
        }
        if dice.randrange(3):
            order["type"] = "limit"
            order["price"] = units.price_text(ticks * (110 if buy else 90) // 100)
        return order

    def batches(self, count: int, size: int, account_ids: list[str], token: str) -> list[bytes]:
        """Return *count* requests of *size* orders, the accounts in turn."""
        found = []
        for number in range(count):
            account_id = account_ids[number % len(account_ids)]
            body = _encode(
                {"account_id": account_id, "orders": [self.order() for _ in range(size)]}
            )
            found.append(
                client.request("POST", "/api/orders/batch", body, token=token, key=f"k{number}")
            )
        return found

    def singles(self, count: int, account_ids: list[str], token: str) -> list[bytes]:
        """Return *count* requests of one order, the accounts in turn."""
        found = []
        for number in range(count):
            account_id = account_ids[number % len(account_ids)]
            body = _encode({"account_id": account_id, **self.order()})
            found.append(client.request("POST", "/api/orders", body, token=token, key=f"s{number}"))
        return found
