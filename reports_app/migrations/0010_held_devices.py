"""A report knows which devices are in it, so that whoever lost one of them no longer reads about it."""

from __future__ import annotations

import django.contrib.postgres.fields
from django.db import migrations, models

# Reports of all devices that somebody saw do not say which these were: they stay unknown.
FROM_SUBJECT = """
UPDATE reports_app_report SET held_device_ids = CASE
    WHEN device_id IS NOT NULL THEN ARRAY[device_id]
    ELSE ARRAY(SELECT jsonb_array_elements_text(device_ids)::bigint)
END
WHERE device_id IS NOT NULL OR jsonb_typeof(device_ids) = 'array'
"""


class Migration(migrations.Migration):
    dependencies = [("reports_app", "0009_report_kinds")]

    operations = [
        migrations.AddField(
            model_name="report",
            name="held_device_ids",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), blank=True, editable=False, null=True, size=None
            ),
        ),
        migrations.RunSQL(FROM_SUBJECT, migrations.RunSQL.noop),
    ]
