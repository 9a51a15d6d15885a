"""A security profile that a station was asked to take, and the request that a certificate answers."""

from django.db import migrations, models

_PROFILES = [
    (0, "0: none"),
    (1, "1: basic authentication"),
    (2, "2: TLS with basic authentication"),
    (3, "3: TLS with client certificate"),
]


class Migration(migrations.Migration):
    dependencies = [("stations", "0010_installed_profile_reason")]

    operations = [
        migrations.AddField(
            model_name="chargingstation",
            name="offered_security_profile",
            field=models.PositiveSmallIntegerField(
                blank=True, choices=_PROFILES, editable=False, null=True
            ),
        ),
        migrations.AddField(
            model_name="stationcertificate",
            name="request_print",
            field=models.CharField(db_default="", max_length=64),
        ),
    ]
