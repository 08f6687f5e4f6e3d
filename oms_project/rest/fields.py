"""Strict input for DRF: nothing is trimmed, coerced or ignored."""

from collections.abc import Mapping
from typing import Any, Final

from django.core.validators import RegexValidator
from rest_framework import serializers
from rest_framework.request import Request

from oms_project.rest.parsers import body_of

NO_NUL: Final = r"^[^\x00]*$"


class Text(serializers.CharField):
    """A JSON string as it is: a number is no text, blanks stay.

    pattern: what the whole text must be like; the schema says it, too. Without one all but NUL goes.
    """

    def __init__(self, *, pattern: str = NO_NUL, **kwargs: Any) -> None:
        validators = [RegexValidator(pattern)]
        super().__init__(trim_whitespace=False, validators=validators, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)

    def run_validators(self, value: str) -> None:
        """Say one thing of a field: DRF refuses a NUL, and the pattern does, too."""
        try:
            super().run_validators(value)
        except serializers.ValidationError as error:
            raise serializers.ValidationError(error.detail[:1]) from error


class Body(serializers.Serializer[Any]):
    """An object of which every field is known."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                text = "There is no such field."
                errors = {
                    str(name)[:64]: [serializers.ErrorDetail(text, "unknown_field")]
                    for name in unknown
                }
                raise serializers.ValidationError(errors)
        return super().to_internal_value(data)


def valid(kind: type[Body], request: Request) -> dict[str, Any]:
    """Return the fields of the request's body.

    Raises:
        ProblemError, ValidationError: a body that cannot be read, or is not a *kind*.
    """
    body = kind(data=body_of(request))
    body.is_valid(raise_exception=True)
    fields: dict[str, Any] = body.validated_data
    return fields
