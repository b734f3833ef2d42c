"""What came of the test messages that somebody sends to contact points: shown beside these."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models import User
from accounts.ranks import people_below
from notifications import troubles
from notifications.explanations import explain
from notifications.models import Attempt, ContactPoint, Delivery

# In the session: by the contact point, the delivery of its last test.
_KEY: Final = "tests"


@dataclass(frozen=True, slots=True)
class Tried:
    #: ``good``, ``bad``, or ``open`` as long as it may yet become either.
    state: str
    words: str

    @classmethod
    def of(cls, delivery: Delivery) -> "Tried":
        if delivery.status == Delivery.Status.SENT:
            if delivery.duration_ms is None:
                return cls("good", gettext("The test message was sent."))
            said = gettext("The test message was sent in %(seconds)s s.")
            return cls("good", said % {"seconds": f"{delivery.duration_ms / 1000:.1f}"})
        last = Attempt.objects.filter(delivery=delivery.pk).order_by("-number").first()
        error = (
            f" {gettext('Last answer: %(error)s.') % {'error': last.error}}" if last and last.error else ""
        )
        if delivery.status == Delivery.Status.PENDING:
            return cls("open", f"{gettext('A test message is on its way.')}{error}{_obstacle(delivery)}")
        return cls("bad", f"{gettext('The test message was not sent.')} {explain(delivery)}{error}")


def remember(request: HttpRequest, delivery: Delivery) -> None:
    """Note that this test was sent, so that the page shows what comes of it."""
    tests = request.session.get(_KEY, {})
    request.session[_KEY] = tests | {str(delivery.contact_point_id): str(delivery.pk)}


def tried(request: HttpRequest, points: Iterable[ContactPoint]) -> dict[UUID, Tried]:
    """Return what came of the last test of each of these, where one was sent in this session."""
    tests: dict[str, str] = request.session.get(_KEY, {})
    asked = [tests[str(point.pk)] for point in points if str(point.pk) in tests]
    if not asked:
        return {}
    # What is in the session was sent by whoever has it.
    sent = Delivery.objects.filter(pk__in=asked).select_related("outgoing")
    return {each.contact_point_id: Tried.of(each) for each in sent if each.contact_point_id}


@dataclass(frozen=True, slots=True)
class ShownPoint:
    """A contact point as ``web/console/_try.html`` shows it to the staff."""

    point: ContactPoint
    tried: Tried | None
    #: Whether whoever looks may send a test there.
    may_try: bool


def shown_to_staff(request: HttpRequest, person: User, points: Iterable[ContactPoint]) -> list[ShownPoint]:
    """Return contact points with what came of the tests that a member of the staff sent there.

    ``points`` have their users.
    """
    points = list(points)
    results = tried(request, points)
    theirs = people_below(person).filter(pk__in={each.user_id for each in points})
    below = set(theirs.values_list("pk", flat=True))
    return [
        ShownPoint(each, results.get(each.pk), each.confirmed_at is not None and each.user_id in below)
        for each in points
    ]


def _obstacle(delivery: Delivery) -> str:
    """Say why it may take longer."""
    lane = delivery.queued.lane if delivery.queued else ""
    for each in troubles.known():
        if each.channel == delivery.channel and each.lane in ("", lane):
            since = f"{timezone.localtime(each.since):%H:%M}"
            said = gettext("This channel has been failing since %(since)s; we'll keep trying.")
            return f" {said % {'since': since}}"
    return ""
