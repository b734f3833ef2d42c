"""By what the page of an inbox is narrowed: tabs and a text, which stand in its address."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.translation import gettext, gettext_lazy

from accounts.models import User
from notifications.inbox import pages
from notifications.inbox.pages import Wanted
from notifications.inbox.selectors import read_of, unread_of
from notifications.models import InboxItem, Severity

UNREAD, CRITICAL, SNOOZED = "unread", "critical", "snoozed"
#: Tabs that are of no kinds.
_OF_ALL_KINDS: Final = ("", UNREAD, CRITICAL, SNOOZED)
LONGEST: Final = 100
#: What kinds are about, by their first word; others are called by it.
LABELS: Final[dict[str, Any]] = {
    "alert": gettext_lazy("Alerts"),
    "escalation": gettext_lazy("Escalations"),
    "on_call": gettext_lazy("On call"),
    "dating": gettext_lazy("Dating"),
    "tracing": gettext_lazy("Tracing"),
    "stage": gettext_lazy("Internships"),
    "account": gettext_lazy("Account"),
}
# So many of the newest items say which tabs there are.
_NEWEST: Final = 100


@dataclass(frozen=True, slots=True)
class Narrowed:
    """``show`` is a tab: empty for all, ``unread``, ``critical``, ``snoozed``, or the first word of kinds."""

    show: str
    text: str

    @classmethod
    def of(cls, query: QueryDict) -> "Narrowed":
        text = query.get("q", "").replace("\0", "").strip()
        return cls(query.get("show", "").replace("\0", "")[:LONGEST], text[:LONGEST])

    @property
    def is_bounded(self) -> bool:
        """Whether the newest items alone are looked through: ``pages.LOOKED_THROUGH``."""
        return not self.is_snoozed and (bool(self.text) or self.show not in ("", UNREAD))

    @property
    def is_snoozed(self) -> bool:
        """Whether what is out of the inbox for a while is shown, and nothing that is in it."""
        return self.show == SNOOZED

    def address(self, **others: str) -> str:
        """Return the query of what is shown, with some parameters in place of its own."""
        said = {"show": self.show, "q": self.text, **others}
        return urlencode({name: value for name, value in said.items() if value})

    def wanted(self, user: User) -> Wanted:
        of_kinds = self.show not in _OF_ALL_KINDS
        return Wanted(
            user,
            unread=True if self.show == UNREAD else None,
            domain=self.show if of_kinds else None,
            severity=Severity.CRITICAL.value if self.show == CRITICAL else None,
            text=self.text or None,
        )

    def matching(self, items: Sequence[InboxItem], *, person: User) -> list[InboxItem]:
        """Return those of the newest items that the list would show."""
        return [] if self.is_snoozed else pages.among(items, self.wanted(person))


def tabs_of(user: User, narrowed: Narrowed) -> Sequence[tuple[str, str, bool]]:
    """Return what each tab is called, the query that it leads to, and whether it is the one shown."""
    halves = (
        half.order_by("-number").values_list("notification__kind", flat=True)[:_NEWEST]
        for half in (unread_of(user), read_of(user))
    )
    unread, read = halves
    domains = {kind.partition(".")[0] for kind in unread.union(read)}
    known = [(domain, str(LABELS[domain])) for domain in LABELS if domain in domains]
    others = [(domain, domain.replace("_", " ").capitalize()) for domain in sorted(domains - LABELS.keys())]
    # One alone would show the same as all.
    kinds = [*known, *others] if len(domains) > 1 else []
    usual = [("", gettext("All")), (UNREAD, gettext("Unread")), (CRITICAL, gettext("Critical"))]
    last = [(SNOOZED, gettext("Snoozed"))]
    return [
        (label, narrowed.address(show=show), show == narrowed.show) for show, label in [*usual, *kinds, *last]
    ]
