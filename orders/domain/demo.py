"""Who and what the demo has. Everything is named, so that seeding twice changes nothing."""

from typing import Final

import msgspec

from oms_project.kernel.words import Role
from risk.domain.limits import Limits

PASSWORD: Final = "crypto-oms-demo"
"""Of every demo log-in. `demo` refuses to run where secure cookies are on."""


class DemoAccount(msgspec.Struct, frozen=True):
    """An account and what it is credited with (asset -> decimal text)."""

    account_id: str
    name: str
    funds: dict[str, str]
    limits: Limits = Limits()


class Login(msgspec.Struct, frozen=True):
    """A demo user; member: account name -> role."""

    username: str
    text: str
    desk_role: str
    member: dict[str, Role]
    staff: bool = False
    superuser: bool = False


_RICH: Final = {
    "USD": "1000000", "BTC": "25", "ETH": "400", "SOL": "5000", "XRP": "500000", "ADA": "500000",
}  # fmt: skip
ACCOUNTS: Final = (
    DemoAccount(
        "5b0e7c1a-0001-4a6e-9c11-a1fa00000001", "Alpha Fund", _RICH, Limits(max_open_orders=500)
    ),
    DemoAccount(
        "5b0e7c1a-0002-4a6e-9c11-be7a00000002",
        "Beta Capital",
        {"USD": "250000", "BTC": "2", "ETH": "50"},
        Limits(max_open_orders=200, max_order_value=100_000 * 10**8),
    ),
    DemoAccount(
        "5b0e7c1a-0003-4a6e-9c11-9a33a0000003", "Gamma Bots", {"USD": "5000000", "BTC": "100"}
    ),
)
LOGINS: Final = (
    Login("alice", "trader", "trader", {"Alpha Fund": Role.TRADER, "Gamma Bots": Role.TRADER}),
    Login("bob", "trader", "trader", {"Beta Capital": Role.TRADER}),
    Login("vera", "viewer", "viewer", {"Alpha Fund": Role.VIEWER, "Beta Capital": Role.VIEWER}),
    Login("rita", "risk officer", "risk_officer", {}, staff=True),
    Login("olga", "operator", "operator", {}, staff=True),
    Login("admin", "admin", "admin", {}, staff=True, superuser=True),
)
