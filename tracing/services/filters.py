"""Setting filters: each change of what they say makes a version, which nothing changes any more."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from config.rest.exceptions import Conflict
from tracing.models import Filter, FilterVersion


def filter_save(*, filter: Filter) -> Filter:
    """Store a filter, as its next version if its criteria are new; ValidationError: it says what none can."""
    filter.full_clean()
    with transaction.atomic():
        stored = Filter.objects.select_for_update().filter(pk=filter.pk).first()
        filter.version = stored.version if stored else 0
        newest = FilterVersion.objects.filter(filter_id=filter.pk, number=filter.version).first()
        if newest is None or newest.criteria() != filter.criteria():
            filter.version += 1
            filter.save()
            FilterVersion.of(filter).save(force_insert=True)
        else:
            filter.save()
    return filter


def filter_create(*, name: str, **fields: Any) -> tuple[Filter, bool]:
    """Store a new filter; the second value is False where the very same one is here already.

    Conflict: there is another one of this name. ValidationError: it says what no filter can.
    """
    made = Filter(name=name, **fields)
    existing = Filter.objects.filter(name=name).first()
    if existing is None:
        try:
            return filter_save(filter=made), True
        except IntegrityError:  # by another request, at the same instant
            existing = Filter.objects.get(name=name)
    if existing.criteria() != made.criteria() or existing.is_active != made.is_active:
        raise Conflict(gettext("There is already a filter with this name and other content."))
    return existing, False


def filter_change(*, filter: Filter, of_version: int | None = None, **fields: Any) -> Filter:
    """Change what is given of a filter; ``of_version`` is the one that whoever changes it has seen.

    ValidationError: it says what no filter can. Conflict: its criteria were changed since ``of_version``.
    """
    with transaction.atomic():
        # As it is now: somebody may have changed something else since it was read.
        filter.refresh_from_db(from_queryset=Filter.objects.select_for_update())
        if of_version is not None and filter.version != of_version:
            raise Conflict(gettext("Somebody has changed this filter since you opened it. Try it again."))
        for name, value in fields.items():
            setattr(filter, name, value)
        return filter_save(filter=filter)
