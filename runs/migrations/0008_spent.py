from decimal import Decimal

from django.db import migrations, models
from django.db.models import Exists, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce


def add_up(apps, schema_editor):
    """What the calls of each thread took so far, in one statement."""
    Step, Thread = apps.get_model('runs', 'Step'), apps.get_model('threads', 'Thread')
    steps = Step.objects.filter(run__thread=OuterRef('pk')).order_by()

    def total(field):
        return Subquery(steps.values('run__thread').annotate(total=Sum(field)).values('total'))

    unpriced = steps.filter(Q(input_tokens__gt=0) | Q(output_tokens__gt=0), cost_usd=None)
    Thread.objects.update(
        input_tokens=Coalesce(total('input_tokens'), 0),
        cached_tokens=Coalesce(total('cached_tokens'), 0),
        output_tokens=Coalesce(total('output_tokens'), 0),
        usage_estimated=Exists(steps.filter(usage_estimated=True)),
        cost_usd=Coalesce(total('cost_usd'), Decimal(0)),
        unpriced=Exists(unpriced),
    )


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0007_retry_with'),
        ('threads', '0011_spent'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='context_window',
            field=models.PositiveIntegerField(help_text='Tokens that its model reads.', null=True),
        ),
        migrations.RunPython(add_up, migrations.RunPython.noop, elidable=True),
    ]
