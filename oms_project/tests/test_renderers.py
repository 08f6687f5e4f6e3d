"""JSON out."""

from rest_framework.response import Response

from oms_project.rest.renderers import JsonRenderer


def test_an_answer_lets_its_rows_go() -> None:
    """It hangs in a cycle with its view: a thousand rows each would wait for the collector."""
    response = Response({"orders": [{"order_id": "a"}]})
    written = JsonRenderer().render(response.data, None, {"response": response})
    assert written == b'{"orders":[{"order_id":"a"}]}'
    assert response.data is None
