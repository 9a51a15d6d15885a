from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stations", "0007_station_repairs")]

    operations = [
        migrations.AddField(
            model_name="installedprofile",
            name="reason",
            field=models.CharField(db_default="", max_length=50),
        ),
    ]
