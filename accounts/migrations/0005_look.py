from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_single_keys")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="density",
            field=models.CharField(
                choices=[("comfortable", "Comfortable"), ("compact", "Compact")], default="comfortable", max_length=11
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="welcome_later",
            field=models.BooleanField(default=False, editable=False, verbose_name="put the first steps off"),
        ),
    ]
