"""The tables of orders. It takes the place of migrations that an earlier version made others with."""

from django.core.management.base import CommandError
from django.db import migrations, models

SORTED = {
    "orders_order": ("order_id", "client_order_id"),
    "orders_step": ("order_id",),
    "orders_position": ("account_id", "symbol"),
    "orders_balance": ("account_id", "asset"),
}


def refuse_older(apps, schema_editor):
    """Say what to do with a database of an earlier version, instead of failing half way in it."""
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    if any(name.startswith("orders_") for name in tables):
        raise CommandError(
            f"The database {connection.settings_dict['NAME']} was made by an earlier version of "
            "Crypto OMS, whose orders this one cannot read. Keep it by moving it away (embedded: "
            "the folder OMS_DATA_DIR; otherwise the database of DATABASE_URL, and the topics of the "
            "log with it) and start again with an empty one."
        )


def sort_as_bytes(apps, schema_editor):
    """On PostgreSQL: ids sort as everywhere else, not as the words of a language."""
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, columns in SORTED.items():
        for column in columns:
            schema_editor.execute(
                f'ALTER TABLE {table} ALTER COLUMN {column} TYPE text COLLATE "C"'
            )


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.RunPython(refuse_older, migrations.RunPython.noop, hints={"model_name": "claim"}),
        migrations.RunPython(refuse_older, migrations.RunPython.noop),
        migrations.CreateModel(
            name='Balance',
            fields=[
                ('pk', models.CompositePrimaryKey('account_id', 'asset', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account_id', models.TextField()),
                ('asset', models.TextField()),
                ('free', models.BigIntegerField()),
                ('locked', models.BigIntegerField()),
                ('fees', models.BigIntegerField()),
                ('venue', models.BigIntegerField()),
                ('external', models.BigIntegerField()),
                ('seq', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Name',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField(unique=True)),
            ],
        ),
        migrations.CreateModel(
            name='Owner',
            fields=[
                ('partition', models.IntegerField(primary_key=True, serialize=False)),
                ('epoch', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Position',
            fields=[
                ('pk', models.CompositePrimaryKey('account_id', 'symbol', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account_id', models.TextField()),
                ('symbol', models.TextField()),
                ('net_lots', models.BigIntegerField()),
                ('cost', models.BigIntegerField()),
                ('realized', models.BigIntegerField()),
                ('seq', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Progress',
            fields=[
                ('partition', models.IntegerField(primary_key=True, serialize=False)),
                ('next_offset', models.BigIntegerField()),
                ('last_command', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Snapshot',
            fields=[
                ('pk', models.CompositePrimaryKey('partition', 'offset', blank=True, editable=False, primary_key=True, serialize=False)),
                ('partition', models.IntegerField()),
                ('offset', models.BigIntegerField()),
                ('state', models.BinaryField()),
                ('state_hash', models.CharField(max_length=64)),
                ('epoch', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Step',
            fields=[
                ('pk', models.CompositePrimaryKey('account', 'order_id', 'seq', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account', models.IntegerField()),
                ('order_id', models.TextField()),
                ('seq', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Upkeep',
            fields=[
                ('name', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('at_ns', models.BigIntegerField()),
                ('body', models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name='ChangeRequest',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=16)),
                ('target', models.CharField(max_length=36)),
                ('actor', models.TextField()),
                ('at_ns', models.BigIntegerField()),
                ('text', models.TextField()),
                ('wanted', models.TextField()),
                ('partition', models.IntegerField(null=True)),
                ('offset', models.BigIntegerField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['kind', 'target', 'at_ns'], name='request_of_target')],
            },
        ),
        migrations.CreateModel(
            name='Chunk',
            fields=[
                ('pk', models.CompositePrimaryKey('partition', 'offset', blank=True, editable=False, primary_key=True, serialize=False)),
                ('stream', models.TextField()),
                ('first_seq', models.BigIntegerField()),
                ('last_seq', models.BigIntegerField()),
                ('partition', models.IntegerField()),
                ('offset', models.BigIntegerField()),
                ('body', models.BinaryField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('stream', 'first_seq'), name='chunk_of_stream')],
            },
        ),
        migrations.CreateModel(
            name='Claim',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('account_id', models.CharField(max_length=36)),
                ('endpoint', models.CharField(max_length=32)),
                ('key', models.CharField(max_length=255)),
                ('fingerprint', models.BinaryField()),
                ('ids_base', models.CharField(max_length=32, unique=True)),
                ('at_ms', models.BigIntegerField()),
                ('done', models.BooleanField(default=False)),
                ('partition', models.IntegerField()),
                ('offset', models.BigIntegerField()),
                ('answer_status', models.IntegerField(null=True)),
                ('answer_body', models.BinaryField(null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account_id', 'endpoint', 'key'), name='one_claim')],
            },
        ),
        migrations.CreateModel(
            name='Order',
            fields=[
                ('pk', models.CompositePrimaryKey('account', 'order_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('account', models.IntegerField()),
                ('order_id', models.TextField()),
                ('client_order_id', models.TextField()),
                ('symbol', models.IntegerField()),
                ('side', models.TextField()),
                ('live', models.SmallIntegerField()),
                ('status', models.TextField()),
                ('terms', models.TextField()),
                ('cap_ticks', models.BigIntegerField()),
                ('cum_lots', models.BigIntegerField()),
                ('cost', models.BigIntegerField()),
                ('fee', models.BigIntegerField()),
                ('rejected_by', models.TextField()),
                ('reason', models.TextField()),
                ('marks', models.SmallIntegerField()),
                ('version', models.BigIntegerField()),
                ('first_seq', models.BigIntegerField()),
                ('end_seq', models.BigIntegerField()),
                ('last_seq', models.BigIntegerField()),
                ('created_ns', models.BigIntegerField()),
                ('updated_ns', models.BigIntegerField()),
                ('actor', models.IntegerField()),
            ],
            options={
                'indexes': [models.Index(fields=['account', 'client_order_id'], name='order_client_id'), models.Index(condition=models.Q(('live', 1)), fields=['account', 'order_id'], name='order_open')],
            },
        ),
        migrations.RunPython(sort_as_bytes, migrations.RunPython.noop),
    ]
