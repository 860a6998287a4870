from __future__ import annotations

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("notifications_app", "0025_names_of_one_line")]

    operations = [
        migrations.AddField(
            model_name="systemtrouble",
            name="seen_at",
            field=models.DateTimeField(db_default=Now()),
        ),
    ]
