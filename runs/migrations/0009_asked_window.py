from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0008_spent'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='asked_window',
            field=models.PositiveIntegerField(help_text='Tokens to make its requests for, where its model reads less than it is said to.', null=True),
        ),
    ]
