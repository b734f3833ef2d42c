"""A Jitsi Meet of one's own. A room comes into being when somebody enters it: nothing is asked for it."""

import json
from datetime import datetime, timedelta
from typing import Any, Final

import jwt
from django.conf import settings
from django.utils.crypto import salted_hmac
from yarl import URL

from dating.meetings.base import Guest, MeetingRefused, Provider, RoomInfo

_SALT: Final = "dating.meetings.jitsi"
#: For clocks that differ, and for those whose connection breaks in the last second.
_GRACE: Final = timedelta(minutes=1)
#: And what is below it: since 2023 its rooms open only once somebody logs in there.
_PUBLIC: Final = "meet.jit.si"


class Jitsi(Provider):
    name = "jitsi"
    is_local = True
    # Each call has an address of its own; see link(). Who is in it Jitsi tells nobody outside.
    ends_calls = False
    knows_participants = False

    @property
    def is_configured(self) -> bool:
        return bool(settings.JITSI_BASE_URL) and not is_public()

    def create_room(self, *, key: str, title: str) -> RoomInfo:
        """Return the same room for the same key. Its name can't be guessed without the secret key."""
        if not self.is_configured:
            raise MeetingRefused("no Jitsi Meet of your own is configured: set JITSI_BASE_URL")
        name = _name_of(key)
        url = (URL(settings.JITSI_BASE_URL) / name).with_fragment(f"config.subject={json.dumps(title)}")
        return RoomInfo(url=str(url), reference=name)

    def link(self, room: RoomInfo, *, call: str = "", guest: Guest | None = None, until: datetime) -> str:
        """Return an address of this call's own: Jitsi has no way to end a call from outside.

        Whoever stays on after a round is alone there, and does not meet the room's next pair.
        """
        name = _name_of(f"{room.reference} {call}") if call else room.reference
        url = URL(room.url)
        url = url.with_path(url.path.removesuffix(room.reference) + name, keep_fragment=True)
        if settings.JITSI_APP_ID and settings.JITSI_APP_SECRET:
            # Format: https://github.com/jitsi/lib-jitsi-meet/blob/master/doc/tokens.md
            claims: dict[str, Any] = {
                "aud": settings.JITSI_APP_ID,
                "iss": settings.JITSI_APP_ID,
                "sub": settings.JITSI_JWT_SUB or URL(settings.JITSI_BASE_URL).host,
                "room": name,
                "exp": until + _GRACE,
            }
            if guest:
                claims["context"] = {"user": {"id": guest.id, "name": guest.name}}
            url = url.update_query({"jwt": jwt.encode(claims, settings.JITSI_APP_SECRET, algorithm="HS256")})
        return str(url)


def is_public() -> bool:
    """Whether the Jitsi Meet of the settings is the public one, in which nobody meets without logging in."""
    host = URL(settings.JITSI_BASE_URL).host or ""
    return host == _PUBLIC or host.endswith(f".{_PUBLIC}")


def _name_of(key: str) -> str:
    """Return 128 bits that only this installation can compute."""
    return f"tocsin-{salted_hmac(_SALT, key, algorithm='sha256').hexdigest()[:32]}"
