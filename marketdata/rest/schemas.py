"""What the OpenAPI schema says about the answers of this app. Documentation only: built elsewhere."""

from typing import Any

from rest_framework import serializers

from marketdata.domain.candle import INTERVALS
from marketdata.domain.feed_state import FeedState, LeftOut


class InstrumentSchema(serializers.Serializer[Any]):
    """A traded pair. A filter that is null is off; rates are fractions ("0.001" is 0.1 %)."""

    symbol = serializers.CharField()
    base = serializers.CharField()
    quote = serializers.CharField()
    state = serializers.ChoiceField(choices=["TRADING", "HALTED", "DELISTED"])
    in_force = serializers.BooleanField(help_text="False until the engine has taken it over.")
    tick_size = serializers.CharField()
    lot_size = serializers.CharField()
    quantity_min = serializers.CharField(allow_null=True)
    quantity_max = serializers.CharField(allow_null=True)
    notional_min = serializers.CharField(allow_null=True)
    notional_max = serializers.CharField(allow_null=True)
    price_collar = serializers.CharField()
    market_cap = serializers.CharField()
    taker_fee = serializers.CharField()
    maker_fee = serializers.CharField()
    mark_age_max_ms = serializers.IntegerField()

    class Meta:
        ref_name = "Instrument"


class InstrumentsSchema(serializers.Serializer[Any]):
    instruments = InstrumentSchema(many=True)

    class Meta:
        ref_name = "Instruments"


class TickerSchema(serializers.Serializer[Any]):
    """Best prices, the mark and the last 24 hours. Null: not known."""

    symbol = serializers.CharField()
    seq = serializers.IntegerField(help_text="of the book it was made from")
    last = serializers.CharField(allow_null=True)
    bid = serializers.CharField(allow_null=True)
    bid_quantity = serializers.CharField(allow_null=True)
    ask = serializers.CharField(allow_null=True)
    ask_quantity = serializers.CharField(allow_null=True)
    mark = serializers.CharField(allow_null=True)
    open_24h = serializers.CharField(allow_null=True)
    high_24h = serializers.CharField(allow_null=True)
    low_24h = serializers.CharField(allow_null=True)
    volume_24h = serializers.CharField()
    change_24h = serializers.CharField(allow_null=True, help_text="percent, two decimals")
    since = serializers.DateTimeField(
        allow_null=True, help_text="when the *_24h figures began; null once they are of a whole day"
    )
    state = serializers.CharField(help_text="of the instrument")
    venues = serializers.ListField(child=serializers.CharField())
    stale = serializers.BooleanField()
    at = serializers.DateTimeField()

    class Meta:
        ref_name = "Ticker"


class BookSchema(serializers.Serializer[Any]):
    """The consolidated book: [price, quantity] texts, best first."""

    symbol = serializers.CharField()
    seq = serializers.IntegerField()
    bids = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    asks = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    checksum = serializers.IntegerField(help_text="CRC32 over the top ten of each side.")
    venues = serializers.ListField(child=serializers.CharField())
    stale = serializers.BooleanField()
    at = serializers.DateTimeField()

    class Meta:
        ref_name = "Book"


class TradeSchema(serializers.Serializer[Any]):
    trade_id = serializers.CharField()
    venue = serializers.CharField()
    price = serializers.CharField()
    quantity = serializers.CharField()
    side = serializers.ChoiceField(choices=["buy", "sell"], help_text="of the taker")
    at = serializers.DateTimeField()

    class Meta:
        ref_name = "PublicTrade"


class TradesSchema(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    trades = TradeSchema(many=True)

    class Meta:
        ref_name = "PublicTrades"


class CandleSchema(serializers.Serializer[Any]):
    """What traded from `at` on for an interval; without trades all four prices are the last one."""

    at = serializers.DateTimeField(help_text="when it begins")
    open = serializers.CharField()
    high = serializers.CharField()
    low = serializers.CharField()
    close = serializers.CharField()
    volume = serializers.CharField(help_text="in the base asset")
    turnover = serializers.CharField(help_text="in the quote asset")
    trades = serializers.IntegerField()
    closed = serializers.BooleanField(help_text="False while it may still change.")

    class Meta:
        ref_name = "Candle"


class CandlesSchema(serializers.Serializer[Any]):
    symbol = serializers.CharField()
    interval = serializers.ChoiceField(choices=list(INTERVALS))
    candles = CandleSchema(many=True)

    class Meta:
        ref_name = "Candles"


class FeedSchema(serializers.Serializer[Any]):
    """One venue's feed of one symbol."""

    venue = serializers.CharField()
    symbol = serializers.CharField()
    state = serializers.ChoiceField(choices=[str(one) for one in FeedState])
    since = serializers.DateTimeField(help_text="when the state began")
    heard_at = serializers.DateTimeField(allow_null=True)
    left_out = serializers.ChoiceField(
        choices=[str(one) for one in LeftOut if one],
        allow_null=True,
        help_text="why its book is not in the consolidated one; null: it is",
    )
    gaps = serializers.IntegerField()
    resyncs = serializers.IntegerField()
    checked = serializers.IntegerField(help_text="checksums the venue sent")
    checksum_failures = serializers.IntegerField()
    crossed = serializers.IntegerField()
    unreadable = serializers.IntegerField(help_text="messages, of the whole venue")

    class Meta:
        ref_name = "Feed"


class FeedsSchema(serializers.Serializer[Any]):
    feeds = FeedSchema(many=True)

    class Meta:
        ref_name = "Feeds"
