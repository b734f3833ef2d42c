"""The table of switches: by which channels somebody is told of which kinds of things."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.utils.translation import gettext_lazy

from accounts.models import User
from notifications import rules
from notifications.inbox.selectors import read_of, unread_of
from notifications.messages import catalogue
from notifications.models import ContactPoint, Subscription
from notifications.web.concerns import does_concern

LABELS: Final[dict[str, Any]] = {
    "alert": gettext_lazy("Alerts from your shops, including critical ones"),
    "stage.*": gettext_lazy("Internships"),
    "evaluation.*": gettext_lazy("Evaluations"),
    "grade.*": gettext_lazy("Grades"),
    "offer.*": gettext_lazy("Offers"),
    "student.*": gettext_lazy("Your student profile"),
    "encadrant.*": gettext_lazy("Your supervisor profile"),
    "contact_point.*": gettext_lazy("Your contact points"),
    "escalation": gettext_lazy("Escalations: when somebody needs you"),
    "escalation.*": gettext_lazy("Escalations: what is over, and figures"),
    "on_call.*": gettext_lazy("Your times on call"),
    "dating.*": gettext_lazy("Dating evenings"),
    "tracing.*": gettext_lazy("Contact tracing"),
}
# Made of others, which have switches of their own.
NOT_SHOWN: Final = ("digest",)
# So many of the newest items of an inbox say what somebody is told of.
NEWEST: Final = 100


@dataclass(frozen=True, slots=True)
class Switch:
    channel: str
    kind: str
    is_on: bool

    @property
    def name(self) -> str:
        return f"{self.channel} {self.kind}"


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    switches: Sequence[Switch]


def groups() -> list[str]:
    """Return the kinds that have a switch: groups where there are several of one, such as ``stage.*``."""
    kinds = [kind for kind in catalogue.kinds() if rules.can_be_switched_off(kind) and kind not in NOT_SHOWN]
    shown = {f"{_domain(kind)}.*" if "." in kind else kind for kind in kinds}
    return [*(group for group in LABELS if group in shown), *sorted(shown - LABELS.keys())]


def kinds_by_group() -> list[tuple[str, str]]:
    """Return each group with a kind of it, for questions about the group."""
    kinds = sorted(catalogue.kinds())
    return [
        (group, next(kind for kind in kinds if kind == group or kind.startswith(group.removesuffix("*"))))
        for group in groups()
    ]


def label_of(group: str) -> str:
    return str(LABELS.get(group, group.removesuffix(".*").capitalize()))


def channels_of(user: User) -> list[str]:
    """Return the channels that somebody is told by."""
    theirs = ContactPoint.objects.filter(user=user, deleted_at=None).order_by()
    return sorted({"inbox", *theirs.values_list("channel", flat=True)})


def groups_of(user: User, subscriptions: Iterable[Subscription]) -> list[str]:
    """Return the groups that concern somebody, that they have been told of, or have a rule about."""
    unread, read = (
        half.order_by("-number").values_list("notification__kind", flat=True)[:NEWEST]
        for half in (unread_of(user), read_of(user))
    )
    told = {_domain(kind) for kind in (*unread.union(read), *(each.kind for each in subscriptions))}
    answers = {domain: domain in told or does_concern(domain, user) for domain in {*map(_domain, groups())}}
    return [group for group in groups() if answers[_domain(group)]]


def _domain(kind: str) -> str:
    return kind.partition(".")[0]


def table(user: User, subscriptions: Iterable[Subscription], channels: Sequence[str]) -> list[Row]:
    held = list(subscriptions)
    return [
        Row(
            label_of(group),
            [
                Switch(
                    channel,
                    group,
                    not rules.silences(held, channel=channel, kind=group, severity=rules.gravest(group)),
                )
                for channel in channels
            ],
        )
        for group in groups_of(user, held)
    ]


def as_posted(rows: Iterable[Row], shown: Collection[str], on: Collection[str]) -> list[Row]:
    """Return the rows as a form that came back has them."""
    return [
        Row(
            row.label,
            [replace(each, is_on=each.name in on) if each.name in shown else each for each in row.switches],
        )
        for row in rows
    ]


def others(subscriptions: Iterable[Subscription], rows: Iterable[Row]) -> list[Subscription]:
    """Return the rules that no switch of the table stands for."""
    shown = {(switch.channel, switch.kind) for row in rows for switch in row.switches}
    return [each for each in subscriptions if (each.channel, each.kind) not in shown]
