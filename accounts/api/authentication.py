"""API keys of machines, in the three forms that HTTP clients can send them."""

import base64
import binascii
from datetime import timedelta
from typing import Any

import structlog
from django.db import DatabaseError, connection, transaction
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts.models import ApiKey
from config import clock, sql
from config.statements import named

log = structlog.get_logger(__name__)

USED_EVERY = timedelta(minutes=1)

KEY_SQL = "SELECT * FROM accounts_apikey WHERE digest = %s"
named("api-key.find", "Find an API key by its digest.", KEY_SQL)
# Skips a row that another request is just marking: the mark is worth no wait.
MARK_USED_SQL = """
UPDATE accounts_apikey SET last_used_at = %(now)s WHERE id = (
    SELECT id FROM accounts_apikey WHERE id = %(id)s FOR UPDATE SKIP LOCKED
)
"""
named("api-key.mark-used", "Note that an API key has just been used.", MARK_USED_SQL)


class Machine:
    """Who acts when a request bears an API key: no user, not staff, nothing but the key's scopes."""

    is_authenticated = True
    is_anonymous = False
    is_active = True
    is_staff = False
    is_superuser = False

    def __init__(self, api_key: ApiKey) -> None:
        self.api_key = api_key
        self.pk = f"key:{api_key.pk}"

    def __str__(self) -> str:
        return f"API key {self.api_key}"

    def has_scope(self, scope: str) -> bool:
        return scope in self.api_key.scopes


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer tsn_…``, ``Api-Key tsn_…``, or Basic with the key as user name or password."""

    def authenticate(self, request: Request) -> tuple[Machine, ApiKey] | None:
        key = key_from_header(request.META.get("HTTP_AUTHORIZATION", ""))
        if key is None:
            return None
        # One look-up in a unique index, by a digest: its time tells nothing about any key. There is no
        # cache before it, so that a revoked key stops working at once.
        api_key = api_key_of(ApiKey.digest_of(key))
        if api_key is None or api_key.revoked_at is not None:
            raise AuthenticationFailed("This API key is unknown or has been revoked.")
        now = clock.now()
        if api_key.expires_at is not None and api_key.expires_at <= now:
            raise AuthenticationFailed("This API key has expired.")
        if api_key.last_used_at is None or now - api_key.last_used_at >= USED_EVERY:
            mark_used(api_key)
        return Machine(api_key), api_key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Tocsin", Basic realm="Tocsin"'


def api_key_of(digest: str) -> ApiKey | None:
    """Find a key; as SQL, since making this query anew for each request costs more than running it."""
    with connection.cursor() as cursor:
        cursor.execute(KEY_SQL, [digest])
        row = cursor.fetchone()
        return row and ApiKey.from_db("default", [column.name for column in cursor.description], row)


def key_from_header(header: str) -> str | None:
    """Return the API key that an Authorization header bears; None where it is for another scheme.

    Raises:
        AuthenticationFailed: the header says that it bears a key, and doesn't.
    """
    scheme, _, value = header.partition(" ")
    match scheme.lower():
        case "bearer":
            value = value.strip()
            return value if value.startswith(ApiKey.PREFIX) else None
        case "api-key":
            return value.strip()
        case "basic":
            try:
                text = base64.b64decode(value.strip(), validate=True).decode()
            except (binascii.Error, ValueError):
                raise AuthenticationFailed("The Basic credentials can't be decoded.")
            username, _, password = text.partition(":")
            # Some clients insist on a user name of their own; then the key is the password.
            return password if password.startswith(ApiKey.PREFIX) else username
        case _:
            return None


def mark_used(api_key: ApiKey) -> None:
    """Note that a key was used, once a minute; the request goes on whether this succeeds or not."""
    try:
        with transaction.atomic():
            sql.execute(MARK_USED_SQL, {"now": clock.now(), "id": api_key.pk})
    except DatabaseError as error:
        log.warning("api_key_use_not_marked", api_key=str(api_key.pk), error=type(error).__name__)


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.api.authentication.ApiKeyAuthentication"
    name = ["apiKey", "apiKeyBasic"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "tsn_…",
                "description": "A machine's API key; `Authorization: Api-Key tsn_…` works too.",
            },
            {
                "type": "http",
                "scheme": "basic",
                "description": "A machine's API key as the user name, or as the password.",
            },
        ]
