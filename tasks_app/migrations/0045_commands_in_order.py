from django.db import migrations, models

from tasks_app.migrations._default_schedules import add_schedule


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_app", "0043_commands"),
    ]

    operations = [
        migrations.AddField("command", "last_tried_at", models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddField("command", "next_attempt_at", models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.RemoveConstraint("command", "one_command_per_user_and_key"),
        migrations.AddConstraint(
            "command",
            models.UniqueConstraint(
                fields=["requested_by", "idempotency_key"],
                name="one_command_per_user_and_key",
                condition=~models.Q(idempotency_key=""),
                nulls_distinct=False,
            ),
        ),
        add_schedule("sweep_device_commands", "*/20 * * * * *"),
    ]
