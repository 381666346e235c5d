from decimal import Decimal

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('threads', '0010_pin_archive'),
    ]

    operations = [
        migrations.AddField(
            model_name='thread',
            name='input_tokens',
            field=models.PositiveBigIntegerField(default=0, editable=False, help_text='Of all calls for this thread.'),
        ),
        migrations.AddField(
            model_name='thread',
            name='cached_tokens',
            field=models.PositiveBigIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='thread',
            name='output_tokens',
            field=models.PositiveBigIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='thread',
            name='usage_estimated',
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name='thread',
            name='cost_usd',
            field=models.DecimalField(decimal_places=8, default=Decimal('0'), editable=False, max_digits=24, verbose_name='cost'),
        ),
        migrations.AddField(
            model_name='thread',
            name='unpriced',
            field=models.BooleanField(default=False, editable=False, help_text='There were calls without a price: the cost is that of the others.'),
        ),
    ]
