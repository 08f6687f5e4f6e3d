"""The addresses of the pages, over any desk."""

from django.urls import URLPattern, path

from oms_project.access.pages import LogoutView
from orders.pages.desk import Desk
from orders.pages.views import Pages


def routes(desk: Desk) -> list[URLPattern]:
    """Return the URL patterns of all pages, reading from *desk*."""
    pages = Pages(desk)
    return [
        path("", pages.home, name="trade-home"),
        path("login/", pages.login, name="login"),
        path("logout/", LogoutView.as_view(), name="logout"),
        path("trade/<slug:symbol>/", pages.market, name="market"),
        path("a/<slug:account_id>/", pages.account, name="account"),
        path("a/<slug:account_id>/trade/<slug:symbol>/", pages.trade, name="trade"),
        path("a/<slug:account_id>/trade/<slug:symbol>/orders/", pages.submit, name="trade-submit"),
        path("orders/", pages.orders, name="orders"),
        path("orders.csv", pages.orders_csv, name="orders-csv"),
        path("positions/", pages.positions, name="positions"),
        path("ops/", pages.operations, name="ops"),
        path("orders/<uuid:order_id>/", pages.order, name="order"),
        path("orders/<uuid:order_id>/cancel/", pages.cancel, name="order-cancel"),
    ]
