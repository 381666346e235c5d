from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_sign_in_tries")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="aloud",
            field=models.CharField(
                choices=[
                    ("bounds", "That it begins and ends"),
                    ("paragraphs", "Each paragraph, as soon as it is written"),
                ],
                default="bounds",
                max_length=10,
                verbose_name="replies aloud",
            ),
        ),
    ]
