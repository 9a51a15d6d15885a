"""Making tariffs, changing them and saying where they apply."""

import re
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import IdTokenGroup
from accounts.services.actors import Actor
from accounts.services.audit import record_audit
from accounts.services.permissions import require
from billing.choices import TariffStatus
from billing.exceptions import UnlawfulTariff
from billing.models import Tariff, TariffAssignment, TariffVersion
from billing.tariffs.lawful import FAST_KW, broken_rules
from billing.tariffs.ocpi import parse_tariff, tariff_to_json
from billing.tariffs.selectors import latest_version
from billing.tariffs.tariff import Tariff as TariffValue
from cms.base.errors import Conflict, Invalid
from stations.models import ChargingStation, Connector, Location

# Fit for one segment of an address.
_ID = re.compile(r"(?!\.{1,2}\Z)[ -.0-~]{1,36}", re.ASCII)
# Ours beside the content: not part of a version, so never stored in one.
_OUTSIDE = frozenset({"id", "version", "status", "last_updated"})


@transaction.atomic
def create_tariff(
    *, actor: Actor, data: Mapping[str, Any], draft: bool = False, force: bool = False
) -> Tariff:
    """A new tariff of the actor's operator with its first version, from an OCPI 2.2.1 tariff object.

    The id in `data` is kept if this operator has no tariff of that id, else another one is given.
    Published at once unless `draft`. With `force` an owner may publish what breaks a rule.

    Raises:
        NotAllowed: the role may not change tariffs, or not insist.
        TariffInvalid: `data` is no tariff.
        UnlawfulTariff: it breaks a rule of its country.
    """
    require(actor, "tariffs.change")
    value = parse_tariff(_without(data, _OUTSIDE - {"id"}))
    if value.id is not None and not _ID.fullmatch(value.id):
        raise Invalid.fields({"id": [_("An id is printable ASCII without a slash.")]})
    insisted_on = _check_lawful(value, actor, force)
    content = _content(value)
    tariff = _insert_tariff(
        Tariff(
            operator=actor.operator,
            ocpi_id=value.id or str(uuid.uuid4()),
            name=value.name,
            currency=value.currency,
            status=TariffStatus.DRAFT if draft else TariffStatus.ACTIVE,
        )
    )
    TariffVersion.objects.create(tariff=tariff, version=1, content=content)
    record_audit(
        actor=actor,
        action="tariff.create",
        obj=tariff,
        after={
            "id": tariff.ocpi_id,
            "version": 1,
            "status": tariff.status,
            "content": content,
            **({"insisted_on": insisted_on} if insisted_on else {}),
        },
    )
    return tariff


@transaction.atomic
def change_tariff(
    *,
    actor: Actor,
    tariff: Tariff,
    data: Mapping[str, Any],
    draft: bool = False,
    force: bool = False,
) -> Tariff:
    """Lay the fields of `data` over the tariff's content as a new version; null takes a field out.

    What leaves the content as it is makes no version. A draft is published unless `draft`; `status` in
    `data` retires a tariff or takes it back into use. Running sessions keep the version they began with.

    Raises:
        NotAllowed, TariffInvalid, UnlawfulTariff: as `create_tariff`.
        Conflict: a published tariff cannot become a draft again.
    """
    require(actor, "tariffs.change")
    if data.get("id") not in (None, tariff.ocpi_id):
        raise Invalid.fields({"id": [_("This cannot be changed.")]})
    tariff = Tariff.objects.select_for_update().get(pk=tariff.pk)
    latest = latest_version(tariff)
    value = parse_tariff({**latest.content, **_without(data, _OUTSIDE)})
    content = _content(value)
    before: dict[str, Any] = {"version": latest.version, "status": tariff.status}
    after: dict[str, Any] = dict(before)
    status = _next_status(tariff, data.get("status"), draft)
    publishes = status == TariffStatus.ACTIVE and tariff.status != TariffStatus.ACTIVE
    if content != latest.content or publishes:
        insisted_on = _check_lawful(value, actor, force)
        if insisted_on:
            after["insisted_on"] = insisted_on
    if content != latest.content:
        TariffVersion.objects.create(tariff=tariff, version=latest.version + 1, content=content)
        changed = {
            k for k in {*content, *latest.content} if content.get(k) != latest.content.get(k)
        }
        before["content"] = {k: latest.content.get(k) for k in changed}
        after |= {"version": latest.version + 1, "content": {k: content.get(k) for k in changed}}
    tariff.name, tariff.currency = value.name, value.currency
    tariff.status = after["status"] = status
    if after != before:
        tariff.save(update_fields=["name", "currency", "status"])
        record_audit(actor=actor, action="tariff.update", obj=tariff, before=before, after=after)
    return tariff


