import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tasks_app', '0006_job_priority_and_queue_actions'),
    ]

    operations = [
        migrations.CreateModel(
            name='QuarantinedFix',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('unique_id', models.CharField(blank=True, max_length=128, verbose_name='unique id')),
                ('source', models.CharField(choices=[('osmand', 'Phone (OsmAnd protocol)'), ('traccar', 'Traccar server'), ('positions', 'Own gateway (JSON)'), ('inbox', 'Inbox')], max_length=12, verbose_name='source')),
                ('code', models.CharField(max_length=40, verbose_name='reason')),
                ('detail', models.CharField(blank=True, max_length=300, verbose_name='detail')),
                ('body', models.TextField(blank=True, help_text='As it came, shortened; without keys and tokens.', verbose_name='body')),
                ('received_at', models.DateTimeField(verbose_name='received at')),
                ('device', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='quarantined_fixes', to='tasks_app.device', verbose_name='device')),
            ],
            options={
                'verbose_name': 'quarantined fix',
                'verbose_name_plural': 'quarantined fixes',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['device', 'id'], name='quarantine_by_device'), models.Index(fields=['received_at'], name='quarantine_by_time')],
            },
        ),
        migrations.AddConstraint(
            model_name='device',
            constraint=models.UniqueConstraint(condition=models.Q(('ingest_key_hash', ''), _negated=True), fields=('ingest_key_hash',), name='device_ingest_key'),
        ),
    ]
