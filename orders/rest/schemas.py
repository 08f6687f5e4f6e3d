"""What the OpenAPI schema says about the answers of this app. Documentation only: built elsewhere."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from oms_project.kernel.words import AccountState, Liquidity, OrderType, Role, Side, Status
from oms_project.kernel.words import TimeInForce as TimeInForceWord
from orders.domain.law import Outcome
from orders.domain.order import Asked, Filled, Life

DECIMAL = r"^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$"


class Schema(serializers.Serializer[Any]):
    pass


def decimal(help_text: str = "", *, null: bool = False) -> serializers.RegexField:
    """Return a decimal that is a string."""
    return serializers.RegexField(DECIMAL, help_text=help_text, allow_null=null)


class OrderSchema(Schema):
    """An order as it is stored: its state is computed from its events."""

    order_id = serializers.CharField()
    account_id = serializers.CharField()
    client_order_id = serializers.CharField()
    symbol = serializers.CharField()
    side = serializers.ChoiceField(choices=list(Side))
    type = serializers.ChoiceField(choices=list(OrderType))
    time_in_force = serializers.ChoiceField(choices=list(TimeInForceWord))
    quantity = decimal()
    price = decimal("null for a market order", null=True)
    reduce_only = serializers.BooleanField()
    stop_price = decimal("the mark at which it is sent; a trailing stop's first one", null=True)
    trail_amount = decimal("how far behind its best mark it is sent", null=True)
    trail_bps = serializers.IntegerField(
        help_text="As trail_amount, in hundredths of a percent.", allow_null=True
    )
    expires_at = serializers.DateTimeField(
        help_text="When a gtd or day order ends; null for others.", allow_null=True
    )
    deadline = serializers.DateTimeField(
        help_text="After this it is not sent to the venue any more.", allow_null=True
    )
    status = serializers.ChoiceField(choices=list(Status))
    filled_quantity = decimal()
    remaining_quantity = decimal('what is still open, "0" once it is closed')
    average_price = decimal(null=True)
    fee = decimal()
    fee_asset = serializers.CharField()
    rejected_by = serializers.ChoiceField(choices=["oms", "venue"], allow_null=True)
    reason = serializers.CharField(allow_null=True)
    late_fill = serializers.BooleanField()
    overfilled = serializers.BooleanField()
    version = serializers.IntegerField()
    account_seq = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    class Meta:
        ref_name = "Order"


class OrdersSchema(Schema):
    orders = OrderSchema(many=True)
    next_cursor = serializers.CharField(allow_null=True)

    class Meta:
        ref_name = "OrderPage"


class EventSchema(Schema):
    """One event. What else is in it goes with its type."""

    type = serializers.CharField()
    event_id = serializers.CharField()
    account_id = serializers.CharField()
    account_seq = serializers.IntegerField()
    order_version = serializers.IntegerField(required=False)
    caused_by = serializers.CharField()
    at = serializers.DateTimeField()

    class Meta:
        ref_name = "Event"


class EventsSchema(Schema):
    order_id = serializers.CharField()
    events = EventSchema(many=True)
    next_seq = serializers.IntegerField(allow_null=True)

    class Meta:
        ref_name = "OrderEvents"


class FillSchema(Schema):
    trade_id = serializers.CharField()
    order_id = serializers.CharField()
    account_id = serializers.CharField()
    symbol = serializers.CharField()
    side = serializers.ChoiceField(choices=list(Side))
    quantity = decimal()
    price = decimal()
    fee = decimal()
    fee_asset = serializers.CharField()
    liquidity = serializers.ChoiceField(choices=list(Liquidity))
    venue = serializers.CharField()
    account_seq = serializers.IntegerField()
    at = serializers.DateTimeField()

    class Meta:
        ref_name = "Fill"


class FillsSchema(Schema):
    fills = FillSchema(many=True)
    next_cursor = serializers.CharField(allow_null=True)

    class Meta:
        ref_name = "FillPage"


class AccountSchema(Schema):
    account_id = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=list(AccountState))
    role = serializers.ChoiceField(choices=list(Role))

    class Meta:
        ref_name = "Account"


class AccountsSchema(Schema):
    accounts = AccountSchema(many=True)

    class Meta:
        ref_name = "Accounts"


class LimitsSchema(Schema):
    """What is null is off."""

    max_open_orders = serializers.IntegerField(allow_null=True)
    max_order_value = decimal(null=True)
    restricted_symbols = serializers.ListField(child=serializers.CharField())

    class Meta:
        ref_name = "Limits"


class AccountDetailSchema(AccountSchema):
    limits = LimitsSchema()
    last_seq = serializers.IntegerField(help_text="Of the newest event that can be read.")

    class Meta:
        ref_name = "AccountDetail"


class PositionSchema(Schema):
    """A net position. The mark is what it could be closed at: the bid if long, the ask if short."""

    symbol = serializers.CharField()
    quantity = decimal("signed")
    average_price = decimal(null=True)
    realized_pnl = decimal()
    unrealized_pnl = decimal("null while there is no fresh price", null=True)
    mark_price = decimal(null=True)
    quote = serializers.CharField()

    class Meta:
        ref_name = "Position"


class PositionsSchema(Schema):
    positions = PositionSchema(many=True)

    class Meta:
        ref_name = "Positions"


class BalanceSchema(Schema):
    asset = serializers.CharField()
    free = decimal()
    locked = decimal()
    total = decimal()

    class Meta:
        ref_name = "Balance"


class BalancesSchema(Schema):
    balances = BalanceSchema(many=True)

    class Meta:
        ref_name = "Balances"


class RowSchema(Schema):
    """A row of the order law. clause: of FIX 4.4."""

    event = serializers.CharField()
    outcome = serializers.ChoiceField(choices=list(Outcome))
    code = serializers.CharField(allow_null=True)
    reason = serializers.CharField()
    clause = serializers.CharField(allow_null=True)


class LawRowSchema(RowSchema):
    """What one thing that can happen does to an order of these facts."""

    life = serializers.ChoiceField(choices=[life.name for life in Life])
    filled = serializers.ChoiceField(choices=[filled.name for filled in Filled])

    class Meta:
        ref_name = "OrderLawRow"


class RequestRowSchema(RowSchema):
    """What one thing that can happen does to the request that is open."""

    asked = serializers.ChoiceField(choices=[asked.name for asked in Asked])

    class Meta:
        ref_name = "OrderRequestRow"


class OrderStatesSchema(Schema):
    statuses = serializers.ListField(child=serializers.CharField())
    open = serializers.ListField(child=serializers.CharField())
    law = LawRowSchema(many=True)
    requests = RequestRowSchema(many=True)

    class Meta:
        ref_name = "OrderStates"


def parameter(name: str, text: str, kind: Any = OpenApiTypes.STR) -> OpenApiParameter:
    return OpenApiParameter(name, kind, description=text)


LIMIT = parameter("limit", "1 to 500, default 100.", OpenApiTypes.INT)
CURSOR = parameter(
    "cursor",
    "The next_cursor of the page before, with the same filters. A page may have fewer rows than the "
    "limit, even none: the list has ended when next_cursor is null.",
)
SYMBOL = parameter("symbol", "For example BTC-USD.")
ORDER_PARAMETERS = [
    parameter("account_id", "One account; all of yours without it."),
    SYMBOL,
    parameter("status", f"Comma-separated: {', '.join(Status)}."),
    parameter("side", "buy or sell."),
    parameter(
        "from",
        "Taken at the door at or after, ISO-8601 with Z, to the millisecond.",
        OpenApiTypes.DATETIME,
    ),
    parameter("to", "Taken at the door before, likewise.", OpenApiTypes.DATETIME),
    parameter("client_order_id", "Exactly this one."),
    CURSOR,
    LIMIT,
]
