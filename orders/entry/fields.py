"""The fields an order may have at the API, as structs that bodies are decoded into, and as the contract.

What a field may say is read in bodies.py; why it may not, said in wrong.py.
"""

import re
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from marketdata.domain.instrument import SYMBOL_PATTERN
from oms_project.kernel import ids, numbers
from oms_project.kernel.words import OrderType, Side, TimeInForce

BATCH_MAX: Final = 500
TRAIL_BPS_MAX: Final = 5_000
CLIENT_ORDER_ID: Final = re.compile(ids.CLIENT_ORDER_ID_PATTERN)
TIME_PATTERN: Final = (
    r"^(19[7-9]|2[01][0-9]|22[0-5])[0-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?Z$"
)
Mode: Final = ("independent", "atomic")


def _said(text: str, **schema: Any) -> msgspec.Meta:
    """What the contract says of a field; what is refused is refused in wrong.py, with a code."""
    return msgspec.Meta(description=text, extra_json_schema=schema or None)


Symbol = Annotated[str, _said("one of GET /api/instruments", pattern=f"^{SYMBOL_PATTERN}$")]
Decimal = Annotated[str, _said("above zero, as a string", pattern=f"^{numbers.PATTERN}$")]
AccountId = Annotated[str, _said("yours, to trade", pattern=f"^{ids.ID_PATTERN}$")]


class PlainBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The fields of the plain order: what has no other is decoded without looking for more."""

    symbol: Symbol
    side: Side
    type: OrderType
    quantity: Decimal
    account_id: AccountId | UnsetType = UNSET
    time_in_force: (
        Annotated[
            TimeInForce,
            _said("gtc for a limit order, ioc for a market order by default; day: until 00:00 UTC"),
        ]
        | UnsetType
    ) = UNSET
    price: Decimal | UnsetType = UNSET
    client_order_id: (
        Annotated[
            str,
            _said("unique per account, for ever; by default the order's id",
                  pattern=f"^{ids.CLIENT_ORDER_ID_PATTERN}$"),
        ]
        | UnsetType
    ) = UNSET  # fmt: skip
    reduce_only: (
        Annotated[bool, _said("refused if it could open or flip the position")] | UnsetType
    ) = UNSET


class OrderBody(PlainBody, forbid_unknown_fields=True, gc=False):
    """An order: POST /api/orders, and an item of a batch. Decimals are strings."""

    expires_at: (
        Annotated[str, _said("when a gtd order ends, and only of one", pattern=TIME_PATTERN)]
        | UnsetType
    ) = UNSET
    deadline: (
        Annotated[
            str,
            _said("after this it is not sent to the venue any more: it ends EXPIRED instead",
                  pattern=TIME_PATTERN),
        ]
        | UnsetType
    ) = UNSET  # fmt: skip

    stop_price: (
        Annotated[
            str,
            _said(
                "the mark at which a stop or take_profit is sent", pattern=f"^{numbers.PATTERN}$"
            ),
        ]
        | UnsetType
    ) = UNSET
    trail_amount: (
        Annotated[
            str,
            _said("how far behind its best mark a trailing_stop is sent; or trail_bps",
                  pattern=f"^{numbers.PATTERN}$"),
        ]
        | UnsetType
    ) = UNSET  # fmt: skip
    trail_bps: (
        Annotated[
            int,
            _said("as trail_amount, in hundredths of a percent", minimum=1, maximum=TRAIL_BPS_MAX),
        ]
        | UnsetType
    ) = UNSET


class PlainBatch(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A batch of plain orders only."""

    orders: list[PlainBody]
    account_id: AccountId | UnsetType = UNSET
    mode: str | UnsetType = UNSET


class BatchBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """POST /api/orders/batch: orders of one account. It stands here, or in the first of them."""

    orders: Annotated[list[OrderBody], _said(f"1 to {BATCH_MAX}", minItems=1, maxItems=BATCH_MAX)]
    account_id: AccountId | UnsetType = UNSET
    mode: Annotated[str, _said("independent by default", enum=list(Mode))] | UnsetType = UNSET


Body = PlainBody | OrderBody
