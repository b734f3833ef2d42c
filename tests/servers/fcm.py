"""Firebase Cloud Messaging's HTTP v1 API and Google's token endpoint: ``with FCM() as server``.

``service_account`` is the key file of its one account. What was sent is in ``messages``, the tokens that it
gave in ``granted``. It refuses as told by ``refuse``; ``expire`` makes it accept no token given so far.
Formats: firebase.google.com/docs/reference/fcm/rest/v1, developers.google.com/identity/protocols/oauth2.
"""

import json
import time
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers.provider import Provider, Refusal, json_of
from tests.servers.third_party import Request

PROJECT: Final = "tocsin-local"
EMAIL: Final = f"sender@{PROJECT}.iam.gserviceaccount.com"
SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_MESSAGE = {"token", "notification", "data", "android", "apns", "webpush", "fcm_options"}


class FCM(Provider):
    """An HTTP server for one project and one service account."""

    def __init__(self, port: int = 0, *, token_prefix: str = "ya29.local") -> None:
        super().__init__(port)
        self.messages: list[dict[str, Any]] = []
        self.granted: list[str] = []
        #: Seconds that a token lasts, as it says.
        self.lasts_s = 3599
        self._prefix = token_prefix
        self._valid: set[str] = set()

    @property
    def token_url(self) -> str:
        return f"{self.origin}/token"

    @property
    def service_account(self) -> str:
        """The key file, as JSON."""
        return json.dumps(
            {
                "type": "service_account",
                "project_id": PROJECT,
                "private_key_id": "local-key",
                "private_key": _private_key(),
                "client_email": EMAIL,
                "token_uri": self.token_url,
            }
        )

    def expire(self) -> None:
        self._valid.clear()

    def refuse(self, status: int, code: str, *headers: str, message: str = "Refused") -> None:
        """Answer messages so from now on, with one of FCM's own error codes."""
        self.refusal = _error(status, code, message, *headers)

    def answer_to(self, request: Request) -> Any:
        if request.path == "/token":
            return self._grant(request)
        if request.path != f"/v1/projects/{PROJECT}/messages:send":
            return Refusal(404, {"error": {"code": 404, "message": "Not found", "status": "NOT_FOUND"}})
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self._valid:
            content = {"code": 401, "message": "Invalid credentials", "status": "UNAUTHENTICATED"}
            return Refusal(401, {"error": content})
        given = json_of(request)
        message = given.get("message") if isinstance(given, dict) else None
        if not isinstance(message, dict) or set(given) - {"message", "validate_only"}:
            return _error(400, "INVALID_ARGUMENT", "No message")
        if fault := _fault(message):
            return _error(400, "INVALID_ARGUMENT", fault)
        if self.refusal:
            return self.refusal
        self.messages.append(message)
        self.changed()
        return {"name": f"projects/{PROJECT}/messages/0:{len(self.messages)}"}

    def _grant(self, request: Request) -> Any:
        fields = dict(parse_qsl(request.body.decode()))
        if fields.get("grant_type") != GRANT_TYPE:
            return Refusal(400, {"error": "unsupported_grant_type"})
        try:
            claims = jwt.decode(
                fields.get("assertion", ""), _public_key(), algorithms=["RS256"], audience=self.token_url
            )
        except jwt.PyJWTError as error:
            return Refusal(400, {"error": "invalid_grant", "error_description": str(error)})
        now = time.time()
        if claims["iss"] != EMAIL or claims["scope"] != SCOPE or claims["exp"] - claims["iat"] > 3600:
            return Refusal(400, {"error": "invalid_grant"})
        if not now - 300 < claims["iat"] < now + 300:
            return Refusal(400, {"error": "invalid_grant"})
        token = f"{self._prefix}-{len(self.granted)}"
        self.granted.append(token)
        self._valid.add(token)
        self.changed()
        return {"access_token": token, "expires_in": self.lasts_s, "token_type": "Bearer"}


def _fault(message: dict[str, Any]) -> str:
    if not set(message) <= _MESSAGE:
        return "Unknown name"
    if not isinstance(message.get("token"), str) or not message["token"]:
        return "The registration token is not a valid FCM registration token"
    notification, data = message.get("notification", {}), message.get("data", {})
    if not set(notification) <= {"title", "body", "image"}:
        return "Unknown name in notification"
    if not all(isinstance(each, str) for each in (*data.values(), *notification.values())):
        return "Invalid value (TYPE_STRING)"
    if any(name in {"from", "message_type"} or name.startswith(("google.", "gcm.")) for name in data):
        return "Invalid data key"
    if message.get("android", {}).get("priority", "HIGH") not in {"HIGH", "NORMAL"}:
        return "Invalid priority"
    if len(json.dumps([notification, data], ensure_ascii=False).encode()) > 4096:
        return "Message is too big"
    return ""


def _error(status: int, code: str, message: str, *headers: str) -> Refusal:
    details = [{"@type": _FCM_ERROR, "errorCode": code}]
    return Refusal(
        status, {"error": {"code": status, "message": message, "status": code, "details": details}}, headers
    )


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _private_key() -> str:
    return (
        _key()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )


def _public_key() -> rsa.RSAPublicKey:
    return _key().public_key()
