from __future__ import annotations

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

# What is there when this is installed counts as read: one statement, however many threads there are.
ALL_READ = """
    INSERT INTO thread_reads (user_id, thread_id, seq, seen_at)
    SELECT owner_id, id, last_seq, updated_at FROM agent_threads
"""


class Migration(migrations.Migration):

    dependencies = [
        ('threads', '0003_busy_policy'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ThreadRead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seq', models.PositiveIntegerField(default=0)),
                ('seen_at', models.DateTimeField(default=django.utils.timezone.now, help_text='When the person was last at the end.')),
                ('thread', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='reads', to='threads.thread')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'thread_reads',
                'constraints': [models.UniqueConstraint(fields=('thread', 'user'), name='one_place_per_thread_and_reader')],
            },
        ),
        migrations.RunSQL(ALL_READ, migrations.RunSQL.noop),
    ]
