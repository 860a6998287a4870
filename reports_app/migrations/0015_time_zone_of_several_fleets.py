from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reports_app', '0014_names_of_one_line'),
    ]

    operations = [
        migrations.AddField(
            model_name='report',
            name='time_zone',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=64),
        ),
    ]
