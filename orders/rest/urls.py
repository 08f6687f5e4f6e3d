"""Routes of orders and accounts below /api/. Order entry is in front of them: flow.py."""

from django.urls import path

from orders.rest import account_views, operator_views, views

urlpatterns = [
    path("orders", views.OrderListView.as_view(), name="orders"),
    path("orders/<str:order_id>", views.OrderView.as_view(), name="order"),
    path("orders/<str:order_id>/events", views.OrderEventsView.as_view(), name="order-events"),
    path("orders/<str:order_id>/fills", views.OrderFillsView.as_view(), name="order-fills"),
    path("accounts", account_views.AccountListView.as_view(), name="accounts"),
    path("accounts/<str:account_id>", account_views.AccountView.as_view(), name="account"),
    path(
        "accounts/<str:account_id>/positions",
        account_views.PositionsView.as_view(),
        name="account-positions",
    ),
    path(
        "accounts/<str:account_id>/balances",
        account_views.BalancesView.as_view(),
        name="account-balances",
    ),
    path(
        "accounts/<str:account_id>/fills",
        account_views.AccountFillsView.as_view(),
        name="account-fills",
    ),
    path("integrity", operator_views.IntegrityView.as_view(), name="integrity"),
    path("meta/order-states", views.OrderStatesView.as_view(), name="meta-order-states"),
]
