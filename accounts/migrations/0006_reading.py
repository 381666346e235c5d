from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_look")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="reading",
            field=models.CharField(
                choices=[
                    ("pinned", "The page stands still, and the answer grows beneath the question"),
                    ("follow", "The page follows the end of the answer"),
                ],
                default="pinned",
                max_length=6,
            ),
        ),
    ]
