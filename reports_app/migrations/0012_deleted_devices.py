"""A deleted device's last fleet stays known, so that reports that hold the device are not open to others after it went."""

from __future__ import annotations

from django.db import migrations, models

# A report of a fleet holds devices of that fleet. Which fleet the devices of other lists were in is not known any more.
FROM_FLEET_REPORTS = """
INSERT INTO reports_app_deleteddevice (device_id, fleet_id)
SELECT DISTINCT ON (held.device_id) held.device_id, report.fleet_id
FROM reports_app_report report, unnest(report.held_device_ids) AS held (device_id)
WHERE report.fleet_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM tasks_app_device device WHERE device.id = held.device_id)
ORDER BY held.device_id, report.id DESC
"""


class Migration(migrations.Migration):
    dependencies = [("reports_app", "0011_kind_choices"), ("tasks_app", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="DeletedDevice",
            fields=[
                ("device_id", models.BigIntegerField(primary_key=True, serialize=False, verbose_name="device")),
                ("fleet_id", models.BigIntegerField(verbose_name="fleet")),
            ],
            options={"verbose_name": "deleted device", "verbose_name_plural": "deleted devices"},
        ),
        migrations.RunSQL(FROM_FLEET_REPORTS, migrations.RunSQL.noop),
    ]
