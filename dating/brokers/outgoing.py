"""What the dating bot is told to do, by the kind of what somebody is told: the original's commands.

One message can be several commands, as the original sent them one by one. A command with nothing to say is
its bare name where the original's was, else ``{"name": null}``. What is not here goes as ``send_message``.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from config.statements import named
from dating.brokers.aliases import number_of
from notifications.channels import bot
from notifications.channels.message import Message


def _link(message: Message) -> list[Any]:
    data = message.data
    invitation = {key: data.get(key) for key in ("url", "partner", "round", "round_ends_at")}
    return [{"invite_to_meeting": invitation}]


def _rate(message: Message) -> list[Any]:
    partner = {
        "partner_id": number_of(UUID(message.data["partner_id"])),
        "partner": message.data.get("partner"),
    }
    return [{"send_break_message": None}, {"send_partner_rating_request": partner}]


def _finished(message: Message) -> list[Any]:
    names = [match["name"] for match in message.data.get("matches", [])]
    commands: list[Any] = [{"send_final_dating_message": None}]
    return [*commands, {"send_match_message": {"matches": names}}] if names else commands


COMMANDS: Final[Mapping[str, Callable[[Message], list[Any]]]] = {
    "dating.confirm": lambda message: ["confirm_registration"],
    # The rules, and with them the question whether somebody is there.
    "dating.rules": lambda message: ["send_rules", {"send_ready_for_event_request": None}],
    "dating.link": _link,
    "dating.rate": _rate,
    "dating.finished": _finished,
}


NUMBERS: Final = "SELECT user_id, number FROM dating_botaccount WHERE user_id = ANY (%(users)s)"
named("bot.numbers", "Read the numbers by which the bot knows people.", NUMBERS)


def register() -> None:
    bot.numbers_read_by(NUMBERS)
    for kind, commands in COMMANDS.items():
        bot.register(kind, commands)
