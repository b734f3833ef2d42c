"""The tables that are looked through for somebody's addresses: all of them, but for those named here."""

from collections.abc import Collection, Iterator
from typing import Any, Final

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.models import Session
from django.db import models
from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts.models import ApiKey, Shop, User
from notifications.departures.words import Words
from notifications.models import (
    ContactPoint,
    DeadMessage,
    Departure,
    Event,
    MessageTemplate,
    OutgoingMessage,
)

_TEXT: Final = (models.CharField, models.TextField, models.JSONField, ArrayField)

#: Tables that are left alone, by name, and why.
LEFT_ALONE: Final[dict[str, str]] = {
    User._meta.label: "Another person's account is theirs.",
    ContactPoint._meta.label: "Another person's contact point is theirs.",
    Departure._meta.label: "Says what is looked for, and goes itself.",
    Event._meta.label: "Has a step of its own: what is about them alone keeps ids only.",
    DeadMessage._meta.label: "Has a step of its own: its body is bytes.",
    OutgoingMessage._meta.label: "Has a step of its own: brokers are still to be told of the deletion.",
    Session._meta.label: "Has a step of its own: it is encoded.",
    OutstandingToken._meta.label: "Holds ids of tokens, and no person's words.",
    "notifications.Outgoing": "Holds what is being sent to others.",
    "escalation.PolicyVersion": "What operators have set: whoever it names is told, until they change it.",
    "escalation.Heartbeat": "What operators call a job.",
    "escalation.PingKey": "A secret of jobs, and no person's words.",
    "tracing.DeviceContact": "Belongs to a device, whose owner has no account here.",
    "tracing.Device": "Belongs to its owner, who has no account here.",
    ApiKey._meta.label: "What operators call a machine.",
    Shop._meta.label: "What operators call a place.",
    MessageTemplate._meta.label: "What operators tell everybody.",
    Group._meta.label: "Django's own.",
    Permission._meta.label: "Django's own.",
    ContentType._meta.label: "Django's own.",
}


def text_fields(model: type[Model], names: Collection[str] = ()) -> "list[models.Field[Any, Any]]":
    """Return the fields of a table that can hold somebody's words: those of these names, or all."""
    return [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, _TEXT) and not field.choices and (not names or field.name in names)
    ]


def looked_through() -> Iterator[type[Model]]:
    for model in sorted(apps.get_models(include_auto_created=True), key=lambda each: each._meta.label):
        if model._meta.managed and model._meta.label not in LEFT_ALONE and text_fields(model):
            yield model


def mentioning(rows: QuerySet[Any], words: Words, *, fields: Collection[str] = ()) -> QuerySet[Any]:
    """Return those rows of a table in which any of the words is: in these fields, or in any."""
    if not words.pattern:
        return rows.none()
    found = Q()
    for field in text_fields(rows.model, fields):
        name = f"{field.name}_as_text"
        rows = rows.alias(**{name: Cast(field.name, TextField())})
        found |= Q(**{f"{name}__iregex": words.pattern})
    return rows.filter(found)


def mask(row: Model, words: Words, *, fields: Collection[str] = ()) -> None:
    """Take the words out of one row, or out of these fields of it."""
    changed = {}
    for field in text_fields(type(row), fields):
        value = getattr(row, field.attname)
        masked = words.masked(value)
        if masked != value:
            longest = getattr(field, "max_length", None)
            changed[field.attname] = masked[:longest] if isinstance(masked, str) else masked
    if changed:
        type(row)._base_manager.filter(pk=row.pk).update(**changed)
