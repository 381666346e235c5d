from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("agents", "0002_preferred_provider")]

    operations = [
        migrations.AddField(
            model_name="agent",
            name="trial",
            field=models.BooleanField(
                default=False,
                editable=False,
                help_text="Stands in for one that somebody tries and has not saved. Shown in no list, removed after a day.",
            ),
        ),
    ]
