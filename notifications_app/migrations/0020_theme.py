from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications_app", "0019_named_devices_and_fleets")]

    operations = [
        migrations.AddField(
            model_name="notificationpreference",
            name="theme",
            field=models.CharField(
                choices=[("system", "As the device is set"), ("light", "Light"), ("dark", "Dark")],
                default="system",
                db_default="system",
                help_text="Of the fleet's own pages.",
                max_length=6,
                verbose_name="colours",
            ),
        ),
    ]
