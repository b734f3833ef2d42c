"""Schedules, and the overrides of them that end in the future."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Final, Self

import yaml
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from config import clock
from config.masking import MASK
from escalation import ical_addresses as addresses
from escalation.as_code.kinds.base import Fields, Kind, email_of, people_ids, values_of
from escalation.models import Schedule, ScheduleOverride
from escalation.schedules.restrictions import as_json, restrictions_of
from escalation.schedules.selectors import with_layers
from escalation.services import schedules as schedule_services
from escalation.services.schedules import LayerSaid

#: What a layer with a calendar says, besides its address.
OF_CALENDARS: Final = ("name", "time_zone")


class Address(str):
    """The address of a calendar as everybody may read it, which also knows all of it.

    Whoever has the whole address can read the calendar: what is exported, and what is shown of a change, has
    its host alone, and digits that change with the rest. In a file, that stands for the address stored.
    """

    whole: str

    def __new__(cls, given: str) -> Self:
        is_masked = MASK in given
        whole = "" if is_masked else addresses.normalised(given)
        address = super().__new__(cls, given.strip() if is_masked else addresses.masked(whole))
        address.whole = whole
        return address

    def found(self, there: Mapping[str, str]) -> str:
        """Return the whole address.

        Raises:
            ValidationError: it isn't known.
        """
        if not self.whole and self not in there:
            raise ValidationError({"ical_url": [f"Write the whole address in place of {self}."]})
        return self.whole or there[self]


yaml.SafeDumper.add_representer(Address, lambda dumper, address: dumper.represent_str(str(address)))


class Schedules(Kind):
    name, one = "schedules", "schedule"
    FIELDS: Final = ("name", "time_zone", "starts_on", "handoff_at", "shift_h", "per_turn", "restrictions")

    def stored(self, named: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        schedules = with_layers(Schedule.objects.filter(deleted_at=None).order_by("name"), since=clock.now())
        return {
            schedule.name: {
                **values_of(schedule, ("may_have_gaps", "drill_every_days", "drill_at")),
                "layers": [
                    self._layer_stored(layer)
                    for layer in schedule.in_layers  # type: ignore[attr-defined]
                ],
                "overrides": [
                    {
                        "user": each.user.email,
                        "instead_of": each.instead_of and each.instead_of.email,
                        **values_of(each, ("starts_at", "ends_at")),
                    }
                    for each in schedule.standing_in  # type: ignore[attr-defined]
                ],
            }
            for schedule in schedules
        }

    def _layer_stored(self, layer: Any) -> dict[str, Any]:
        if layer.ical_url:
            return {**values_of(layer, OF_CALENDARS), "ical_url": Address(layer.ical_url)}
        # The places of those who left stand in no file: nobody can take them up again.
        members = [place.user.email for place in layer.in_order if place.user]
        return {**values_of(layer, self.FIELDS), "members": members}

    def normal(self, fields: Fields) -> dict[str, Any]:
        normal = dict(fields)
        if "drill_at" in fields:
            normal["drill_at"] = time.fromisoformat(fields["drill_at"]).isoformat()
        if "layers" in fields:
            normal["layers"] = [self._layer_normal(layer) for layer in fields["layers"]]
        if "overrides" in fields:
            normal["overrides"] = [
                {
                    "user": email_of(each["user"]),
                    "instead_of": email_of(each["instead_of"]) if each.get("instead_of") else None,
                    **{name: _moment(each[name]).isoformat() for name in ("starts_at", "ends_at")},
                }
                for each in fields["overrides"]
            ]
        return normal

    @staticmethod
    def _layer_normal(layer: Fields) -> dict[str, Any]:
        if "ical_url" in layer:
            if others := layer.keys() - {*OF_CALENDARS, "ical_url"}:
                raise ValidationError(f"a layer with ical_url has no {', '.join(sorted(others))}")
            return {"name": "", **layer, "ical_url": Address(layer["ical_url"])}
        return {
            "name": "",
            "per_turn": 1,
            **layer,
            "handoff_at": time.fromisoformat(layer["handoff_at"]).isoformat(),
            "restrictions": as_json(restrictions_of(layer.get("restrictions", []))),
            "members": [email_of(each) for each in layer["members"]],
        }

    def make(self, name: str, fields: Fields) -> None:
        layers = self._layers(fields.get("layers", []))
        # Whoever was switched off since the file was written is no reason not to take it.
        schedule, _ = schedule_services.schedule_create(
            name=name,
            layers=layers,
            may_have_holes=True,
            **self._own(fields),
        )
        self._set_overrides(schedule, fields)

    def change(self, name: str, fields: Fields) -> None:
        schedule = Schedule.objects.get(name=name, deleted_at=None)
        there = schedule.layers.exclude(ical_url="").values_list("ical_url", flat=True)
        known = {addresses.masked(url): url for url in there}
        schedule_services.schedule_update(
            schedule=schedule,
            layers=self._layers(fields["layers"], known) if "layers" in fields else None,
            may_have_holes=True,
            **self._own(fields),
        )
        self._set_overrides(schedule, fields)

    def remove(self, name: str) -> None:
        schedule_services.schedule_remove(schedule=Schedule.objects.get(name=name, deleted_at=None))

    @staticmethod
    def _own(fields: Fields) -> dict[str, Any]:
        """Return what a file says of the schedule itself."""
        own = {name: fields[name] for name in ("may_have_gaps", "drill_every_days") if name in fields}
        return own | ({"drill_at": time.fromisoformat(fields["drill_at"])} if "drill_at" in fields else {})

    @staticmethod
    def _layers(layers: Iterable[Fields], there: Mapping[str, str] = {}) -> list[LayerSaid]:
        """Return what a file says of layers.

        Args:
            there: the addresses of the schedule's calendars, by what stands for them in a file.
        """
        return [
            LayerSaid(
                name=layer["name"], time_zone=layer["time_zone"], ical_url=layer["ical_url"].found(there)
            )
            if "ical_url" in layer
            else LayerSaid(
                name=layer["name"],
                time_zone=layer["time_zone"],
                starts_on=date.fromisoformat(layer["starts_on"]),
                handoff_at=time.fromisoformat(layer["handoff_at"]),
                shift_h=layer["shift_h"],
                per_turn=layer["per_turn"],
                restrictions=restrictions_of(layer["restrictions"]),
                members=tuple(people_ids(layer["members"], "members")),
            )
            for layer in layers
        ]

    @staticmethod
    def _set_overrides(schedule: Schedule, fields: Fields) -> None:
        if "overrides" not in fields:
            return
        # All anew: of two that overlap the one made last counts.
        overrides().filter(schedule=schedule).delete()
        for each in fields["overrides"]:
            (person,) = people_ids([each["user"]], "overrides")
            replaced = people_ids([each["instead_of"]], "overrides") if each["instead_of"] else [None]
            schedule_services.override_create(
                schedule=schedule,
                user_id=person,
                instead_of_id=replaced[0],
                starts_at=_moment(each["starts_at"]),
                ends_at=_moment(each["ends_at"]),
            )


def overrides() -> QuerySet[ScheduleOverride]:
    """Return those that end in the future."""
    return ScheduleOverride.objects.filter(ends_at__gt=clock.now(), schedule__deleted_at=None)


def _moment(given: str) -> datetime:
    """Return a time in UTC; one without a zone is taken to be in it."""
    at = datetime.fromisoformat(given)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
