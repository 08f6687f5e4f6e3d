"""Many ask a log whose broker is silent: all are told together, not one time-out after the other."""

import threading

import pytest

from oms_project.adapters.kafka import _Turn
from oms_project.kernel.errors import GapError, TransportError

ASKERS = 8
SILENT_S = 0.5


class Silence:
    """Does not answer, and is given up after a while; counts who asked."""

    def __init__(self) -> None:
        self.turn = _Turn()
        self.asked = 0
        self.told: list[str] = []

    def ask(self) -> None:
        try:
            with self.turn.take():
                self.asked += 1
                threading.Event().wait(SILENT_S)
                raise TransportError("kafka", "no answer")
        except TransportError as error:
            self.told.append(str(error))


def test_who_waited_behind_a_time_out_does_not_wait_for_one() -> None:
    silence = Silence()
    askers = [threading.Thread(target=silence.ask) for _ in range(ASKERS)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(ASKERS * SILENT_S + 10)
    assert silence.asked <= 2, "one, and one more if a thread was late"
    assert len(silence.told) == ASKERS


def test_the_next_one_asks_again() -> None:
    """Nobody is refused for what happened before it came."""
    silence = Silence()
    silence.ask()
    silence.ask()
    assert silence.asked == 2


def test_an_answer_that_is_an_error_refuses_nobody_else() -> None:
    turn = _Turn()
    with pytest.raises(GapError), turn.take():
        raise GapError("trimmed")
    with turn.take():
        pass
