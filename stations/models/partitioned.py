"""The time series, partitioned by month; `stations.services.partitions` makes and drops partitions.

The tables are made by hand-written SQL in the first migration: Django cannot state partitions. No
foreign key points at them and none leaves them; they have portal views instead of Django admin.
"""

from typing import ClassVar

from django.db import models


class MeterValue(models.Model):
    """One sampled value. `at` is the effective time; `device_at` the station's.

    Where the station's time could not be read, `has_device_time` is false and `device_at` is the time
    of receipt, so that two readings without a time are never taken for one.

    `tx_month` is the month its transaction was received in, so that a replay falls into the same
    partition; without a transaction it is the month of receipt. `value` is in `unit` (Wh, W, A, V,
    Percent …), `raw_value` and `raw_unit` are as sent.
    """

    id = models.BigAutoField(primary_key=True)
    tx_month = models.DateField()
    station_id = models.BigIntegerField()
    transaction_id = models.BigIntegerField(null=True)
    evse_id = models.IntegerField()
    at = models.DateTimeField()
    device_at = models.DateTimeField()
    has_device_time = models.BooleanField()
    received_at = models.DateTimeField()
    measurand = models.TextField()
    phase = models.TextField(null=True)  # noqa: DJ001 - null and absent are the same word in OCPP
    location = models.TextField()
    context = models.TextField()
    unit = models.TextField()
    value = models.DecimalField(max_digits=30, decimal_places=6)
    raw_value = models.TextField()
    raw_unit = models.TextField(null=True)  # noqa: DJ001
    signed = models.JSONField(null=True)

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.measurand} {self.value} {self.unit}"


class OcppMessage(models.Model):
    """One frame, in or out: the raw inbox and the trace. `payload` is JSON text with secrets masked."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    station_id = models.BigIntegerField()
    generation = models.BigIntegerField()
    direction = models.CharField(max_length=3)
    type = models.CharField(max_length=6)
    action = models.TextField()
    message_id = models.TextField()
    payload = models.TextField()

    class Meta:
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.direction} {self.type} {self.action}"
