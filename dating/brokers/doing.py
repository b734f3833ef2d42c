"""What the bot's commands do: the services that HTTP calls, and the original's answers."""

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError

from accounts.models import User
from config import clock
from config.rest.exceptions import Conflict
from config.zones import zone_of
from dating.brokers.aliases import number_of
from dating.brokers.commands import ALL_EVENTS, NOT_UNDERSTOOD, Command, Name, answer
from dating.models import Event, Step
from dating.services import (
    bot_chat_learn,
    people_met,
    reaction_record,
    ready_mark,
    registration_cancel,
    registration_confirm,
    registration_create,
    registrations_cancel,
)
from notifications.brokers import once
from notifications.brokers.messages import Answer

log = structlog.get_logger(__name__)

#: Events in one list; a chat shows no more.
LISTED: Final = 50
_TIME: Final = "%Y-%m-%d %H:%M:%S"


class Unknown(Exception):
    """There is nobody, or no event, by what was given; its text says which."""


def apply(commands: Sequence[Command]) -> list[Answer]:
    """Do what is asked for, in order; each is answered, with the headers that it came with.

    What comes again after it took effect was answered then, and is left out; without an id it is done again,
    which changes nothing unless something else was asked for in between.
    """
    fresh = once.fresh(commands, now=clock.now())
    return [answer(command.headers, _done(command)) for command in fresh]


def _done(command: Command) -> Any:
    try:
        # Whom the bot means: by number or id, somebody whom it speaks for, and nobody else.
        spoken_for = User.objects.filter(is_active=True, bot_account__isnull=False)
        known = (
            {"pk": command.user} if isinstance(command.user, UUID) else {"bot_account__number": command.user}
        )
        user = spoken_for.filter(**known).first()
        if user is None:
            raise Unknown("The bot does not know anyone by this number or id.")
        if command.chat is not None:
            # Whoever writes to the bot is told things by it; a chat that can't be one hinders nothing.
            try:
                bot_chat_learn(user=user, chat=command.chat)
            except (ValidationError, Conflict):
                log.warning("bot_chat_refused", user=str(user.pk))
        return _COMMANDS[command.name](command, user)
    except Unknown as error:
        log.warning("bot_command_refused", command=command.name, reason=str(error))
        return NOT_UNDERSTOOD


def _event(command: Command) -> Event:
    known_as = "pk" if isinstance(command.event, UUID) else "number"
    event = Event.objects.filter(**{known_as: command.event}).first()
    if event is None:
        raise Unknown("There is no such event.")
    return event


def _list(command: Command, user: User) -> Any:
    """Events that one can still register for, by number, at the times that the bot's people live by."""
    coming = Event.objects.filter(step__in=[Step.OPEN, Step.CONFIRMING], starts_at__gt=command.at)
    zone = zone_of(settings.DATING_BOT_TIME_ZONE)
    return [
        {
            str(event.number): {
                "start_time": event.starts_at.astimezone(zone).strftime(_TIME),
                "users_limit": event.users_limit,
            }
        }
        for event in coming.order_by("starts_at", "pk")[:LISTED]
    ]


def _unless_refused(reply: str, change: Callable[..., Any], **given: Any) -> dict[str, bool]:
    try:
        change(**given)
    except Conflict as error:
        log.info("bot_command_conflict", reply=reply, reason=str(error))
        return {reply: False}
    return {reply: True}


def _about_event(reply: str, change: Callable[..., Any]) -> Callable[[Command, User], Any]:
    def do(command: Command, user: User) -> Any:
        return _unless_refused(reply, change, event=_event(command), user=user, now=command.at)

    return do


def _cancel(command: Command, user: User) -> Any:
    if command.event == ALL_EVENTS:
        return {"registration_cancelled": registrations_cancel(user=user, now=command.at) > 0}
    return _about_event("registration_cancelled", registration_cancel)(command, user)


def _react(command: Command, user: User) -> Any:
    event = _event(command)
    # The registration of somebody met, by the number that the bot was told.
    own = event.registrations.filter(user=user).first()
    met = people_met(own) if own else []
    found = next((partner.pk for partner in met if number_of(partner.pk) == command.partner), None)
    if found is None:
        raise Unknown("They have not met anyone with this number.")
    return _unless_refused(
        "reaction_recorded",
        reaction_record,
        event=event,
        user=user,
        about_id=found,
        kind=command.name.removesuffix("_partner"),
        now=command.at,
    )


_COMMANDS: Final[dict[Name, Callable[[Command, User], Any]]] = {
    Name.LIST: _list,
    Name.REGISTER: _about_event("user_registered", registration_create),
    Name.CONFIRM: _about_event("registration_confirmed", registration_confirm),
    Name.CANCEL: _cancel,
    Name.READY: _about_event("user_ready", ready_mark),
    Name.LIKE: _react,
    Name.DISLIKE: _react,
    Name.REPORT: _react,
}
