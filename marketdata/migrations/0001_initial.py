from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Instrument",
            fields=[
                ("symbol", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("state", models.CharField(max_length=16)),
                (
                    "spec",
                    models.TextField(help_text="JSON of marketdata.domain.instrument.Instrument"),
                ),
                (
                    "at_ns",
                    models.BigIntegerField(help_text="nanoseconds since 1970 UTC of the command"),
                ),
                ("partition", models.IntegerField(default=0)),
                ("offset", models.BigIntegerField(blank=True, null=True)),
            ],
            options={"ordering": ("symbol",)},
        ),
    ]
