import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def fill(apps, schema_editor):
    thread = apps.get_model("threads", "Thread").objects.filter(pk=OuterRef("thread"))
    apps.get_model("runs", "Run").objects.update(owner=Subquery(thread.values("owner")[:1]))


def owner(**options):
    return models.ForeignKey(
        db_index=False,
        editable=False,
        help_text="The thread's, kept here so that a person's runs can be listed however many there are.",
        on_delete=django.db.models.deletion.CASCADE,
        related_name="+",
        to=settings.AUTH_USER_MODEL,
        **options,
    )


def cascade(to):
    return models.ForeignKey(
        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="runs", to=to
    )


class Migration(migrations.Migration):

    dependencies = [
        ("agents", "0002_preferred_provider"),
        ("runs", "0002_step_key"),
        ("threads", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField("run", "owner", owner(null=True)),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField("run", "owner", owner()),
        migrations.AlterField("run", "agent", cascade("agents.agent")),
        migrations.AlterField("run", "thread", cascade("threads.thread")),
        migrations.AddIndex(
            "run",
            models.Index(condition=models.Q(("status", "failed")), fields=["agent", "-id"], name="runs_failed_of_agent"),
        ),
        migrations.AddIndex("run", models.Index(fields=["owner", "-id"], name="runs_of_owner")),
        migrations.AddIndex("run", models.Index(fields=["owner", "status", "-id"], name="runs_of_owner_by_status")),
    ]
