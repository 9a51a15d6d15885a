from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0003_kept_evidence"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="cdr",
            index=models.Index(
                fields=["operator", "created_at"], name="billing_cdr_operator_created"
            ),
        ),
    ]
