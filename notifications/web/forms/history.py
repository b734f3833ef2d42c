"""By what the history is narrowed."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext, gettext_lazy

from accounts.models import Shop, User
from accounts.selectors import users_found
from config.digits import id_in
from notifications import selectors
from notifications.api.filters import DeliveryFilter
from notifications.archive.looking import Wanted
from notifications.channels import registry
from notifications.channels.labels import channel_label
from notifications.engine import replay
from notifications.models import Delivery
from notifications.web import failures

#: What is shown where nobody says since when.
USUAL: Final = timedelta(days=7)
#: A name stands for so many people at most.
_MOST_PEOPLE: Final = 200

_SPANS: Final = (
    (gettext_lazy("The last hour"), timedelta(hours=1)),
    (gettext_lazy("24 hours"), timedelta(days=1)),
    (gettext_lazy("30 days"), timedelta(days=30)),
)


def in_query(moment: datetime) -> str:
    """Return a time as a field of an address says it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def _channels() -> list[tuple[str, Any]]:
    """Return the choices, in the language of whoever asks."""
    named = ((name, channel_label(name)) for name in registry.CHANNELS)
    return [("", gettext_lazy("Any")), *sorted(named, key=lambda each: each[1].casefold())]


class HistoryForm(forms.Form):
    """Each field is a parameter of the page's address, so that what is shown is a link."""

    person = forms.CharField(label=gettext_lazy("Person"), max_length=200, required=False)
    channel = forms.ChoiceField(label=gettext_lazy("Channel"), choices=_channels, required=False)
    status = forms.ChoiceField(
        label=gettext_lazy("Status"),
        choices=[("", gettext_lazy("Any")), *Delivery.Status.choices],
        required=False,
    )
    reason = forms.ChoiceField(
        label=gettext_lazy("Reason"),
        choices=[("", gettext_lazy("Any")), *Delivery.Reason.choices],
        required=False,
    )
    shop = forms.CharField(label=gettext_lazy("Shop"), max_length=100, required=False)
    since = forms.DateTimeField(
        label=gettext_lazy("Since"), required=False, widget=forms.DateTimeInput({"type": "datetime-local"})
    )
    until = forms.DateTimeField(
        label=gettext_lazy("Until"), required=False, widget=forms.DateTimeInput({"type": "datetime-local"})
    )

    # That of a group of failures, which leads here.
    error = forms.CharField(
        max_length=failures.LENGTH, required=False, strip=False, widget=forms.HiddenInput()
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in ("since", "until"):
            moment = cleaned.get(name)
            if moment and not 1970 <= moment.year < 2100:
                self.add_error(name, gettext("Expected a time from 1970 to 2099."))
        return cleaned

    def since_when(self, now: datetime) -> datetime:
        """Return from when on deliveries are shown."""
        since: datetime | None = self.cleaned_data["since"]
        return since or (self.cleaned_data["until"] or now) - USUAL

    @property
    def lasting_address(self) -> str:
        """The same in words that mean the same to everybody: times as those of UTC."""
        moments = {name: self.cleaned_data[name] for name in ("since", "until") if self.cleaned_data[name]}
        return self.address(**{name: in_query(moment) for name, moment in moments.items()})

    def address(self, **others: object) -> str:
        """Return the query of what is shown, with some parameters in place of its own."""
        said = {name: self.data[name] for name in self.fields if self.data.get(name)}
        return urlencode({name: value for name, value in {**said, **others}.items() if value})

    def spans(self, now: datetime) -> list[tuple[Any, str]]:
        """Return usual times with the query that shows them."""
        return [(name, self.address(since=in_query(now - span), until="")) for name, span in _SPANS]

    def looked_through(self, deliveries: QuerySet[Delivery], now: datetime) -> QuerySet[Delivery]:
        """Narrow deliveries to the time that the fields say."""
        chosen = selectors.created_from(deliveries, self.since_when(now))
        until = self.cleaned_data["until"]
        return selectors.created_until(chosen, until) if until else chosen

    @property
    def is_of_few(self) -> bool:
        """Whether an index leads to what the fields say: a person's, or what failed."""
        return bool(self.cleaned_data["person"]) or self.is_of_failures

    @property
    def is_of_failures(self) -> bool:
        """Whether the fields say what failed, and nothing else."""
        return self.cleaned_data["status"] in replay.REPLAYABLE or bool(self.cleaned_data["error"])

    def chosen(self, deliveries: QuerySet[Delivery], now: datetime) -> QuerySet[Delivery]:
        """Narrow deliveries to what the fields say."""
        chosen = self.chosen_but_error(deliveries, now)
        error = self.cleaned_data["error"]
        return failures.failed_by(chosen, error) if error else chosen

    def chosen_but_error(self, deliveries: QuerySet[Delivery], now: datetime) -> QuerySet[Delivery]:
        """Narrow deliveries to what all fields but the error say, as the API's filters do."""
        said = self.cleaned_data
        given: dict[str, Any] = {name: said[name] for name in ("channel", "reason", "shop") if said[name]}
        if said["status"]:
            given["status"] = [said["status"]]
        chosen = self.looked_through(DeliveryFilter(given, deliveries).qs, now)
        return chosen.filter(user_id__in=self._people()) if said["person"] else chosen

    def archive_wanted(self, now: datetime) -> Wanted:
        """Return what the fields say of deliveries in the archive."""
        said = self.cleaned_data
        values: dict[str, list[str]] = {
            name: [said[name]] for name in ("channel", "status", "reason") if said[name]
        }
        if said["person"]:
            values["user_id"] = [str(pk) for pk in self._people()]
        if said["shop"]:
            values["shop_id"] = [
                str(pk) for pk in Shop.objects.filter(slug=said["shop"]).values_list("pk", flat=True)
            ]
        return Wanted(values, self.since_when(now), said["until"])

    def _people(self) -> list[UUID]:
        """Return whom the field means, also somebody who is known by their id alone."""
        if wanted := id_in(self.cleaned_data["person"]):
            return [wanted]
        people = users_found(User.objects.all(), self.cleaned_data["person"])
        return list(people.values_list("pk", flat=True)[:_MOST_PEOPLE])


class SavedViewForm(forms.Form):
    """What a view of the history is to be called."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    shared = forms.BooleanField(label=gettext_lazy("For all staff"), required=False)
