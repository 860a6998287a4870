from django.db import migrations, models

from tasks_app.migrations._indexes import AddIndexBesideWork


class Migration(migrations.Migration):

    # People are notified while the indexes are made.
    atomic = False

    dependencies = [
        ("notifications_app", "0023_default_summary_time"),
    ]

    operations = [
        AddIndexBesideWork(
            model_name="notification",
            index=models.Index(fields=["-created_at", "-id"], name="notification_by_time"),
        ),
        AddIndexBesideWork(
            model_name="delivery",
            index=models.Index(fields=["-created_at", "-id"], name="delivery_by_time"),
        ),
    ]
