"""Websocket routes of orders."""

from django.urls import path

from orders.ws.orders import OrderFeed

websocket_urlpatterns = [path("ws/orders", OrderFeed.as_asgi())]
