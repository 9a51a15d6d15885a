"""What a question to a station consists of; `questions` has all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise

from accounts.services.actors import Actor
from accounts.services.permissions import Capability
from cms.portal.forms import NothingForm
from stations.models import ChargingStation, Command

Queue = Callable[[Actor, ChargingStation, Mapping[str, Any]], Command]
Words = str | Promise


@dataclass(frozen=True)
class Question:
    """`consequence` says what will happen; a dangerous one has a red button."""

    title: Words
    consequence: Words
    button: Words
    queue: Queue
    capability: Capability = "stations.command"
    form_class: type[forms.Form] = NothingForm
    dangerous: bool = False
    # Where its outcome is seen.
    shown_on: str = "station"
    anchor: str = "#commands"
