"""An order's terms are spelled as kernel.terms.Terms spells them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]

    operations = [
        migrations.RenameField("order", "quantity_lots", "lots"),
        migrations.RenameField("order", "price_ticks", "ticks"),
        migrations.AddField("order", "flags", models.IntegerField(default=0), preserve_default=False),
    ]
