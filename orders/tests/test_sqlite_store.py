"""The SQL store where its contract does not reach: broken off half way, and under the engine."""

import pytest

from oms_project.kernel.errors import UnstorableError
from oms_project.kernel.words import Status
from orders.adapters import sql_store
from orders.adapters.sql_store import SqlStore
from orders.tests.contracts.rows import ACCOUNT, an_order, changes, order_id
from orders.tests.day import a_day, live, whole
from orders.tests.domain import build
from orders.tests.rig import CrashAt, CrashedError, Rig

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.mark.parametrize(
    ("point", "there"), [("store.before_commit", False), ("store.after_commit", True)]
)
def test_a_step_is_stored_whole_or_not(
    point: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows and progress are one transaction; the same step again ends the same."""
    store = SqlStore()
    step = changes(3, orders=[an_order(1), an_order(2)])
    with monkeypatch.context() as patch:
        patch.setattr(sql_store, "crash", CrashAt(point, 1))
        with pytest.raises(CrashedError):
            store.apply(step)
    assert (store.get(order_id(1), [ACCOUNT]) is not None) is there
    assert (store.progress(0).next_offset > 0) is there
    store.apply(step)
    assert store.get(order_id(2), [ACCOUNT]) is not None
    assert store.progress(0).next_offset > 0


def test_a_row_that_cannot_be_stored_takes_none_with_it() -> None:
    """It is poison, which would fail again; nothing of the step is there."""
    store = SqlStore()
    bad = an_order(2, cum_lots=None)
    with pytest.raises(UnstorableError):
        store.apply(changes(3, orders=[an_order(1), bad]))
    assert store.get(order_id(1), [ACCOUNT]) is None
    store.apply(changes(3, orders=[an_order(1)]))
    assert store.get(order_id(1), [ACCOUNT]) is not None


def test_a_day_of_the_engine_on_sql() -> None:
    """The same events, rows and replay as on the twin."""
    rig = Rig()
    rig.store = SqlStore()  # type: ignore[assignment]
    rig.projector._store = rig.store
    day = a_day(rig)
    rig.open()
    engine = live(rig, day[:2])
    rig.project(records_max=3)
    engine.snapshot(engine.owned[0])
    again = live(rig, day[2:], rig.start())
    whole(rig, again)
    row = rig.store.get(build.order_id_of(8), [build.ACCOUNT])
    assert row is not None
    assert row.status is Status.FILLED
