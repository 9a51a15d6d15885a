"""Firmware updates and log uploads: links kept as hashes, what was reported in order, boots that tell the outcome."""

from django.db import migrations, models
from django.db.models import Q

import cms.base.json

_STATUSES = [
    ("Requested", "Asked for"),
    ("Accepted", "Accepted"),
    ("Refused", "Refused by the station"),
    ("Unanswered", "No answer from the station"),
    ("NotSent", "Never sent to the station"),
    ("DownloadScheduled", "Download scheduled"),
    ("Downloading", "Downloading"),
    ("DownloadPaused", "Download paused"),
    ("Downloaded", "Downloaded"),
    ("DownloadFailed", "The download failed"),
    ("SignatureVerified", "Signature verified"),
    ("InvalidSignature", "The signature is not valid"),
    ("InstallScheduled", "Installation scheduled"),
    ("Installing", "Installing"),
    ("InstallRebooting", "Restarting to install"),
    ("Installed", "Installed"),
    ("InstallationFailed", "The installation failed"),
    ("InstallVerificationFailed", "What was installed did not pass its check"),
    ("Superseded", "Replaced by a newer update"),
    ("Expired", "The station never told how it went"),
]
_LOG_STATUSES = [
    ("requested", "Asked for"),
    ("accepted", "Accepted"),
    ("uploading", "On its way"),
    ("uploaded", "Uploaded"),
    ("nothing", "The station has nothing to upload"),
    ("refused", "Refused by the station"),
    ("unanswered", "No answer from the station"),
    ("not_sent", "Never sent to the station"),
    ("failed", "The upload failed"),
    ("cancelled", "Replaced by a newer request"),
    ("expired", "Nothing arrived in time"),
]


class Migration(migrations.Migration):
    dependencies = [("stations", "0009_security_profiles")]

    operations = [
        migrations.AddField(
            model_name="firmwareupdate",
            name="awaits_boot",
            field=models.BooleanField(db_default=False),
        ),
        migrations.AddField(
            model_name="firmwareupdate",
            name="token_hash",
            field=models.CharField(db_default="", max_length=64),
        ),
        migrations.AlterField(
            model_name="firmwareupdate",
            name="status",
            field=models.CharField(choices=_STATUSES, max_length=30),
        ),
        migrations.RemoveConstraint(
            model_name="firmwareupdate", name="stations_one_firmware_update"
        ),
        migrations.AddConstraint(
            model_name="firmwareupdate",
            constraint=models.UniqueConstraint(
                condition=Q(finished_at__isnull=True) & ~Q(status="Requested"),
                fields=("station",),
                name="stations_one_firmware_update",
            ),
        ),
        migrations.AddConstraint(
            model_name="firmwareupdate",
            constraint=models.UniqueConstraint(
                condition=~Q(token_hash=""),
                fields=("token_hash",),
                name="stations_firmware_token_unique",
            ),
        ),
        migrations.AddIndex(
            model_name="firmwareupdate",
            index=models.Index(
                condition=Q(awaits_boot=True),
                fields=["station"],
                name="stations_firmware_awaits_boot",
            ),
        ),
        migrations.AddIndex(
            model_name="firmwareupdate",
            index=models.Index(
                condition=Q(finished_at__isnull=True),
                fields=["created_at"],
                name="stations_firmware_open",
            ),
        ),
        migrations.AddField(
            model_name="logupload",
            name="history",
            field=cms.base.json.ExactJSONField(default=list),
        ),
        migrations.AddField(
            model_name="logupload",
            name="location",
            field=models.TextField(db_default=""),
        ),
        migrations.AlterField(
            model_name="logupload",
            name="status",
            field=models.CharField(choices=_LOG_STATUSES, max_length=20),
        ),
        migrations.AddIndex(
            model_name="logupload",
            index=models.Index(
                condition=Q(finished_at__isnull=True),
                fields=["expires_at"],
                name="stations_log_open",
            ),
        ),
    ]
