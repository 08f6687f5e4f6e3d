"""manage.py demo: users, accounts, money and instruments to try the product with."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from marketdata.adapters import instruments
from marketdata.domain.demo import INSTRUMENTS
from marketdata.domain.instrument import SCALE
from oms_project.access import accounts, users
from oms_project.kernel.numbers import scaled
from oms_project.kernel.words import AccountState
from orders import wiring
from orders.domain import commands, demo

ACTOR = "demo"


class Command(BaseCommand):
    help = (
        "Seed the demo's users, accounts, balances and instruments. Safe to repeat: what is there "
        "stays as it is.\n\n"
        "  manage.py demo"
    )

    def handle(self, *, verbosity: int, **_: object) -> None:
        if settings.ENV.secure_cookies:
            raise CommandError(
                "The demo's password is published: not where OMS_SECURE_COOKIES is 1. Use `up --no-demo`."
            )
        gateway = wiring.gateway()
        instruments.propose(INSTRUMENTS, 0)
        for instrument in INSTRUMENTS:
            gateway.broadcast(commands.SetInstrument(instrument), actor=ACTOR)
        known = users.account_ids()
        for account in demo.ACCOUNTS:
            if account.account_id not in known:
                self._open(account)
        for login in demo.LOGINS:
            users.ensure(
                login.username, demo.PASSWORD, desk_role=login.desk_role, staff=login.staff,
                superuser=login.superuser, member=login.member,
            )  # fmt: skip
        if verbosity:
            names = ", ".join(login.username for login in demo.LOGINS)
            self.stdout.write(f"Demo is there. Log in as {names}; password {demo.PASSWORD}")

    def _open(self, account: demo.DemoAccount) -> None:
        """Open an account by commands; the row says "not in force yet" until the engine answers."""
        gateway = wiring.gateway()
        gateway.broadcast(
            commands.SetAccount(
                account.account_id, account.name, AccountState.ACTIVE, account.limits
            ),
            account_id=account.account_id, actor=ACTOR,
        )  # fmt: skip
        for asset, amount in account.funds.items():
            units = scaled(amount, SCALE)
            if units is None:
                raise CommandError(f"{amount} {asset} is finer than its smallest unit")
            gateway.broadcast(
                commands.AdjustBalance(
                    account.account_id, f"demo-{asset}", asset, units, "demo funds"
                ),
                account_id=account.account_id, actor=ACTOR,
            )  # fmt: skip
        accounts.propose(account.account_id, account.name, AccountState.ACTIVE, "{}")
