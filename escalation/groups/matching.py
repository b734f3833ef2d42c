"""Where an occurrence leads: matchers over its labels, and routes in their order. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, ne
from typing import Any, Final, NamedTuple

from accounts.models import Shop
from escalation.intake.occurrence import Occurrence
from escalation.models import AlertGroup, Integration, Policy, Route


class Owner(NamedTuple):
    """In place of an integration's: the policy where no route matches, and the shop."""

    policy: Policy | None = None
    shop: Shop | None = None


NOBODYS = Owner()


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an occurrence.

    ``key`` names its group, ``why`` has a sentence for each route that was asked.
    """

    key: str
    policy: Policy | None
    route: Route | None
    why: tuple[str, ...]


def matches(matchers: Iterable[Mapping[str, Any]], labels: Mapping[str, str]) -> bool:
    """Whether all of these hold; a label that isn't there counts as empty."""
    return all(_HOLDS[each["op"]](labels.get(each["label"], ""), each["value"]) for each in matchers)


def labels_of(
    occurrence: Occurrence, integration: Integration | None, severity: str, owner: Owner = NOBODYS
) -> dict[str, str]:
    """Return what matchers see of an occurrence."""
    shop = integration.shop if integration else owner.shop
    return _seen(occurrence.labels, occurrence, severity, integration, shop)


def labels_of_group(group: AlertGroup) -> dict[str, str]:
    """Return what matchers see of a group: the same as of its first occurrence."""
    return _seen(group.labels, group, group.severity, group.integration, group.shop)


def _seen(
    labels: Mapping[str, str],
    of: Occurrence | AlertGroup,
    severity: str,
    integration: Integration | None,
    shop: Shop | None,
) -> dict[str, str]:
    """Return labels, and beside them severity, title, key, integration and shop."""
    return {
        **labels,
        "severity": severity,
        "title": of.title,
        "key": of.key,
        "integration": integration.name if integration else "",
        "shop": shop.slug if shop else "",
    }


def decided(
    occurrence: Occurrence,
    labels: Mapping[str, str],
    *,
    routes: Sequence[Route],
    integration: Integration | None,
    owner: Owner = NOBODYS,
) -> Decision:
    """Return where an occurrence leads: by the first route that matches, else by whose it is."""
    why: list[str] = []
    for route in routes:
        if not matches(route.matchers, labels):
            why.append(f"The route “{route.name}” does not match.")
            continue
        if route.is_shadow:
            whom = f"by “{route.policy.name}”" if route.policy else "to nobody"
            why.append(
                f"The route “{route.name}” matches, and would tell {whom}: it only shows what it would do."
            )
            continue
        told = f"its policy is “{route.policy.name}”" if route.policy else "it tells nobody"
        why.append(f"The route “{route.name}” matches: {told}.")
        return Decision(_group_key(occurrence, labels, route), route.policy, route, tuple(why))
    policy = integration.policy if integration else owner.policy
    whose = "the integration's" if integration else "its own"
    if policy is None:
        why.append(f"No route matches, and {whose} policy is empty: nobody is told.")
    else:
        why.append(f"No route matches: {whose} policy is “{policy.name}”.")
    return Decision(occurrence.key, policy, None, tuple(why))


def _is_like(value: str, pattern: str) -> bool:
    """Whether a value is this pattern's, in which * stands for any characters; found in one walk."""
    first, *others = pattern.split("*")
    if not others:
        return value == pattern
    *between, last = others
    place = len(first)
    if not value.startswith(first):
        return False
    for part in between:
        place = value.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return len(value) - len(last) >= place and value.endswith(last)


_HOLDS: Final = {"=": eq, "!=": ne, "~": _is_like}


def _group_key(occurrence: Occurrence, labels: Mapping[str, str], route: Route) -> str:
    """Return the key of the group: by the values of the route's labels, where it groups."""
    if not route.group_by:
        return occurrence.key
    values = json.dumps([labels.get(name, "") for name in sorted(route.group_by)])
    return f"group:{route.pk.hex}:{hashlib.sha256(values.encode()).hexdigest()}"
