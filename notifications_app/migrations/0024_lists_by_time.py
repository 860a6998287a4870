from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    # People are notified while the indexes are made.
    atomic = False

    dependencies = [
        ("notifications_app", "0023_default_summary_time"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="notification",
            index=models.Index(fields=["-created_at", "-id"], name="notification_by_time"),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(fields=["-created_at", "-id"], name="delivery_by_time"),
        ),
    ]
