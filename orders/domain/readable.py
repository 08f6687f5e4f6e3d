"""From a record of oms.commands to its command: whatever cannot be one of ours is refused here.

Pure. A foreign or faulty producer may write what no door of ours does; none of it may reach the book.
"""

from oms_project.kernel import wire
from oms_project.kernel.errors import BadRecordError
from oms_project.kernel.ids import partition_of
from oms_project.kernel.ports import StoredRecord
from orders.domain import commands as c

_OF_AN_ACCOUNT = (
    c.PlaceOrders, c.CancelOrders, c.WakeOrders, c.VenueReports, c.SetAccount, c.AdjustBalance,
)  # fmt: skip
KEY_SHOWN = 60


def command_in(record: StoredRecord, partitions: int) -> tuple[wire.Envelope, c.Command]:
    """Return the envelope and the command of a record.

    Raises:
        BadRecordError: it cannot be read, or no door of ours can have written it.
    """
    envelope = wire.open_envelope(record.value, c.SCHEMA)
    command: c.Command = wire.read_body(c.decoder, envelope)
    why = why_foreign(record, command, partitions)
    if why is not None:
        raise BadRecordError(why)
    return envelope, command


def why_foreign(record: StoredRecord, command: c.Command, partitions: int) -> str | None:
    """Return why *command* cannot stand where it stands; None if it may.

    An account has one writer because its commands are in one partition: one in another would make a
    second account of the same name there.
    """
    if not isinstance(command, _OF_AN_ACCOUNT):
        return f"key {record.key[:KEY_SHOWN]!r} on what is of no account" if record.key else None
    account_id = command.account_id
    if not account_id or account_id.startswith("~"):
        return f"no account: {account_id[:KEY_SHOWN]!r}"
    if record.key != account_id:
        return f"key {record.key[:KEY_SHOWN]!r} is not the account, {account_id[:KEY_SHOWN]!r}"
    if partition_of(account_id, partitions) != record.partition:
        return f"account {account_id[:KEY_SHOWN]} is not of partition {record.partition}"
    return _why_too_much(command)


def _why_too_much(command: c.Command) -> str | None:
    match command:
        case c.PlaceOrders(orders=many):
            most = c.ORDERS_MAX
        case c.CancelOrders(order_ids=many):
            most = c.CANCELS_MAX
        case c.VenueReports(reports=many):
            most = c.REPORTS_MAX
        case _:
            return None
    return f"{len(many)} in one command, at most {most} go" if len(many) > most else None