@transaction.atomic
def assign_tariff(
    *,
    actor: Actor,
    tariff: Tariff,
    station: ChargingStation | None = None,
    evse_id: int | None = None,
    location: Location | None = None,
    group: IdTokenGroup | None = None,
    force: bool = False,
) -> TariffAssignment:
    """Let a tariff apply to a station, one EVSE of it, a location or a group; to everything if none is given.

    Effective at once for sessions that begin from now on. All rows must be of the actor's operator.

    Raises:
        NotAllowed: the role may not change tariffs, or not insist.
        Conflict: the tariff is a draft or retired.
        UnlawfulTariff: the tariff breaks a rule at this target.
    """
    require(actor, "tariffs.change")
    tariff = Tariff.objects.select_for_update().get(pk=tariff.pk)
    if tariff.status != TariffStatus.ACTIVE:
        raise Conflict(
            _("Only a published tariff can be assigned; this one is %(status)s.")
            % {"status": tariff.status},
            code="tariff_not_active",
        )
    assignment = TariffAssignment(
        operator=actor.operator,
        tariff=tariff,
        station=station,
        evse_id=evse_id,
        location=location,
        group=group,
    )
    insisted_on = _check_lawful(
        parse_tariff(latest_version(tariff).content),
        actor,
        force,
        at_fast_point=_has_fast_point(assignment),
    )
    assignment.save(force_insert=True)
    after: dict[str, Any] = {"tariff": tariff.ocpi_id, "target": assignment.target}
    if insisted_on:
        after["insisted_on"] = insisted_on
    record_audit(actor=actor, action="tariff_assignment.create", obj=assignment, after=after)
    return assignment


@transaction.atomic
def remove_assignment(*, actor: Actor, assignment: TariffAssignment) -> None:
    """End an assignment for sessions that begin from now on. Idempotent.

    Raises:
        NotAllowed: the role may not change tariffs.
    """
    require(actor, "tariffs.change")
    now = timezone.now()
    removed = TariffAssignment.objects.filter(pk=assignment.pk, removed_at__isnull=True).update(
        removed_at=now
    )
    if removed:
        record_audit(
            actor=actor,
            action="tariff_assignment.delete",
            obj=assignment,
            before={"tariff": assignment.tariff.ocpi_id, "target": assignment.target},
        )


def _without(data: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in names}


def _content(value: TariffValue) -> dict[str, Any]:
    """What a version keeps: the tariff object in its normal form, without what stands beside it."""
    return _without(tariff_to_json(value), _OUTSIDE)


def _check_lawful(
    tariff: TariffValue, actor: Actor, force: bool, *, at_fast_point: bool = False
) -> list[str]:
    """Refuse what breaks a rule; returns the rules that an owner insisted on breaking."""
    broken = broken_rules(tariff, at_fast_point=at_fast_point)
    if broken and not force:
        raise UnlawfulTariff(broken)
    if broken:
        require(actor, "tariffs.force")
    return sorted(broken)


def _has_fast_point(assignment: TariffAssignment) -> bool:
    """Whether a charging point of 50 kW or more falls under it. A group's price is no ad-hoc price."""
    if assignment.group_id is not None:
        return False
    connectors = Connector.objects.filter(
        evse__station__operator_id=assignment.operator_id, max_power_w__gte=FAST_KW * 1000
    )
    if assignment.location_id is not None:
        connectors = connectors.filter(evse__station__location_id=assignment.location_id)
    if assignment.station_id is not None:
        connectors = connectors.filter(evse__station_id=assignment.station_id)
    if assignment.evse_id is not None:
        connectors = connectors.filter(evse__evse_id=assignment.evse_id)
    return connectors.exists()


def _insert_tariff(tariff: Tariff) -> Tariff:
    """Insert under the id it has, or under a fresh one where that is taken."""
    try:
        with transaction.atomic():
            tariff.save(force_insert=True)
    except IntegrityError:
        tariff.ocpi_id = str(uuid.uuid4())
        tariff.save(force_insert=True)
    return tariff


def _next_status(tariff: Tariff, wanted: str | None, draft: bool) -> str:
    if wanted is None:
        if tariff.status == TariffStatus.DRAFT and not draft:
            return TariffStatus.ACTIVE
        return tariff.status
    if wanted not in TariffStatus.values:
        raise Invalid.fields(
            {"status": [_("One of %(words)s.") % {"words": ", ".join(TariffStatus.values)}]}
        )
    if wanted == TariffStatus.DRAFT and tariff.status != TariffStatus.DRAFT:
        raise Conflict(
            _("A published tariff cannot become a draft again."), code="tariff_published"
        )
    return wanted
