"""Websocket routes of market data."""

from django.urls import path

from marketdata.ws.market import MarketFeed

websocket_urlpatterns = [path("ws/market", MarketFeed.as_asgi())]
