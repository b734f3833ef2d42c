"""What is to be done before somebody can rely on an installation; apps register theirs as they do panels."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import django_rq
from django.conf import settings
from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from redis.exceptions import RedisError

from accounts.models import ApiKey, Membership, Scope, User
from config import clock
from notifications.channels import registry
from notifications.exposition import schedulers_alive, workers_alive
from notifications.models import Alert, ContactPoint

#: Channels to the outside that an operator sets up.
CHANNELS: Final = (
    ("email", gettext_lazy("Mail"), gettext_lazy("Set SMTP_HOST and MAIL_FROM.")),
    (
        "sms",
        gettext_lazy("Text messages"),
        gettext_lazy("Set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_SMS_FROM."),
    ),
    ("phone", gettext_lazy("Phone calls"), gettext_lazy("Set TWILIO_CALL_FROM too.")),
    ("push", "Push", gettext_lazy("Set FCM_SERVICE_ACCOUNT.")),
    ("telegram", "Telegram", gettext_lazy("Set TELEGRAM_BOT_TOKEN.")),
    ("webpush", "Web push", gettext_lazy("Set WEB_PUSH_KEY.")),
)
#: By one of them, at least, people are to be told.
_NEEDED: Final = "email"


class Step(NamedTuple):
    """``text`` says what to do, or what is so; ``url`` leads to where it is done."""

    title: str
    is_done: bool
    text: str
    url: str = ""
    is_optional: bool = False


Steps = Callable[[User], Iterable[Step]]
_registered: list[Steps] = []


def register(steps: Steps) -> None:
    if steps not in _registered:
        _registered.append(steps)


def steps_of(person: User) -> list[Step]:
    """Return all steps in the order in which the apps registered, as they are now."""
    return [step for steps in _registered for step in steps(person)]


def own(person: User) -> Iterator[Step]:
    is_at_work = _is_at_work()
    yield Step(
        gettext("Workers and the scheduler run"),
        is_at_work,
        gettext("They do.")
        if is_at_work
        else gettext("Start manage.py rqworker twice, and manage.py rqscheduler."),
    )
    address = urlsplit(settings.PUBLIC_URL)
    is_public = address.scheme == "https" and address.hostname not in ("localhost", "127.0.0.1", "::1")
    text = gettext("Links in messages lead to %(url)s.") % {"url": settings.PUBLIC_URL}
    yield Step(
        gettext("People reach it by HTTPS"),
        is_public,
        text if is_public else " ".join([text, gettext("Set PUBLIC_URL.")]),
    )
    for name, title, what in CHANNELS:
        is_set_up = registry.is_offered(name)
        said = gettext("Set up. Add a contact point of yours, and test it.") if is_set_up else what
        yield Step(str(title), is_set_up, str(said), reverse("web:preferences"), is_optional=name != _NEEDED)
    is_alone = User.objects.filter(is_superuser=True, is_active=True).count() < 2
    text = gettext("One alone can be ill, or locked out.") if is_alone else gettext("There is one.")
    yield Step(
        gettext("A second administrator"), not is_alone, text, reverse("admin:accounts_user_changelist")
    )
    zone = person.time_zone
    yield Step(
        gettext("Your time zone"),
        zone != "UTC",
        gettext("You read times by the clocks of %(zone)s.") % {"zone": zone},
        f"{reverse('web:preferences')}#telling_time_zone",
        is_optional=True,
    )
    point = ContactPoint.objects.filter(user=OuterRef("user"), confirmed_at__isnull=False, deleted_at=None)
    is_staffed = Membership.objects.filter(Exists(point), left_at=None, user__is_active=True).exists()
    text = gettext("Make a shop, invite its people, and have each of them add a contact point.")
    yield Step(
        gettext("A shop whose staff can be told"),
        is_staffed,
        gettext("There is one.") if is_staffed else text,
        reverse("web:shops"),
    )
    keys = ApiKey.objects.filter(revoked_at=None, scopes__contains=[Scope.ALERTS_WRITE])
    has_key = keys.exists()
    text = (
        gettext("There is one.")
        if has_key
        else gettext("Make one with the scope alerts:write. It is shown once.")
    )
    yield Step(gettext("A key for your services"), has_key, text, reverse("web:keys"))
    has_alert = Alert.objects.exists()
    text = gettext("It has arrived.") if has_alert else gettext("Waiting for it. Send it by the line below.")
    yield Step(gettext("The first alert"), has_alert, text, reverse("web:history") if has_alert else "")


def _is_at_work() -> bool:
    connection = django_rq.get_connection()
    try:
        return bool(schedulers_alive(connection) and workers_alive(connection, now=clock.now()))
    except RedisError:
        return False


register(own)
