"""What reports here, and where that leads: integrations and routes."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from accounts.models import Shop
from escalation.as_code.kinds.base import Fields, Kind, id_of, values_of
from escalation.models import Integration, Policy, Route
from escalation.receiving import setting_up


class Integrations(Kind):
    """Those that post here; a new one has a key of its own, whatever the one had that was exported."""

    name, one = "integrations", "integration"
    FIELDS: Final = ("format", "severity", "mapping", "is_enabled")

    def stored(self, named: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        return {
            each.name: {
                **values_of(each, self.FIELDS),
                "shop": each.shop and each.shop.slug,
                "policy": each.policy and each.policy.name,
            }
            for each in Integration.objects.select_related("shop", "policy").order_by("name")
        }

    def make(self, name: str, fields: Fields) -> None:
        setting_up.integration_create(name=name, **_with_ids(fields))

    def change(self, name: str, fields: Fields) -> None:
        integration = Integration.objects.get(name=name)
        setting_up.integration_update(integration=integration, **_with_ids(fields))

    def remove(self, name: str) -> None:
        setting_up.integration_remove(integration=Integration.objects.get(name=name), by="apply", via="apply")


class Routes(Kind):
    """In the order in which they are asked: those of the file first, as they stand there."""

    name, one = "routes", "route"
    FIELDS: Final = (
        "matchers", "group_by", "group_wait_s", "group_interval_s", "repeat_interval_s", "is_shadow",
        "is_enabled",
    )  # fmt: skip

    def stored(self, named: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
        return {
            each.name: {**values_of(each, self.FIELDS), "policy": each.policy and each.policy.name}
            for each in Route.objects.select_related("policy").order_by("position", "pk")
        }

    def make(self, name: str, fields: Fields) -> None:
        setting_up.route_create(name=name, **_with_ids(fields))

    def change(self, name: str, fields: Fields) -> None:
        setting_up.route_update(route=Route.objects.get(name=name), **_with_ids(fields))

    def remove(self, name: str) -> None:
        Route.objects.get(name=name).delete()

    def order(self, names: Sequence[str]) -> None:
        ids = dict(Route.objects.order_by("position", "pk").values_list("name", "pk"))
        first = [ids.pop(name) for name in names]
        setting_up.routes_order(ids=[*first, *ids.values()])


def _with_ids(fields: Fields) -> dict[str, Any]:
    """Return fields with the ids of the policy and the shop that they name."""
    ids: dict[str, Any] = dict(fields)
    if "policy" in ids:
        name = ids.pop("policy")
        ids["policy_id"] = name and id_of(Policy.objects.filter(name=name, deleted_at=None), name, "policy")
    if "shop" in ids:
        slug = ids.pop("shop")
        ids["shop_id"] = slug and id_of(Shop.objects.filter(slug=slug), slug, "shop")
    return ids
