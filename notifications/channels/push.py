"""Push messages to phones, by Firebase Cloud Messaging's HTTP v1 API; the address is an app's token.

Formats: firebase.google.com/docs/reference/fcm/rest/v1/projects.messages and …/v1/ErrorCode.
"""

import re
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from config import clock
from notifications import urgency
from notifications.channels.base import Channel
from notifications.channels.message import Gone, Message, Receipt, Rejected, Unavailable
from notifications.channels.transport import google_tokens, http_url, outcome, plain_text
from notifications.channels.transport.http1 import Answer
from notifications.channels.transport.session import Session

SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
# FCM takes 4096 bytes in all.
MAX_TITLE: Final = 200
MAX_BODY: Final = 800
# What FCM asks to wait where it names no time.
QUOTA_WAIT_S: Final = 60.0
_TOKEN = re.compile(r"[A-Za-z0-9_:.~=+/-]{1,2048}")
_ERRORS: Final = {
    "INVALID_ARGUMENT": "the token or the message is not valid",
    "UNREGISTERED": "the app is not installed there any more",
    "SENDER_ID_MISMATCH": "the token belongs to another project",
    "QUOTA_EXCEEDED": "too many messages",
    "UNAVAILABLE": "the service is overloaded",
    "INTERNAL": "an error of the service's own",
    "THIRD_PARTY_AUTH_ERROR": "Apple's or the browser's credentials are missing in the Firebase project",
}
# Names that FCM keeps for itself.
_RESERVED = re.compile(r"(from|message_type|gcm|google|gcm\..*|google\..*)\Z")


class PushChannel(Channel):
    """A repeat takes the place of the message that it repeats, where the phone still shows that one."""

    name = "push"
    address_type = "the token of an installed app"
    address_field = "token"
    needs_confirmation = True
    digests = True
    address_is_secret = True

    @property
    def is_configured(self) -> bool:
        return bool(settings.FCM_SERVICE_ACCOUNT)

    def normalised_address(self, address: str) -> str:
        if not _TOKEN.fullmatch(address):
            raise ValidationError(gettext("Enter the token that the app got from Firebase."))
        return address

    def lane(self, address: str) -> str:
        return f"{http_url.lane(settings.FCM_BASE_URL)}/fcm"

    async def send(self, message: Message, session: Session) -> Receipt:
        if not self.is_configured:
            raise Rejected("not set up: needs FCM_SERVICE_ACCOUNT")
        account = google_tokens.account(settings.FCM_SERVICE_ACCOUNT)
        answer, token = await self._posted(account, message, session)
        if answer.status == 401 and _code_in(outcome.said(answer.body)) not in _ERRORS:  # it has expired
            session.google.forget(token)
            if message.on_begin:  # whatever begins now must pass the fence again
                raise Unavailable("answered 401: the access token was not accepted", status_code=401)
            answer, token = await self._posted(account, message, session)
        return receipt(answer, now=clock.now())

    async def _posted(
        self, account: google_tokens.Account, message: Message, session: Session
    ) -> tuple[Answer, str]:
        token = await session.google.get(
            account, scope=SCOPE, token_url=settings.FCM_TOKEN_URL, timeout_s=self.timeout_s
        )
        base = settings.FCM_BASE_URL.rstrip("/")
        answer = await session.answer_to(
            f"{base}/v1/projects/{quote(account.project, safe='')}/messages:send",
            body=body_of(message),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout_s=self.timeout_s,
            trusted=True,
            on_begin=message.on_begin,
            keep_body=True,
        )
        return answer, token


def body_of(message: Message) -> bytes:
    """Return the JSON that is posted; data is that of the notification's ``push``, else its kind and id.

    ``platform`` of the notification's data (``ios``, ``android`` or none) says which settings go with it.
    """
    same = str(message.delivery_id)
    platform = message.data.get("platform") or ""
    urgent = not urgency.can_wait(kind=message.kind, severity=message.severity)
    content: dict[str, Any] = {
        "token": message.address,
        "notification": {
            "title": plain_text.cut(message.title, MAX_TITLE),
            "body": plain_text.cut(message.body, MAX_BODY),
        },
        "data": data_of(message),
    }
    if platform != "ios":
        content["android"] = {"priority": "HIGH" if urgent else "NORMAL", "notification": {"tag": same}}
    if platform != "android":
        content["apns"] = {"headers": {"apns-priority": "10" if urgent else "5", "apns-collapse-id": same}}
    return orjson.dumps({"message": content})


def data_of(message: Message) -> dict[str, str]:
    """Return what the app is told: strings by name, without the names that FCM keeps for itself."""
    given = message.data.get("push")
    if not isinstance(given, dict):
        given = {"kind": message.kind, "delivery_id": str(message.delivery_id)}
        if url := message.data.get("url"):
            given["url"] = url
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in given.items()
        if not _RESERVED.match(name)
    }


def receipt(answer: Answer, *, now: datetime) -> Receipt:
    """Return the receipt of an answer, with the message's own name; raises what a refusal means. Pure."""
    said = outcome.said(answer.body)
    if answer.is_success:
        return Receipt(answer.status, str(said.get("name") or "").rpartition("/")[2])
    code = _code_in(said)
    words = f", {code}: {_ERRORS[code]}" if code in _ERRORS else ""
    if answer.status in (401, 403) and code not in _ERRORS:
        words = "; check FCM_SERVICE_ACCOUNT and what it may do"
    wait_s = outcome.retry_after_s(answer.retry_after, now=now)
    if wait_s is None and answer.status == outcome.TOO_FAST:
        wait_s = QUOTA_WAIT_S
    final = Gone if code == "UNREGISTERED" else Rejected
    raise outcome.refusal(answer, now=now, words=words, wait_s=wait_s, final=final)


def _code_in(said: dict[str, Any]) -> str:
    """Return FCM's own code of an error, else the general one, else ""."""
    error = said.get("error")
    if not isinstance(error, dict):
        return ""
    details = error.get("details")
    for each in details if isinstance(details, list) else []:
        if isinstance(each, dict) and isinstance(each.get("errorCode"), str):
            return str(each["errorCode"])
    return str(error.get("status") or "")
