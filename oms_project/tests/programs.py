"""Ann and her programs: for the tests of API keys."""

import asyncio
import json
from typing import Any, Final

from oms_project.access import keys
from oms_project.access.keys import Made
from oms_project.asgi import application
from oms_project.kernel.words import Role
from oms_project.tests import asgi, signer
from oms_project.tests.asgi import Answer
from orders.tests.world import World, publish

READ: Final = "/api/accounts"
ALL: Final = ("read", "trade", "cancel")


class Desk:
    """Ann, who trades on one account and only reads another, and what her programs do."""

    def __init__(self) -> None:
        self.world = World()
        publish("BTC-USD", 2_000_000, 2_000_100)
        self.account, self.watched = self.world.account(), self.world.account()
        self.ann = self.world.user("ann", {self.account: Role.TRADER, self.watched: Role.VIEWER})
        self.loop = asyncio.Runner()

    def key(self, *scopes: str, **how: Any) -> Made:
        how.setdefault("label", "a bot")
        return keys.make(self.ann, scopes=scopes or ALL, **how)

    def ask(
        self, method: str, target: str, fields: dict[str, str], body: bytes = b"",
        address: str = "127.0.0.1",
    ) -> Answer:  # fmt: skip
        path, _, query = target.partition("?")
        headers = {"host": "localhost", "content-type": "application/json", **fields}
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        return self.loop.run(
            asgi.ask(
                application, method, path, query=query.encode(), headers=raw, pieces=[body],
                client=(address, 1),
            )
        )  # fmt: skip

    def signed(self, made: Made, method: str = "GET", target: str = READ, **how: Any) -> Answer:
        """Ask, signed as it should be."""
        body, address = how.pop("body", b""), how.pop("address", "127.0.0.1")
        secret = how.pop("secret", made.secret)
        found = signer.fields(made.key.pk, secret, method, target, body, **how)
        return self.ask(method, target, found, body, address)

    def order(self, account: str = "") -> bytes:
        return json.dumps(
            {
                "account_id": account or self.account, "symbol": "BTC-USD", "side": "buy",
                "type": "limit", "quantity": "0.1", "price": "20000.00",
            }
        ).encode()  # fmt: skip


def code_of(answer: Answer) -> str:
    return json.loads(answer.body).get("code", "") if answer.status >= 400 else str(answer.status)
