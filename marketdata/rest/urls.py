"""Routes below /api/."""

from django.urls import path

from marketdata.rest import views

urlpatterns = [
    path("instruments", views.InstrumentsView.as_view(), name="instruments"),
    path("marketdata/feeds", views.FeedsView.as_view(), name="feeds"),
    path("marketdata/<str:symbol>/ticker", views.TickerView.as_view(), name="ticker"),
    path("marketdata/<str:symbol>/book", views.BookView.as_view(), name="book"),
    path("marketdata/<str:symbol>/trades", views.TradesView.as_view(), name="trades"),
    path("marketdata/<str:symbol>/candles", views.CandlesView.as_view(), name="candles"),
]
