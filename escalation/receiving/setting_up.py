"""Making, changing and removing integrations and routes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F

from config import clock
from escalation.groups import ending
from escalation.models import AlertGroup, Integration, Route
from escalation.receiving import reading
from escalation.saving import made_once, unless_taken

R = TypeVar("R", Integration, Route)

NAME_TAKEN: Final = "There is already one with that name."
#: What an integration of Grafana has for a mapping if it takes nothing without a signature.
SIGNED: Final = "is_signed"
_FIELDS: Final = ("format", "shop_id", "policy_id", "severity", "mapping", "is_enabled")


def integration_create(**fields: Any) -> tuple[Integration, bool]:
    """Make an integration, with a key; the second value is False where the very same is there already.

    Raises:
        ValidationError: a field is not as it should be.
        Conflict: the name is taken by another one.
    """
    integration = Integration(**fields)
    return made_once(integration, _saved, Integration.objects.filter(name=integration.name), _FIELDS)


def integration_update(*, integration: Integration, **changes: Any) -> Integration:
    """Change these fields.

    Raises:
        ValidationError, Conflict: as integration_create does.
    """
    return _changed(integration, changes)


def integration_renew_key(*, integration: Integration) -> Integration:
    """Give it a new key: what comes with the one before is refused from now on."""
    with transaction.atomic():
        Integration.objects.filter(pk=integration.pk).update(key_version=F("key_version") + 1)
        integration.refresh_from_db(fields=["key_version"])
        integration.save(update_fields=["key_digest"])
    return integration


def integration_remove(*, integration: Integration, by: str, via: str) -> None:
    """Delete an integration with all that it brought; what is still open of it tells nobody any more."""
    now = clock.now()
    with transaction.atomic():
        # What a body has brought by then goes too; any other finds at its commit that this is gone.
        Integration.objects.select_for_update().filter(pk=integration.pk).first()
        groups = AlertGroup.objects.filter(integration=integration)
        for group in groups.exclude(state=AlertGroup.State.RESOLVED):
            ending.group_resolve(group=group, by=by, via=via, now=now)
        integration.delete()


def integration_check(integration: Integration) -> None:
    """Raise ValidationError unless its mapping is one for its format."""
    match integration.format:
        case Integration.Format.GENERIC:
            reading.mapping_check(integration.mapping)
        case Integration.Format.GRAFANA:
            given = integration.mapping
            if given not in ({}, {SIGNED: True}, {SIGNED: False}):
                raise ValidationError({"mapping": f'Expected {{"{SIGNED}": true}}, or an empty object.'})
        case _:
            if integration.mapping != {}:
                raise ValidationError({"mapping": "This format has none: leave it empty."})


def route_create(**fields: Any) -> tuple[Route, bool]:
    """Make a route, behind all others unless it says where; the second value as of integration_create.

    Raises:
        ValidationError: a field is not as it should be.
        Conflict: the name is taken by another one.
    """
    route = Route(**fields)
    if "position" not in fields:
        last = Route.objects.order_by("-position").values_list("position", flat=True).first()
        route.position = (last or 0) + 1
    return made_once(route, _saved, Route.objects.filter(name=route.name), fields)


def route_update(*, route: Route, **changes: Any) -> Route:
    """Change these fields; what is open already stays where it was led.

    Raises:
        ValidationError, Conflict: as route_create does.
    """
    return _changed(route, changes)


def routes_order(*, ids: Sequence[UUID]) -> None:
    """Have the routes asked in this order.

    Raises:
        ValidationError: these are not all routes, each once.
    """
    with transaction.atomic():
        routes = {route.pk: route for route in Route.objects.select_for_update(no_key=True).order_by("pk")}
        if len(ids) != len(routes) or set(ids) != routes.keys():
            raise ValidationError({"ids": "Expected the id of each route, once."})
        for position, pk in enumerate(ids, start=1):
            routes[pk].position = position
        Route.objects.bulk_update(routes.values(), ["position"])


def _changed(row: R, changes: Mapping[str, Any]) -> R:
    with transaction.atomic():
        locked: R = type(row).objects.select_for_update(no_key=True).get(pk=row.pk)
        for name, value in changes.items():
            setattr(locked, name, value)
        return _saved(locked)


def _saved(row: R) -> R:
    row.full_clean(exclude=["key_digest"], validate_unique=False)
    if isinstance(row, Integration):
        integration_check(row)
    with unless_taken(NAME_TAKEN):
        row.save()
    return row
