"""Behaviours of real 1.6 stations, one class each. The docstring says what; `source` says where.

Each of them must be handled without losing a fact or billing a wrong one.
"""

from __future__ import annotations

from ..personalities import Personality
from .delivery import (
    CounterRestarts,
    DoubleStart,
    DuplicateStopShiftedTimestamp,
    RepeatsStartNewId,
    RepeatsStartSameId,
    ReplayFlood,
    StopUnknownTransaction,
)
from .frames import (
    BrokenJsonFrames,
    Epoch1970Clock,
    FastClock3h,
    LocalTimeMarkedZ,
    LowercaseIdTag,
    NullPayloads,
    SameTimestampStatuses,
    ZeroTimestamps,
    ZoneLessTimestamps,
)
from .meters import (
    KwhLabelledWh,
    LifetimeRegister,
    RegisterResetsEachBoot,
    RegisterResetsEachSession,
    RelativeMeterValues,
    UnitlessAndEmptySamples,
)
from .sessions import AvailableBeforeStop, ClosingReadingAfterStop, NeverStops, RebootsMidSession
from .sockets import (
    CallsBeforeAnswering,
    DropsIdle,
    ErrorDetailsString,
    Flapping,
    HalfOpenThenNewSocket,
    IgnoresPings,
    LiteralHexKey,
    NeverAnswersCommands,
    NeverRedialsAfterClose,
    NoSubprotocol,
    Offers201Speaks16,
)

QUIRKS: tuple[type[Personality], ...] = (
    RepeatsStartSameId,
    RepeatsStartNewId,
    DoubleStart,
    CounterRestarts,
    StopUnknownTransaction,
    DuplicateStopShiftedTimestamp,
    ReplayFlood,
    NeverStops,
    AvailableBeforeStop,
    ClosingReadingAfterStop,
    RebootsMidSession,
    RegisterResetsEachSession,
    RegisterResetsEachBoot,
    RelativeMeterValues,
    LifetimeRegister,
    KwhLabelledWh,
    UnitlessAndEmptySamples,
    BrokenJsonFrames,
    NullPayloads,
    LowercaseIdTag,
    ZoneLessTimestamps,
    ZeroTimestamps,
    LocalTimeMarkedZ,
    Epoch1970Clock,
    FastClock3h,
    SameTimestampStatuses,
    NoSubprotocol,
    Offers201Speaks16,
    HalfOpenThenNewSocket,
    Flapping,
    NeverRedialsAfterClose,
    IgnoresPings,
    DropsIdle,
    NeverAnswersCommands,
    ErrorDetailsString,
    CallsBeforeAnswering,
    LiteralHexKey,
)
