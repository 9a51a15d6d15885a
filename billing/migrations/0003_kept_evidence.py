"""A CDR keeps the facts it was priced by, and a removed assignment keeps its row."""

from django.db import migrations, models

import cms.base.json


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_immutable_documents")]

    operations = [
        migrations.AddField(
            model_name="cdr",
            name="facts",
            field=cms.base.json.ExactJSONField(default=dict),
        ),
        migrations.AddField(
            model_name="tariffassignment",
            name="removed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
