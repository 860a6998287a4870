from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_app", "0049_rule_commands"),
    ]

    operations = [
        migrations.AddIndex(
            "command",
            models.Index(
                fields=["sent_at"],
                name="command_sent",
                condition=models.Q(state__in=["sent", "acknowledged", "unconfirmed"]),
            ),
        ),
    ]
