from django.db import migrations


def rename(old, new):
    def run(apps, schema_editor):
        schedules = apps.get_model('django_q', 'Schedule').objects
        schedules.filter(func=old, name=old).update(name=new)
        schedules.filter(func=old).update(func=new)

    return run


class Migration(migrations.Migration):

    dependencies = [
        ('tasks_app', '0024_event_kinds_without_migrations'),
        ('django_q', '0018_task_success_index'),
    ]

    operations = [
        migrations.RunPython(rename('tell_trips', 'check_trips'), rename('check_trips', 'tell_trips')),
    ]
