"""How browsers find a way to each other through the network: servers for STUN and TURN, from the settings."""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings

#: A call may be extended, or last through a pause; the server forgets the credentials soon after.
_GRACE: Final = timedelta(hours=1)


def connection_settings(*, who: str, until: datetime) -> dict[str, Any]:
    """Return an ``RTCConfiguration``, with credentials for TURN that end an hour after the call.

    Format: https://datatracker.ietf.org/doc/html/draft-uberti-behave-turn-rest-00, as coturn takes it
    (``use-auth-secret``): the name is the time at which they end and ``who``, which tells people apart in the
    server's log and says nothing of them; the password is an HMAC.
    """
    servers: list[dict[str, Any]] = []
    if settings.ROOM_STUN_URLS:
        servers.append({"urls": settings.ROOM_STUN_URLS})
    if settings.ROOM_TURN_URLS:
        name = f"{int((until + _GRACE).timestamp())}:{who}"
        # SHA-1 is what the scheme says; it does not have to resist collisions here.
        password = hmac.new(settings.ROOM_TURN_SECRET.encode(), name.encode(), hashlib.sha1).digest()
        servers.append(
            {
                "urls": settings.ROOM_TURN_URLS,
                "username": name,
                "credential": base64.b64encode(password).decode(),
            }
        )
    relays = settings.ROOM_RELAY_ONLY and settings.ROOM_TURN_URLS
    return {"iceServers": servers, "iceTransportPolicy": "relay" if relays else "all"}
