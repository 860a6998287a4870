import django.contrib.postgres.fields
from django.db import migrations, models

import tasks_app.models.commands


class Migration(migrations.Migration):
    dependencies = [
        ("tasks_app", "0045_commands_in_order"),
    ]

    operations = [
        migrations.AlterField(
            "deviceaccess",
            "ways",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=tasks_app.models.commands.chain_choices, max_length=8),
                blank=True,
                default=list,
                size=None,
                verbose_name="ways of commands",
            ),
        ),
    ]
