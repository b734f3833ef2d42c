"""A person's dating evenings, and what they said there (accounts.personal_data)."""

from collections.abc import Iterator, Mapping
from typing import Final

from django.db.models import F, Model

from accounts.models import User
from accounts.personal_data import Row, Section, paged
from dating.models import (
    BotAccount,
    Date,
    DatingProfile,
    Event,
    Group,
    LogEntry,
    Reaction,
    RecurringRule,
    Registration,
    Room,
    Round,
    Seat,
)
from dating.services.reactions import matches_of_person

_REGISTRATION: Final = (
    "id", "state", "left_out", "registered_at", "asked_at", "confirmed_at", "cancelled_at", "ready_at",
    "last_sign_at", "missed_at", "no_shows",
)  # fmt: skip


def profile(user: User) -> Iterator[Row]:
    fields = ("birthday", "city", "seeks", "manual_score", "created_at")
    return paged(DatingProfile.objects.filter(user=user), *fields)


def bot_accounts(user: User) -> Iterator[Row]:
    return paged(BotAccount.objects.filter(user=user), "number", "created_at")


def registrations(user: User) -> Iterator[Row]:
    """Their evenings, each with its matches, as their page shows them."""
    of_event = {"event_title": F("event__title"), "event_starts_at": F("event__starts_at")}
    for row in paged(Registration.objects.filter(user=user), *_REGISTRATION, **of_event):
        names = Registration.objects.filter(pk__in=matches_of_person(row["id"])).order_by("pk")
        yield row | {"matches": list(names.values_list("user__first_name", flat=True))}


def dates(user: User) -> Iterator[Row]:
    """Whom they met is said by the partners' registrations alone."""
    theirs = Seat.objects.filter(registration__user=user)
    for row in paged(
        theirs, "joined_at", "registration_id", round_number=F("round__number"), status=F("date__status"),
        first=F("date__first_id"), second=F("date__second_id"),
    ):  # fmt: skip
        own, pair = row.pop("registration_id"), {row.pop("first"), row.pop("second")}
        yield row | {"with": next(iter(pair - {own}), None)}


def reactions(user: User) -> Iterator[Row]:
    """What they said of others; what others said of them is never shown."""
    return paged(Reaction.objects.filter(by__user=user), "kind", "text", "created_at", "about_id")


def events_organised(user: User) -> Iterator[Row]:
    yield from paged(Event.objects.filter(organiser=user), "id", "title", "starts_at", "created_at")
    yield from paged(RecurringRule.objects.filter(organiser=user), "id", "title", "rrule", "created_at")


SECTIONS: Final = (
    Section("dating_profile", [DatingProfile], profile),
    Section("bot_accounts", [BotAccount], bot_accounts),
    Section("dating_registrations", [Registration], registrations),
    Section("dating_dates", [Date, Seat], dates),
    Section("dating_reactions", [Reaction], reactions),
    Section("dating_events_organised", [Event, RecurringRule], events_organised),
)
LEFT_OUT: Final[Mapping[type[Model], str]] = {
    Group: "A number; whoever else is in it is nobody's to be told.",
    Room: "A place of the evening, not a person's.",
    Round: "A time of the evening, not a person's.",
    LogEntry: "What the evening went through, in numbers.",
}
