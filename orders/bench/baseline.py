"""The baseline: the same order through a plain DRF view and one ORM transaction.

What a good engineer would write first: a serializer, row locks, an order, a fill, a balance. A Django
project in one file, on SQLite with the same durability (WAL, FULL), run by gunicorn's threads.
Imported by its own server process only.
"""

from typing import Any

from django.conf import settings

from oms_project import env

if not settings.configured:
    _env = env.load()
    settings.configure(
        SECRET_KEY="baseline",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
        MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": _env.data_dir / "baseline.sqlite3",
                "CONN_MAX_AGE": None,
                "OPTIONS": {
                    "transaction_mode": "IMMEDIATE",
                    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                    "PRAGMA busy_timeout=5000;",
                },
            }
        },
        REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
    )
    import django

    django.setup()

from django.core.wsgi import get_wsgi_application
from django.db import connection, models, transaction
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Account(models.Model):
    name = models.CharField(max_length=64, unique=True)
    cash = models.DecimalField(max_digits=24, decimal_places=8)

    class Meta:
        app_label = "baseline"


class Order(models.Model):
    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    client_order_id = models.CharField(max_length=36, unique=True)
    symbol = models.CharField(max_length=24)
    side = models.CharField(max_length=4)
    type = models.CharField(max_length=8)
    quantity = models.DecimalField(max_digits=24, decimal_places=8)
    price = models.DecimalField(max_digits=24, decimal_places=8, null=True)
    status = models.CharField(max_length=16)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "baseline"


class Fill(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    quantity = models.DecimalField(max_digits=24, decimal_places=8)
    price = models.DecimalField(max_digits=24, decimal_places=8)

    class Meta:
        app_label = "baseline"


class OrderSerializer(serializers.ModelSerializer):
    account_id = serializers.CharField(write_only=True)

    class Meta:
        model = Order
        fields = ("account_id", "client_order_id", "symbol", "side", "type", "quantity", "price")


class PlaceOrder(APIView):
    """201 with the filled order: one transaction."""

    def post(self, request: Request) -> Response:
        body = OrderSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        terms: dict[str, Any] = dict(body.validated_data)
        price = terms.get("price") or 100
        with transaction.atomic():
            account = Account.objects.select_for_update().get(name=terms.pop("account_id"))
            order = Order.objects.create(account=account, status="FILLED", **terms)
            Fill.objects.create(order=order, quantity=order.quantity, price=price)
            account.cash -= order.quantity * price
            account.save(update_fields=["cash"])
        return Response({"order_id": order.pk, "status": order.status}, status=202)


urlpatterns = [path("api/orders", PlaceOrder.as_view())]
application = get_wsgi_application()


def make_tables(accounts: list[str]) -> None:
    """Make the tables and the accounts in the server's database."""
    with connection.schema_editor() as editor:
        for model in (Account, Order, Fill):
            editor.create_model(model)
    Account.objects.bulk_create(Account(name=name, cash=10**9) for name in accounts)


if __name__ == "__main__":
    import sys

    make_tables(sys.argv[1:])
