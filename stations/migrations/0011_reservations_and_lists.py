"""One reservation of each id at a station, whatever is asked for beside it; local lists know what is on its way."""

from django.db import migrations, models

import cms.base.json


class Migration(migrations.Migration):
    dependencies = [("stations", "0008_upkeep")]

    operations = [
        migrations.RemoveConstraint(
            model_name="reservation", name="stations_open_reservation_unique"
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "reserved")),
                fields=("station", "reservation_id"),
                name="stations_reservation_id_unique",
            ),
        ),
        migrations.AddField(
            model_name="locallist",
            name="under_way",
            field=cms.base.json.ExactJSONField(null=True),
        ),
    ]
