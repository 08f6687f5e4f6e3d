"""Instruments in the admin: listed by an admin, their risk fields changed by a risk officer.

What orders and positions are counted in (assets, tick, lot) never changes once it is listed. Each
change is a command; see changes.py.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from django import forms
from django.contrib import admin
from django.core.validators import RegexValidator
from django.http import HttpRequest

from marketdata.adapters import instruments
from marketdata.domain.instrument import (
    LOTS_MAX,
    SYMBOL_CHARS_MAX,
    SYMBOL_PATTERN,
    Instrument,
    Units,
)
from marketdata.models import Instrument as InstrumentRow
from oms_project.access.rights import Action
from oms_project.kernel.errors import TransportError
from oms_project.kernel.words import InstrumentState
from orders import wiring
from orders.adapters.change_requests import Asked
from orders.admin import changes
from orders.admin.fields import PercentField, UnitsField, lots_of, notional_text, percent_text
from orders.domain import commands

KIND: Final = "instrument"
MARK_AGE_MS_MIN, MARK_AGE_MS_MAX = 100, 600_000
FROZEN: Final = ("symbol", "base", "quote", "tick_size", "lot_size")
QUANTITIES: Final = ("quantity_min", "quantity_max", "notional_min", "notional_max")
PRICES: Final = ("collar", "market_cap", "mark_age_max_ms")
FEES: Final = ("taker_fee", "maker_fee")
RISK_FIELDS: Final = frozenset({"state", *QUANTITIES, *PRICES})
ALL_FIELDS: Final = frozenset({"state", *FROZEN, *QUANTITIES, *PRICES, *FEES})
STATE_HELP: Final = "HALTED and DELISTED refuse new orders; cancels and fills go on."

_asset = RegexValidator(r"\A[A-Z0-9]{2,12}\Z", "2 to 12 capital letters or digits.")
_symbol = RegexValidator(rf"\A{SYMBOL_PATTERN}\Z", "Like BTC-USD.")


class InstrumentForm(changes.LoggedForm):
    """All fields of an instrument as people write them: decimals and percent."""

    symbol = forms.CharField(max_length=SYMBOL_CHARS_MAX, validators=[_symbol])
    base = forms.CharField(max_length=12, validators=[_asset], help_text="What is bought, as BTC.")
    quote = forms.CharField(max_length=12, validators=[_asset], help_text="What it is paid with.")
    tick_size = forms.CharField(max_length=20, help_text="Smallest price step, like 0.01.")
    lot_size = forms.CharField(max_length=20, help_text="Smallest quantity step, like 0.0001.")
    state = forms.ChoiceField(
        choices=[(state.value, state.value) for state in InstrumentState], help_text=STATE_HELP
    )
    quantity_min = forms.CharField(max_length=40, help_text="Of one order, in whole lots.")
    quantity_max = forms.CharField(max_length=40, required=False, help_text="Empty: no limit.")
    notional_min = UnitsField(required=False, help_text="Price × quantity in the quote asset.")
    notional_max = UnitsField(required=False, help_text="0 or empty: no limit.")
    collar = PercentField(
        percent_max=1_000, required=False, label="Collar, %",
        help_text="How far a limit price may be from the mark. 0: no collar.",
    )  # fmt: skip
    market_cap = PercentField(
        percent_max=99, label="Market order cap, %",
        help_text="How far through the mark a market order may trade.",
    )  # fmt: skip
    mark_age_max_ms = forms.IntegerField(
        min_value=MARK_AGE_MS_MIN, max_value=MARK_AGE_MS_MAX, label="Mark age max, ms",
        help_text="Orders are refused while the mark is older.",
    )  # fmt: skip
    taker_fee = PercentField(percent_max=10, required=False, label="Taker fee, %")
    maker_fee = PercentField(percent_max=10, required=False, label="Maker fee, %")

    class Meta:
        model = InstrumentRow
        fields = ()

    def newest_terms(self) -> tuple[Instrument | None, str]:
        if self.instance._state.adding:
            return None, ""
        wish = changes.open_wish(KIND, self.instance.pk)
        if wish is not None:
            return instruments.from_spec(wish.wanted), wish.id
        row = self.instance
        return instruments.from_spec(row.spec), f"{row.at_ns}/{row.offset}"

    def values_of(self, terms: Instrument | None) -> dict[str, Any]:
        if terms is None:
            new = Instrument(symbol="", base="", quote="", tick_size="0.01", lot_size="0.0001")
            return self._rates(new) | {"quantity_min": "0.0001"}
        units = Units(terms)
        most = terms.quantity_max_lots
        return self._rates(terms) | {
            **{name: getattr(terms, name) for name in FROZEN},
            "quantity_min": units.quantity_text(terms.quantity_min_lots),
            "quantity_max": units.quantity_text(most) if most else "",
        }

    @staticmethod
    def _rates(terms: Instrument) -> dict[str, Any]:
        return {
            "state": terms.state.value,
            "notional_min": terms.notional_min,
            "notional_max": terms.notional_max,
            "collar": terms.collar_ppm,
            "market_cap": terms.market_cap_ppm,
            "mark_age_max_ms": terms.mark_age_max_ms,
            "taker_fee": terms.taker_fee_ppm,
            "maker_fee": terms.maker_fee_ppm,
        }

    def clean_symbol(self) -> str:
        symbol: str = self.cleaned_data["symbol"]
        known = InstrumentRow.objects.filter(pk=symbol).exists()
        if self.instance._state.adding and known:
            raise forms.ValidationError("This symbol is listed already.")
        return symbol

    def terms_of(self, cleaned: Mapping[str, Any]) -> Instrument:
        terms = Instrument(
            **{name: cleaned[name] for name in FROZEN},
            notional_min=cleaned["notional_min"], notional_max=cleaned["notional_max"],
            collar_ppm=cleaned["collar"], market_cap_ppm=cleaned["market_cap"],
            taker_fee_ppm=cleaned["taker_fee"], maker_fee_ppm=cleaned["maker_fee"],
            mark_age_max_ms=cleaned["mark_age_max_ms"], state=InstrumentState(cleaned["state"]),
        )  # fmt: skip
        if terms.base == terms.quote:
            raise forms.ValidationError({"quote": "Base and quote must differ."})
        try:
            units = Units(terms)
        except ValueError as error:
            raise forms.ValidationError(f"Tick and lot do not fit: {error}.") from error
        least = self._lots(units, "quantity_min", cleaned)
        most = self._lots(units, "quantity_max", cleaned)
        if most and least > most:
            raise forms.ValidationError({"quantity_max": "Less than the minimum."})
        if terms.notional_max and terms.notional_min > terms.notional_max:
            raise forms.ValidationError({"notional_max": "Less than the minimum."})
        return msgspec.structs.replace(
            terms, quantity_min_lots=max(1, least), quantity_max_lots=most
        )

    @staticmethod
    def _lots(units: Units, name: str, cleaned: Mapping[str, Any]) -> int:
        try:
            lots = lots_of(units, cleaned[name])
        except forms.ValidationError as error:
            raise forms.ValidationError({name: error.messages}) from error
        if lots > LOTS_MAX:
            raise forms.ValidationError({name: "Too large."})
        return lots

    @staticmethod
    def shown(terms: Instrument) -> dict[str, str]:
        units = Units(terms)
        most = terms.quantity_max_lots
        return {
            "symbol": terms.symbol,
            "tick size": terms.tick_size,
            "lot size": terms.lot_size,
            "state": terms.state.value,
            "min. quantity": units.quantity_text(terms.quantity_min_lots),
            "max. quantity": units.quantity_text(most) if most else "no limit",
            "min. notional": notional_text(terms.notional_min, terms),
            "max. notional": notional_text(terms.notional_max, terms),
            "collar": percent_text(terms.collar_ppm),
            "market order cap": percent_text(terms.market_cap_ppm),
            "mark age": f"{terms.mark_age_max_ms} ms",
            "taker fee": percent_text(terms.taker_fee_ppm),
            "maker fee": percent_text(terms.maker_fee_ppm),
        }


def _shown(label: str, description: str) -> Any:
    """Return a column, and the text of a field for who may only look."""

    @admin.display(description=description)
    def show(_: Any, row: InstrumentRow) -> str:
        return InstrumentForm.shown(instruments.from_spec(row.spec))[label]

    return show


@admin.register(InstrumentRow)
class InstrumentAdmin(changes.LoggedAdmin):
    form = InstrumentForm
    kind = KIND
    list_display = ("symbol", "state", "change_on_its_way", "tick_size", "lot_size", "collar",
                    "taker_fee", "maker_fee")  # fmt: skip
    list_filter = ("state",)
    search_fields = ("symbol",)
    adds = Action.REFER
    editable = {Action.LIMIT: RISK_FIELDS, Action.REFER: ALL_FIELDS}

    tick_size = _shown("tick size", "tick size")
    lot_size = _shown("lot size", "lot size")
    quantity_min = _shown("min. quantity", "min. quantity")
    quantity_max = _shown("max. quantity", "max. quantity")
    notional_min = _shown("min. notional", "min. notional")
    notional_max = _shown("max. notional", "max. notional")
    collar = _shown("collar", "collar")
    market_cap = _shown("market order cap", "market order cap")
    mark_age_max_ms = _shown("mark age", "mark age max.")
    taker_fee = _shown("taker fee", "taker fee")
    maker_fee = _shown("maker fee", "maker fee")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        may = obj is None or self.has_change_permission(request, obj)
        # base and quote stand in the symbol: who may only look needs no second telling
        traded = (*FROZEN, "state", *changes.HIDDEN) if may else ("symbol", *FROZEN[3:], "state")
        text = "Never changes once listed: orders and positions are counted in it."
        why = (("Why", {"fields": changes.WHY}),) if obj is not None and may else ()
        return (
            ("What is traded", {"fields": traded, "description": text}),
            ("Size of one order", {"fields": QUANTITIES}),
            ("Prices", {"fields": PRICES}),
            ("Fees, taken in the quote asset", {"fields": FEES}),
            *why,
        )

    def fields_for(self, request: HttpRequest, obj: Any) -> frozenset[str]:
        fields = super().fields_for(request, obj)
        return fields if obj is None else fields - set(FROZEN)

    @admin.display(description="change on its way", empty_value="")
    def change_on_its_way(self, row: InstrumentRow) -> str | None:
        try:
            wish = changes.open_wish(KIND, row.pk)
        except TransportError:
            return "the order store does not answer"
        if wish is not None:
            return wish.text
        return None if row.offset is not None else "not in force yet"

    def target_of(self, obj: InstrumentRow, form: Any) -> str:
        return str(form.terms.symbol)

    def ask(self, obj: InstrumentRow, form: Any, asked: Asked) -> tuple[Asked, bool]:
        version = changes.next_version(asked, lambda: wiring.listings_told().version(asked.target))
        sent = changes.send(asked, commands.SetInstrument(form.terms, version))
        if obj._state.adding:
            obj.pk = asked.target
            instruments.propose([form.terms], 0)
        return sent
