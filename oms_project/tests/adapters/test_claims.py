"""Claims in SQL where their contract does not reach."""

import msgspec
import pytest

from oms_project.adapters.claims import SqlIdempotencyStore
from oms_project.kernel.errors import TransportError, UnstorableError
from oms_project.tests.contracts.claiming import a_claim

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_the_database_cannot_hold_is_no_broken_wire() -> None:
    """Asking again would end the same, for ever; the next claim finds all right."""
    store = SqlIdempotencyStore()
    beyond = msgspec.structs.replace(a_claim("beyond"), at_ms=2**63)
    with pytest.raises(UnstorableError) as told:
        store.claim([a_claim("other"), beyond])
    assert not isinstance(told.value, TransportError)
    assert [state.fresh for state in store.claim([a_claim("other")])] == [True]
