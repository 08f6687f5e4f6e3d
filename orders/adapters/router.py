"""Which database a model lives in: the projection and candles in settings.STORE_ALIAS, all else in default."""

from typing import Any

from django.conf import settings

_IN_DEFAULT = {"claim", "upkeep", "changerequest"}
_CANDLES = {("marketdata", "candle"), ("marketdata", "candlespan")}


class StoreRouter:
    """Django's database router."""

    def db_for_read(self, model: Any, **_: Any) -> str | None:
        return self._alias(model._meta.app_label, model._meta.model_name)

    def db_for_write(self, model: Any, **_: Any) -> str | None:
        return self._alias(model._meta.app_label, model._meta.model_name)

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **_: Any
    ) -> bool | None:
        return db == self._alias(app_label, model_name)

    @staticmethod
    def _alias(app_label: str, model_name: str | None) -> str:
        in_store = (app_label == "orders" and model_name not in _IN_DEFAULT) or (
            app_label,
            model_name,
        ) in _CANDLES
        return settings.STORE_ALIAS if in_store else "default"
