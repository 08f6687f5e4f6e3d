"""The tree of exceptions. A refusal is a value (risk/domain/rules.py); an exception is a bug or a broken wire.

OmsError
├── PoisonError               this record will never succeed: dead letters, limited
│   ├── BadRecordError          bytes we cannot read
│   ├── UnstorableError         what the record comes to has no place in the store
│   ├── LeftAloneError          an operator set it aside before anybody decided it
│   └── IllegalTransitionError  a command that cannot be meant for us: our bug, or a foreign producer's
├── RecordTooLargeError       no log takes a record of this size: nothing was written
├── NewerVersionError         written by a newer version of the product: this one must not go on
├── OldVersionError           written by an older version that this one does not read
├── FencedError               another owner took this partition: stop, write nothing more
├── GapError                  an event is missing before this one: stop, never skip
└── TransportError            a wire failed
    └── UnknownOutcomeError     it may or may not have been written: ask again with the same ids
"""


class OmsError(Exception):
    """Root of all exceptions the product raises itself."""


class PoisonError(OmsError):
    """The record can never be handled: it goes to the dead letters and the offset moves on."""


class BadRecordError(PoisonError):
    """The bytes are not a record of a schema and version we know."""


class UnstorableError(PoisonError):
    """A value no store of ours can hold: a number beyond 64 bits, a row that breaks a constraint."""


class LeftAloneError(PoisonError):
    """An operator said that this record is not to be handled (manage.py deadletter set-aside)."""


class IllegalTransitionError(PoisonError):
    """A command that cannot be meant for this product: nothing decides it, or it breaks a limit of ours.

    What a venue reports never raises: the order law has a row for every pair (orders/domain/law.py).
    """


class RecordTooLargeError(OmsError):
    """A record larger than wire.RECORD_BYTES_MAX was to be made: whoever makes it has to cut it up."""


class NewerVersionError(OmsError):
    """A newer version of the product wrote this. It is not poison: start that version."""


class OldVersionError(OmsError):
    """An older version of the product wrote this, and nothing reads it any more."""


class FencedError(OmsError):
    """A newer epoch owns the partition; what this process holds is stale."""


class GapError(OmsError):
    """The stream skipped an event. Nothing after a gap may be shown as the truth."""


class TransportError(OmsError):
    """A dependency did not answer or refused the connection. Nothing was written."""

    def __init__(self, dependency: str, detail: str = "") -> None:
        super().__init__(f"{dependency}: {detail}" if detail else dependency)
        self.dependency = dependency


class UnknownOutcomeError(TransportError):
    """A dependency broke off half way: the write may have happened. Never treat it as refused."""
