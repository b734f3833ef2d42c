"""Keys of machines."""

from collections.abc import Iterable
from datetime import datetime

from accounts.models import ApiKey


def api_key_create(*, name: str, scopes: Iterable[str]) -> tuple[ApiKey, str]:
    """Make a machine's key; the second value is the key itself, shown this once only.

    Raises:
        ValidationError: a scope is not known.
    """
    api_key = ApiKey(name=name, scopes=sorted(set(scopes)))
    key = api_key.set_new_key()
    api_key.full_clean()
    api_key.save()
    return api_key, key


def api_key_revoke(*, api_key: ApiKey, now: datetime) -> bool:
    """Refuse a key from now on; returns whether it was revoked by this."""
    return bool(ApiKey.objects.filter(pk=api_key.pk, revoked_at=None).update(revoked_at=now))
