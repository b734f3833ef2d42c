"""Google Meet, by Google's own client (the extra ``meet``) over REST, as the account of a token file."""

import json
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from google.api_core import exceptions
from google.apps import meet_v2
from google.auth.exceptions import RefreshError, TransportError
from google.oauth2.credentials import Credentials
from yarl import URL

from accounts import rate_limits
from config import clock
from dating.meetings.base import MeetingPaced, MeetingRefused, MeetingUnavailable, Provider, RoomInfo
from notifications.channels.transport import outcome

_TIMEOUT_S: Final = 10.0
_SCOPES: Final = ("https://www.googleapis.com/auth/meetings.space.created",)
_NO_CONFERENCE: Final = "no active conference"
_Access = meet_v2.SpaceConfig.AccessType


class GoogleMeet(Provider):
    name = "google_meet"

    @property
    def is_configured(self) -> bool:
        return bool(settings.GOOGLE_MEET_TOKEN_FILE)

    @classmethod
    def configuration(cls) -> Hashable:
        token_file = Path(settings.GOOGLE_MEET_TOKEN_FILE)
        # A file that was replaced takes effect without a restart.
        written_at = token_file.stat().st_mtime_ns if token_file.is_file() else 0
        return token_file, written_at, settings.GOOGLE_MEET_BASE_URL, settings.GOOGLE_MEET_TOKEN_URL

    def create_room(self, *, key: str, title: str) -> RoomInfo:
        """Make a space that whoever has its address enters without knocking. Google gives it no title."""
        # Take one of the creations that the account has per minute, shared with all other processes.
        account = settings.GOOGLE_MEET_TOKEN_FILE
        if wait := rate_limits.attempt_take(scope="google-meet", who=account, now=clock.now()):
            raise MeetingPaced("the quota of this minute is used up", retry_after=wait.total_seconds())
        wanted = meet_v2.Space(config=meet_v2.SpaceConfig(access_type=_Access.OPEN))
        with _asking():
            space = self._spaces.create_space({"space": wanted}, **_once())
            if space.config.access_type != _Access.OPEN:
                # The organisation's default won over what was asked for.
                opened = meet_v2.Space(name=space.name, config=wanted.config)
                self._spaces.update_space({"space": opened, "update_mask": "config.accessType"}, **_once())
        return RoomInfo(url=space.meeting_uri, reference=space.name)

    def end_call(self, reference: str) -> None:
        try:
            with _asking():
                self._spaces.end_active_conference(name=reference, **_once())
        except MeetingRefused as error:
            if _NO_CONFERENCE not in str(error).lower():
                raise

    def participants(self, reference: str) -> list[str]:
        now_on = f'space.name = "{reference}" AND end_time IS NULL'
        with _asking():
            records = self._records.list_conference_records({"filter": now_on}, **_once())
            present = (
                person
                for record in records
                for person in self._records.list_participants(
                    {"parent": record.name, "filter": "latest_end_time IS NULL"}, **_once()
                )
            )
            return sorted(_name_of(person) for person in present)

    @cached_property
    def _spaces(self) -> meet_v2.SpacesServiceClient:
        return meet_v2.SpacesServiceClient(transport=self._transport(meet_v2.SpacesServiceClient))

    @cached_property
    def _records(self) -> meet_v2.ConferenceRecordsServiceClient:
        return meet_v2.ConferenceRecordsServiceClient(
            transport=self._transport(meet_v2.ConferenceRecordsServiceClient)
        )

    def _transport(self, client: Any) -> Any:
        base = URL(settings.GOOGLE_MEET_BASE_URL)
        transport = client.get_transport_class("rest")
        return transport(host=base.authority, url_scheme=base.scheme, credentials=self._credentials)

    @cached_property
    def _credentials(self) -> Credentials:
        """Read the token file, as Google's quickstart writes it; it is good for access tokens without end."""
        try:
            token = json.loads(Path(settings.GOOGLE_MEET_TOKEN_FILE).read_text())
            return Credentials(
                token=None,
                refresh_token=token["refresh_token"],
                client_id=token["client_id"],
                client_secret=token["client_secret"],
                token_uri=settings.GOOGLE_MEET_TOKEN_URL,
                scopes=_SCOPES,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MeetingRefused(f"GOOGLE_MEET_TOKEN_FILE: {type(error).__name__}") from None


def _once() -> dict[str, Any]:
    """Return how each request is made: jobs try again, and not Google's client."""
    return {"timeout": _TIMEOUT_S, "retry": None}


@contextmanager
def _asking() -> Iterator[None]:
    """Ask Google, and say in the interface's terms what went wrong. No token is in any of the texts."""
    try:
        yield
    except RefreshError as error:
        refused = MeetingUnavailable if error.retryable else MeetingRefused
        raise refused("Google refused the token file's credentials") from None
    except exceptions.GoogleAPICallError as error:
        code = int(error.code or 0)
        text = f"answered {code}: {error.message}"
        if code in (408, 429) or code >= 500:
            headers = getattr(error.response, "headers", None) or {}
            wait_s = outcome.retry_after_s(headers.get("Retry-After"), now=clock.now())
            raise MeetingUnavailable(text, retry_after=wait_s) from None
        raise MeetingRefused(text) from None
    except (TransportError, exceptions.RetryError, OSError) as error:
        raise MeetingUnavailable(f"no answer: {type(error).__name__}") from None


def _name_of(person: meet_v2.Participant) -> str:
    """Return the name that the others in the call see."""
    shown = person.signedin_user or person.anonymous_user or person.phone_user
    return str(shown.display_name)
