"""Finding anything by what is known of it: apps register who looks, as they do panels."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext

from accounts.models import Shop, User
from accounts.selectors import users_found
from config.digits import id_in
from notifications.channels.labels import channel_label
from notifications.models import Alert, ContactPoint, Delivery, Notification

#: Of each kind of thing, so many are shown.
MOST: Final = 8
LONGEST: Final = 200


class Hit(NamedTuple):
    """``what`` it is in a word or two, what it is called, more about it, and the path of its page."""

    what: str
    title: str
    about: str
    url: str


#: Yields what somebody who searches may see of what a text says.
Finder = Callable[[User, str], Iterable[Hit]]
_finders: list[Finder] = []


def when(moment: datetime) -> str:
    """Return a time as hits say it, by the clocks of whoever searches."""
    return date_format(timezone.localtime(moment), "j M Y, H:i")


def register(finder: Finder) -> None:
    if finder not in _finders:
        _finders.append(finder)


def hits(person: User, text: str) -> list[Hit]:
    """Return what is found, in the order in which the apps registered; nothing for less than two letters."""
    text = " ".join(text.replace("\x00", " ").split())[:LONGEST]
    if len(text) < 2:
        return []
    return [hit for finder in _finders for hit in finder(person, text)]


def people(person: User, text: str) -> Iterator[Hit]:
    """People by name, email, phone or a contact point's address."""
    by_address = ContactPoint.objects.filter(address=text, deleted_at=None).values("user")
    known = Q(pk=id_in(text)) | Q(phone=text) | Q(pk__in=by_address)
    exact = User.objects.filter(known)
    found = exact if exact.exists() else users_found(User.objects.all(), text)
    for user in found.order_by("last_name", "first_name", "email")[:MOST]:
        name = f"{user.first_name} {user.last_name}".strip() or user.email
        state = "" if user.is_active else f", {gettext('locked')}"
        yield Hit(
            gettext("Person"),
            name,
            f"{user.email}{state}",
            reverse("web:person", args=[user.pk]),
        )


def shops(person: User, text: str) -> Iterator[Hit]:
    named = Q(name__icontains=text) | Q(slug__icontains=text) | Q(pk=id_in(text))
    for shop in Shop.objects.filter(named).order_by("name")[:MOST]:
        yield Hit(gettext("Shop"), shop.name, shop.slug, reverse("web:shop", args=[shop.slug]))


def by_id(person: User, text: str) -> Iterator[Hit]:
    """The delivery, alert or notification of an id."""
    wanted = id_in(text)
    if wanted is None:
        return
    for delivery in Delivery.objects.filter(pk=wanted).select_related("user", "notification"):
        about = f"{delivery.notification.title}: {delivery.get_status_display()}"
        title = f"{channel_label(delivery.channel)} → {delivery.user or delivery.address}"
        yield Hit(gettext("Delivery"), title, about, reverse("web:delivery", args=[wanted]))
    for alert in Alert.objects.filter(pk=wanted).select_related("shop"):
        about = f"{alert.shop}, {when(alert.received_at)}"
        yield Hit(
            gettext("Alert"), alert.label, about, reverse("admin:notifications_alert_change", args=[wanted])
        )
    for told in Notification.objects.filter(pk=wanted):
        path = reverse("admin:notifications_notification_change", args=[wanted])
        yield Hit(gettext("Notification"), told.title, told.kind, path)


for _finder in (people, shops, by_id):
    register(_finder)
