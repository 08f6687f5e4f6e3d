"""Form fields for the product's integers: decimal text outside, whole units inside, no float."""

from typing import Any, Final

from django import forms

from marketdata.domain.instrument import SCALE, UNITS_MAX, Instrument, Units, units_text
from oms_project.kernel import numbers

PERCENT_PLACES: Final = 4
"""One percent is 10,000 parts per million, so ppm are percent with four decimals."""


class UnitsField(forms.CharField):
    """A decimal text that is an integer of 10^-places. Empty is 0 unless required."""

    def __init__(
        self,
        *,
        places: int = SCALE,
        units_max: int = UNITS_MAX,
        signed: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.places = places
        self.units_max = units_max
        self.signed = signed
        self.widget.attrs.setdefault("inputmode", "decimal")

    def to_python(self, value: Any) -> int:
        if isinstance(value, int):
            return value  # a disabled field is cleaned with its initial value
        text = str(value or "").strip()
        if not text:
            return 0
        sign = 1
        if self.signed and text[0] in "+-":
            sign = -1 if text[0] == "-" else 1
            text = text[1:]
        try:
            units = numbers.scaled(text, self.places)
        except ValueError as error:
            raise forms.ValidationError("Write a plain decimal, like 1250.50.") from error
        if units is None:
            raise forms.ValidationError(f"At most {self.places} decimals.")
        if units > self.units_max:
            raise forms.ValidationError(f"At most {numbers.text(self.units_max, self.places)}.")
        return sign * units

    def validate(self, value: int) -> None:
        if self.required and not value:
            raise forms.ValidationError("This must not be zero.")

    def run_validators(self, value: int) -> None:
        """The text's validators do not fit an integer; `to_python` has checked it."""

    def prepare_value(self, value: Any) -> Any:
        return numbers.text(value, self.places) if isinstance(value, int) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.to_python(data) != (initial or 0)
        except forms.ValidationError:
            return True


class PercentField(UnitsField):
    """A percentage, kept in parts per million."""

    def __init__(self, *, percent_max: int, **kwargs: Any) -> None:
        units_max = percent_max * 10**PERCENT_PLACES
        super().__init__(places=PERCENT_PLACES, units_max=units_max, **kwargs)


class LineField(forms.CharField):
    """One line of text for people, without control characters."""

    def validate(self, value: str) -> None:
        super().validate(value)
        if not value.isprintable():
            raise forms.ValidationError("One line of printable text, please.")


def percent_text(ppm: int) -> str:
    return f"{numbers.text(ppm, PERCENT_PLACES)} %"


def lots_of(units: Units, text: str) -> int:
    """Return a quantity text in lots; "" is 0.

    Raises:
        forms.ValidationError: no decimal, or between two lots.
    """
    text = text.strip()
    if not text:
        return 0
    try:
        lots = units.lots(text)
    except ValueError as error:
        raise forms.ValidationError("Write a plain decimal, like 0.001.") from error
    if lots is None:
        raise forms.ValidationError(f"Whole lots of {units.instrument.lot_size} only.")
    return lots


def notional_text(units: int, instrument: Instrument) -> str:
    return f"{units_text(units)} {instrument.quote}" if units else "no limit"
