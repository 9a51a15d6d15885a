"""What stations reported of charging: technical truth that knows no money."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from stations.choices import ReviewReason, TransactionStatus
from stations.models.station import ChargingStation


class Transaction(models.Model):
    """One charging transaction as a station reported it, with three clocks for each end.

    `device_*` is the station's clock (null where it could not be read), `received_*` ours, and
    `started_at` / `ended_at` the effective time chosen between them. `meter_*_wh` are registers,
    `energy_wh` is their difference. `received_ended_at` is empty until a stop was reported, also when
    the transaction was ended because another start superseded it.
    """

    operator = models.ForeignKey(
        "accounts.Operator", on_delete=models.CASCADE, related_name="transactions"
    )
    station = models.ForeignKey(
        ChargingStation, on_delete=models.CASCADE, related_name="transactions"
    )
    evse_id = models.IntegerField()
    connector_id = models.IntegerField()
    # The station's name for it; for 1.6 our own primary key, handed out as an integer.
    ocpp_transaction_id = models.CharField(max_length=64)
    # What makes two reports the same start: connector, device time as sent, register, folded token.
    start_key = models.CharField(max_length=160)
    orphan = models.BooleanField(db_default=False)
    status = models.CharField(max_length=8, choices=TransactionStatus)
    is_current = models.BooleanField()
    id_token_uid = models.CharField(max_length=255, db_default="")
    id_token = models.ForeignKey(
        "accounts.IdToken", on_delete=models.SET_NULL, null=True, related_name="transactions"
    )
    authorization_status = models.CharField(max_length=16, db_default="")
    stop_id_token_uid = models.CharField(max_length=255, db_default="")
    device_started_at = models.DateTimeField(null=True)
    received_started_at = models.DateTimeField()
    started_at = models.DateTimeField()
    device_ended_at = models.DateTimeField(null=True)
    received_ended_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    meter_start_wh = models.BigIntegerField(null=True)
    meter_stop_wh = models.BigIntegerField(null=True)
    energy_wh = models.GeneratedField(
        expression=models.F("meter_stop_wh") - models.F("meter_start_wh"),
        output_field=models.BigIntegerField(),
        db_persist=True,
    )
    stop_reason = models.CharField(max_length=20, db_default="")
    reservation_id = models.BigIntegerField(null=True)
    remote_start_id = models.BigIntegerField(null=True)
    review_reasons = ArrayField(
        models.CharField(max_length=32, choices=ReviewReason), db_default=[]
    )

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["station", "start_key"], name="stations_one_tx_per_start"
            ),
            models.UniqueConstraint(
                fields=["station", "ocpp_transaction_id"],
                condition=models.Q(orphan=False),
                name="stations_ocpp_transaction_id_unique",
            ),
            models.UniqueConstraint(
                fields=["station", "evse_id"],
                condition=models.Q(is_current=True),
                name="stations_one_current_tx_per_evse",
            ),
            models.CheckConstraint(
                condition=models.Q(is_current=False) | models.Q(status=TransactionStatus.ACTIVE),
                name="stations_current_tx_is_active",
            ),
            models.CheckConstraint(
                condition=models.Q(status=TransactionStatus.ACTIVE)
                | models.Q(status=TransactionStatus.ENDED, ended_at__isnull=False),
                name="stations_ended_tx_has_end",
            ),
        ]
        indexes: ClassVar = [
            # Lists of an operator by effective time.
            models.Index(fields=["operator", "-started_at"], name="stations_tx_operator_started"),
            # The concurrency limit of a token, and "who is charging now".
            models.Index(
                fields=["id_token"],
                name="stations_tx_active_by_token",
                condition=models.Q(status=TransactionStatus.ACTIVE),
            ),
        ]

    def __str__(self) -> str:
        return f"Transaction {self.pk}"

    @property
    def needs_review(self) -> bool:
        """True while any reason is open."""
        return bool(self.review_reasons)


class TransactionProgress(models.Model):
    """The newest readings of a running transaction. Written by gateways only, one row each.

    `register_wh` is the last energy register as reported; null where the station sends none.
    """

    transaction = models.OneToOneField(
        Transaction, on_delete=models.CASCADE, primary_key=True, related_name="progress"
    )
    at = models.DateTimeField()
    register_wh = models.BigIntegerField(null=True)
    power_w = models.BigIntegerField(null=True)
    soc_percent = models.SmallIntegerField(null=True)

    def __str__(self) -> str:
        return f"Transaction {self.transaction_id}: {self.register_wh} Wh"
