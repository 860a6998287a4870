import django.db.models.deletion
from django.db import migrations, models


def rows_to_chunks(apps, schema_editor):
    """Move the rows of stored reports out of their JSON, one report at a time."""
    from reports_app.chunk_codec import encode_chunk
    from reports_app.table import section_from_content

    Report, ReportChunk = apps.get_model("reports_app", "Report"), apps.get_model("reports_app", "ReportChunk")
    for report_id in Report.objects.filter(content__isnull=False).values_list("pk", flat=True).order_by("pk"):
        content = Report.objects.values_list("content", flat=True).get(pk=report_id)
        for place, part in enumerate(content["sections"]):
            rows = part.pop("rows", [])
            section = section_from_content(part, map(_typed_row(part["columns"]), rows))
            part["chunk_count"], part["row_count"] = 0, len(rows)
            for number, chunk in enumerate(section.chunks()):
                data = encode_chunk(section.columns, chunk)
                ReportChunk.objects.create(
                    report_id=report_id, section=place, number=number, row_count=chunk.row_count, data=data
                )
                part["chunk_count"] = number + 1
        Report.objects.filter(pk=report_id).update(content=content)


def _typed_row(columns):
    from datetime import date, datetime

    readers = {"datetime": datetime.fromisoformat, "date": date.fromisoformat}
    found = [readers.get(column["kind"]) for column in columns]
    return lambda row: [
        read(cell) if read and cell is not None else cell for read, cell in zip(found, row, strict=True)
    ]


class Migration(migrations.Migration):
    dependencies = [("reports_app", "0002_initial")]

    operations = [
        migrations.CreateModel(
            name="ReportChunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("section", models.PositiveSmallIntegerField(verbose_name="section")),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("row_count", models.PositiveIntegerField(verbose_name="rows")),
                ("data", models.BinaryField(verbose_name="data")),
                (
                    "report",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="chunks",
                        to="reports_app.report",
                        verbose_name="report",
                    ),
                ),
            ],
            options={"verbose_name": "report chunk", "verbose_name_plural": "report chunks"},
        ),
        migrations.AddConstraint(
            model_name="reportchunk",
            constraint=models.UniqueConstraint(
                fields=("report", "section", "number"), name="one_chunk_per_section_and_number"
            ),
        ),
        # Packed bytes gain nothing from PostgreSQL's own compression, which would only cost time.
        migrations.RunSQL(
            "ALTER TABLE reports_app_reportchunk ALTER COLUMN data SET STORAGE EXTERNAL", migrations.RunSQL.noop
        ),
        migrations.RunPython(rows_to_chunks, migrations.RunPython.noop),
    ]
