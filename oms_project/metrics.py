"""Every metric of the web role by name, and GET /metrics. Other roles count in their own files.

Names follow Prometheus: oms_<what>_<unit>, counters end in _total. Labels have few values: never an
id, a path or a user.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog
from django.http import HttpRequest, HttpResponse
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_FAST_S: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
)  # fmt: skip

ORDERS_ACCEPTED: Final = Counter("oms_orders_accepted_total", "Orders acknowledged (202, 201)")
ORDERS_REPLAYED: Final = Counter("oms_orders_replayed_total", "Requests answered from their claim")
REQUESTS_REFUSED: Final = Counter("oms_requests_refused_total", "Problems by code", ["code"])
ACK_SECONDS: Final = Histogram(
    "oms_ack_latency_seconds",
    "From request to durable acknowledgement",
    buckets=_FAST_S,
)
HTTP_REQUESTS: Final = Counter("oms_http_requests_total", "HTTP answers", ["method", "status"])
HTTP_SECONDS: Final = Histogram(
    "oms_http_request_seconds", "From request to answer", ["area"], buckets=_FAST_S
)
SOCKETS: Final = Gauge("oms_ws_connections", "Open websockets", ["path"])
SOCKETS_CLOSED: Final = Counter("oms_ws_closed_total", "Websockets we closed", ["path", "code"])

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def count_http(method: str, path: str, status: int, seconds: float) -> None:
    """Count one answer. A method nobody has is "other"."""
    HTTP_REQUESTS.labels(method if method in _METHODS else "other", str(status)).inc()
    HTTP_SECONDS.labels("api" if path.startswith("/api/") else "other").observe(seconds)


_logger = structlog.get_logger(__name__)
Lags = Callable[[], Mapping[int, int]]


class LagCollector(Collector):
    """Asks how far each partition is behind, when somebody scrapes. What cannot be asked is left out."""

    def __init__(self, name: str, text: str, lags: Lags) -> None:
        self._name, self._text, self._lags = name, text, lags

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self._name, self._text, labels=["partition"])
        try:
            lags = self._lags()
        except Exception as error:  # the scrape must go on, whatever is away
            _logger.warning("lag_unknown", metric=self._name, error=repr(error))
            return [family]
        for partition, lag in lags.items():
            family.add_metric([str(partition)], lag)
        return [family]

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily(self._name, self._text, labels=["partition"])]


def view(request: HttpRequest) -> HttpResponse:
    """GET /metrics, in Prometheus' text format."""
    kind = "text/plain; version=0.0.4; charset=utf-8"
    return HttpResponse(generate_latest(REGISTRY), content_type=kind)
