"""Frames that are broken or unusual, and clocks that are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from .. import wire
from ..personalities import Personality
from ..wire import Payload


class BrokenJsonFrames(Personality):
    """Before each MeterValues sends a broken copy: `"transactionId":,`, `[,{`, no last brace, NUL."""

    name = "broken_json_frames"
    source = "lbbrhzn/ocpp#442, #1078, #2032; evcc-io/evcc#3685"

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def frames_before(self, message_id: str, action: str, payload: Payload) -> Sequence[str]:
        if action != "MeterValues":
            return ()
        text = wire.encode_call(f"{message_id[:30]}-bad", action, {**payload, "transactionId": 0})
        broken = (
            text.replace('"transactionId":0', '"transactionId":'),
            text.replace('"sampledValue":[{', '"sampledValue":[,{'),
            text[:-2] + "]",
            text[:-1] + "\x00]",
        )
        self._count += 1
        if self._count % 4 == 1:  # in the field a comma or brace follows the missing value
            return (broken[0].replace('"transactionId":}', '"transactionId":,}'),)
        return (broken[(self._count - 1) % 4],)


class NullPayloads(Personality):
    """Sends null instead of an empty payload."""

    name = "null_payloads"
    source = "steve#1109; OCPP-J 1.6 §4.2.1 allows it"

    def text(self, message_id: str, action: str, payload: Payload) -> str | None:
        return None if payload else wire.encode_call(message_id, action, None)


class LowercaseIdTag(Personality):
    """Authorises a tag as it is written on the card and starts with it in lower case."""

    name = "lowercase_id_tag"
    source = "OCPP 1.6 §7.28 (CiString); EVerest#566"

    def payload(self, action: str, payload: Payload) -> Payload:
        if action == "StartTransaction":
            return {**payload, "idTag": payload["idTag"].lower()}
        return payload


class ZoneLessTimestamps(Personality):
    """Its timestamps name no time zone."""

    name = "zone_less_timestamps"
    source = "evcc-io/evcc#10399 (Growatt)"

    def timestamp(self, at: datetime) -> str:
        return f"{at:%Y-%m-%dT%H:%M:%S}"


class ZeroTimestamps(Personality):
    """The timestamp of its statuses is "0"."""

    name = "zero_timestamps"
    source = "evcc-io/evcc#17836"

    def status_timestamp(self, at: datetime) -> str:
        return "0"


class LocalTimeMarkedZ(Personality):
    """Sends local time, two hours ahead, and marks it as UTC."""

    name = "local_time_marked_z"
    source = "steve#136"

    def clock(self, true: datetime) -> datetime:
        return true + timedelta(hours=2)


class Epoch1970Clock(Personality):
    """Its clock starts at 1970-01-01T00:00:00Z with every boot and is never set."""

    name = "epoch_1970_clock"
    source = "matth-x/MicroOcpp#311, #354"

    def __init__(self) -> None:
        super().__init__()
        self._powered_up_at: datetime | None = None

    def on_power_up(self) -> None:
        self._powered_up_at = None

    def clock(self, true: datetime) -> datetime:
        if self._powered_up_at is None:
            self._powered_up_at = true
        return datetime(1970, 1, 1, tzinfo=UTC) + (true - self._powered_up_at)


class FastClock3h(Personality):
    """Its clock is three hours fast."""

    name = "fast_clock_3h"
    source = "steve#136; OCPP 1.6 errata 3.14"

    def clock(self, true: datetime) -> datetime:
        return true + timedelta(hours=3)


class SameTimestampStatuses(Personality):
    """All its statuses carry the timestamp of the first one after boot."""

    name = "same_timestamp_statuses"
    source = "evcc-io/evcc#13547"

    def __init__(self) -> None:
        super().__init__()
        self._first: datetime | None = None

    def on_power_up(self) -> None:
        self._first = None

    def status_timestamp(self, at: datetime) -> str:
        self._first = self._first or at
        return self.timestamp(self._first)
