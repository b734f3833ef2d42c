"""Settings of where pairs meet that contradict each other."""

from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from config import zones
from dating.meetings import jitsi

_STUN: Final = ("stun:", "stuns:")
_TURN: Final = ("turn:", "turns:")


@register("tocsin")
def room_makes_sense(**kwargs: Any) -> list[CheckMessage]:
    """What browsers would refuse, or a server for TURN."""
    faults: list[CheckMessage] = []
    if not all(url.startswith(_STUN) for url in settings.ROOM_STUN_URLS):
        faults.append(Error("ROOM_STUN_URLS must each begin with stun: or stuns:", id="dating.E001"))
    if not all(url.startswith(_TURN) for url in settings.ROOM_TURN_URLS):
        faults.append(Error("ROOM_TURN_URLS must each begin with turn: or turns:", id="dating.E002"))
    if bool(settings.ROOM_TURN_URLS) != bool(settings.ROOM_TURN_SECRET):
        faults.append(Error("Set both ROOM_TURN_URLS and ROOM_TURN_SECRET, or neither", id="dating.E003"))
    if settings.ROOM_RELAY_ONLY and not settings.ROOM_TURN_URLS:
        faults.append(Error("ROOM_RELAY_ONLY needs ROOM_TURN_URLS", id="dating.E004"))
    return faults


@register("tocsin")
def bot_has_a_time_zone(**kwargs: Any) -> list[CheckMessage]:
    """Else every list of events that its people ask for would fail, or be at the times of another place."""
    if zones.is_zone(settings.DATING_BOT_TIME_ZONE):
        return []
    text = "DATING_BOT_TIME_ZONE must be a name of the time zone database, such as Europe/Moscow"
    return [Error(text, id="dating.E005")]


# Not among those that are looked at before a start: evenings use the built-in room instead.
@register()
def jitsi_is_ones_own(**kwargs: Any) -> list[CheckMessage]:
    """In the rooms of the public Jitsi Meet people wait for somebody who logs in there."""
    if not jitsi.is_public():
        return []
    text = "JITSI_BASE_URL is the public Jitsi Meet, which requires a log-in: it is not offered"
    hint = "Use the built-in room, or set it to a Jitsi Meet of your own."
    return [Warning(text, hint=hint, id="dating.W001")]
