from django.db import migrations, models

# django_q's table has no index on next_run, which the scheduler asks for every second. Its migrations are not ours to
# add to, so the index is made here, by hand.
CREATE_INDEX = "CREATE INDEX tasks_app_schedule_due ON django_q_schedule (next_run) WHERE repeats <> 0"
DROP_INDEX = "DROP INDEX IF EXISTS tasks_app_schedule_due"


class Migration(migrations.Migration):

    dependencies = [
        ('tasks_app', '0001_initial'),
        ('django_q', '0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more'),
    ]

    operations = [
        migrations.AddField(
            model_name='schedulestate',
            name='anchor_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.RunSQL(CREATE_INDEX, DROP_INDEX),
    ]
