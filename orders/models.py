"""Tables of the orders app. DO NOT write them from anywhere but orders/adapters: all but Claim, Upkeep
and ChangeRequest are a projection of the event log, and the projector is their only writer. DO NOT
add an index without `manage.py bench batch` before and after: every one is paid for by every order. Composite keys, for
the same reason: no AUTOINCREMENT counter, no second index. No lengths either: what stands in the log
has the length it has, and a row that one database takes and another refuses stops the projection.
"""

from django.db import models


class Claim(models.Model):
    """An idempotency key of a product whose log is Kafka (adapters/claims.py); default database."""

    account_id = models.CharField(max_length=36)
    endpoint = models.CharField(max_length=32)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField()
    ids_base = models.CharField(max_length=32, unique=True)
    at_ms = models.BigIntegerField()
    done = models.BooleanField(default=False)
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    answer_status = models.IntegerField(null=True)
    answer_body = models.BinaryField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("account_id", "endpoint", "key"), name="one_claim"),
        )


class Name(models.Model):
    """A text that stands in many rows, and the number it has there (adapters/sql_rows.py)."""

    text = models.TextField(unique=True)


class Order(models.Model):
    """kernel.rows.OrderRow. account, symbol, actor: numbers of Names.

    terms: JSON of kernel.terms.Terms, so that a new term is no new column; symbol and side stand
    beside them for the filters. live: 1 while the order is open. marks: bits of sql_statements.
    """

    pk = models.CompositePrimaryKey("account", "order_id")
    account = models.IntegerField()
    order_id = models.TextField()
    client_order_id = models.TextField()
    symbol = models.IntegerField()
    side = models.TextField()
    live = models.SmallIntegerField()
    status = models.TextField()
    terms = models.TextField()
    cap_ticks = models.BigIntegerField()
    cum_lots = models.BigIntegerField()
    cost = models.BigIntegerField()
    fee = models.BigIntegerField()
    rejected_by = models.TextField()
    reason = models.TextField()
    marks = models.SmallIntegerField()
    version = models.BigIntegerField()
    first_seq = models.BigIntegerField()
    end_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    created_ns = models.BigIntegerField()
    updated_ns = models.BigIntegerField()
    actor = models.IntegerField()

    class Meta:
        indexes = (
            models.Index(fields=("account", "client_order_id"), name="order_client_id"),
            # The few that are open, out of the millions that were. A list of statuses instead of
            # `live` costs four microseconds an order.
            models.Index(
                fields=("account", "order_id"), name="order_open", condition=models.Q(live=1)
            ),
        )

    def __str__(self) -> str:
        return self.order_id


class Step(models.Model):
    """kernel.rows.StepRow. account: number of a Name."""

    pk = models.CompositePrimaryKey("account", "order_id", "seq")
    account = models.IntegerField()
    order_id = models.TextField()
    seq = models.BigIntegerField()


class Position(models.Model):
    """kernel.rows.PositionRow."""

    pk = models.CompositePrimaryKey("account_id", "symbol")
    account_id = models.TextField()
    symbol = models.TextField()
    net_lots = models.BigIntegerField()
    cost = models.BigIntegerField()
    realized = models.BigIntegerField()
    seq = models.BigIntegerField()


class Balance(models.Model):
    """kernel.rows.BalanceRow."""

    pk = models.CompositePrimaryKey("account_id", "asset")
    account_id = models.TextField()
    asset = models.TextField()
    free = models.BigIntegerField()
    locked = models.BigIntegerField()
    fees = models.BigIntegerField()
    venue = models.BigIntegerField()
    external = models.BigIntegerField()
    seq = models.BigIntegerField()


class Chunk(models.Model):
    """kernel.rows.Chunk."""

    pk = models.CompositePrimaryKey("partition", "offset")
    stream = models.TextField()
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    body = models.BinaryField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("stream", "first_seq"), name="chunk_of_stream"),
        )


class Progress(models.Model):
    """kernel.rows.Progress: written in the transaction of what it tells."""

    partition = models.IntegerField(primary_key=True)
    next_offset = models.BigIntegerField()
    last_command = models.BigIntegerField()


class Owner(models.Model):
    """The partition's epoch: who has the newest one may write its snapshots."""

    partition = models.IntegerField(primary_key=True)
    epoch = models.BigIntegerField()


class Snapshot(models.Model):
    """kernel.rows.Snapshot."""

    pk = models.CompositePrimaryKey("partition", "offset")
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    state = models.BinaryField()
    state_hash = models.CharField(max_length=64)
    epoch = models.BigIntegerField()


class Segment(models.Model):
    """Ids the engine will never take again (orders/domain/used.py): written once, never changed."""

    pk = models.CompositePrimaryKey("partition", "number")
    partition = models.IntegerField()
    number = models.IntegerField()
    body = models.BinaryField()


class Upkeep(models.Model):
    """What a periodic task found when it last ran (default database). body: its own JSON."""

    name = models.CharField(primary_key=True, max_length=32)
    at_ns = models.BigIntegerField()
    body = models.BinaryField()


class ChangeRequest(models.Model):
    """What somebody asked for in the admin (default database): a command in the log, and where.

    id: made with the form, so that a form sent twice asks once; wanted: what was asked for, to tell
    a repetition from another wish; partition and offset are null while nobody knows whether the
    log has it.
    """

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=16)
    target = models.CharField(max_length=36)
    actor = models.TextField()
    at_ns = models.BigIntegerField()
    text = models.TextField()
    wanted = models.TextField()
    partition = models.IntegerField(null=True)
    offset = models.BigIntegerField(null=True)

    class Meta:
        indexes = (models.Index(fields=("kind", "target", "at_ns"), name="request_of_target"),)
