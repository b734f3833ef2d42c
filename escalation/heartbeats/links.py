"""Where heartbeats are pinged: by the UUID, or by the ping key of their shop and the slug."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.conf import settings

from escalation.models import Heartbeat, PingKey


def url_of(heartbeat: Heartbeat) -> str:
    return f"{settings.PUBLIC_URL}/ping/{heartbeat.ping_uuid}"


def slug_url_of(heartbeat: Heartbeat, key: str) -> str:
    return f"{settings.PUBLIC_URL}/ping/{key}/{heartbeat.slug}"


def keys_of(heartbeats: Iterable[Heartbeat]) -> Mapping[UUID | None, str]:
    """Return the ping keys of these heartbeats' shops, and of none; makes those that are missing."""
    shops = {each.shop_id: each.shop for each in heartbeats}
    keys: dict[UUID | None, str] = dict(PingKey.objects.values_list("shop_id", "key"))
    for pk, shop in shops.items():
        if pk not in keys:
            keys[pk] = PingKey.objects.get_or_create(shop=shop)[0].key
    return keys
