"""People and evenings for the tests of dating, and a way to drive an evening by the clock."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from accounts.models import User
from dating import services
from dating.models import Date, DatingProfile, Event, LogEntry, Registration, Round
from notifications.models import Delivery, Notification
from tests.factories import UserFactory

#: Far enough ahead that whatever is laid out for an evening stays pending.
EIGHT = (datetime.now(UTC) + timedelta(days=30)).replace(hour=20, minute=0, second=0, microsecond=0)
DAY, HOUR, MINUTE, SECOND = (timedelta(seconds=each) for each in (86_400, 3600, 60, 1))


def person(name: str = "Ana", *, seeks: str = "anyone", birthday: date | None = date(1999, 5, 1)) -> User:
    user = UserFactory(first_name=name)
    DatingProfile.objects.create(user=user, birthday=birthday, city="Paris", seeks=seeks)
    return user


def event(**fields: object) -> Event:
    return services.event_create(
        now=EIGHT - 10 * DAY, **{"title": "Friday at eight", "starts_at": EIGHT, **fields}
    )


@dataclass
class Evening:
    """An event, its people, and the time that it is."""

    event: Event
    people: list[User] = field(default_factory=list)
    now: datetime = EIGHT - 10 * DAY

    @property
    def step(self) -> str:
        self.event.refresh_from_db()
        return self.event.step

    def at(self, now: datetime) -> list[str]:
        """Let it be this time, and look what is due."""
        self.now = now
        return services.event_advance(event_id=self.event.pk, now=now)

    def registered(self, *people: User) -> "Evening":
        for each in people:
            services.registration_create(event=self.event, user=each, now=self.now)
            self.people.append(each)
        return self

    def confirmed(self) -> "Evening":
        """Everybody is asked, and confirms."""
        self.at(EIGHT - DAY)
        for each in self.people:
            services.registration_confirm(event=self.event, user=each, now=self.now)
        return self

    def member(self, user: User) -> Registration:
        return Registration.objects.get(event=self.event, user=user)

    def ready(self, *people: User) -> None:
        for each in people:
            services.ready_mark(event=self.event, user=each, now=self.now)

    def join(self, *people: User) -> None:
        for each in people:
            services.join_mark(event=self.event, user=each, now=self.now)

    def pairs(self, number: int) -> set[frozenset[str]]:
        """Who meets whom in a round, by first names."""
        dates = Date.objects.filter(round__event=self.event, round__number=number)
        return {
            frozenset({each.first.user.first_name, each.second.user.first_name})
            for each in dates.select_related("first__user", "second__user")
        }

    def rounds(self) -> list[str]:
        return list(Round.objects.filter(event=self.event).values_list("status", flat=True))

    def log(self) -> list[str]:
        return list(LogEntry.objects.filter(event=self.event).values_list("what", flat=True))

    def end_of_round(self, number: int) -> datetime:
        return EIGHT + number * 5 * MINUTE + (number - 1) * MINUTE


def told(user: User, *, cancelled: bool = False) -> list[str]:
    """What somebody has been told of, or will be, in the order of time."""
    inbox = Delivery.objects.filter(user=user, channel="inbox", notification__kind__startswith="dating.")
    if not cancelled:
        inbox = inbox.exclude(status="cancelled")
    kinds = inbox.order_by("notification__created_at", "id").values_list("notification__kind", flat=True)
    return [kind.removeprefix("dating.") for kind in kinds]


def links(user: User) -> list[tuple[int, str]]:
    """The rounds that somebody is sent to, and with whom."""
    found = Delivery.objects.filter(user=user, channel="inbox", notification__kind="dating.link")
    rows = found.exclude(status="cancelled").order_by("due_at").values_list("notification__data", flat=True)
    return [(data["round"], data["partner"]) for data in rows]


def messages() -> Counter[str]:
    return Counter(
        kind.removeprefix("dating.")
        for kind in Notification.objects.filter(kind__startswith="dating.").values_list("kind", flat=True)
    )
