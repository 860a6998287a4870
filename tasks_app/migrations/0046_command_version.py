from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_app", "0048_wake_up"),
    ]

    operations = [
        migrations.AddField("command", "version", models.BigIntegerField(db_default=0, default=0, editable=False)),
    ]
