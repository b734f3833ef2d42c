"""What was told and what wasn't: one list whose filters are links, and each delivery with all about it."""

import csv
import io
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from config import clock
from notifications import selectors
from notifications.channels import registry
from notifications.disclosure import notices_read
from notifications.engine import replay
from notifications.explanations import explain
from notifications.ids import moment_of
from notifications.messages.texts import text_for
from notifications.models import Delivery, DeliveryAction, SavedView
from notifications.services.delivery_actions import STOPPABLE, deliveries_cancel, deliveries_replay
from notifications.services.saved_views import saved_view_save
from notifications.web import archived, failures, undoing
from notifications.web.archived import Archived
from notifications.web.chart import Chart, chart_of
from notifications.web.form_page import refuse
from notifications.web.forms.history import HistoryForm, SavedViewForm, in_query
from notifications.web.page import Page

PAGE_SIZE: Final = 50
#: So many saved views are listed, by name.
MOST_VIEWS: Final = 200
#: One look goes through so many deliveries at most, and then offers to go on.
MOST_LOOKED_AT: Final = 50_000
#: A file holds so many; of more, the newest.
MOST_IN_FILE: Final = 10_000
_COLUMNS: Final = (
    "time",
    "person",
    "email",
    "channel",
    "what",
    "kind",
    "status",
    "reason",
    "explanation",
    "id",
)
# Programs for tables take what begins so for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
# Links in messages may be their person's alone.
_LINK: Final = re.compile(r"(https?://[^\s/]+)/\S+")


class _History(Page):
    """For staff. Whoever reads notices of a domain that notes it is noted."""

    def chosen(self, form: HistoryForm) -> QuerySet[Delivery]:
        return form.chosen(selectors.deliveries_visible_to(self.person), clock.now()).order_by("-pk")

    def note(self, deliveries: Iterable[Delivery]) -> None:
        notices_read([each.notification for each in deliveries], user=self.person)


class HistoryPage(_History):
    def get(self, request: HttpRequest) -> HttpResponse:
        return self.shown(request, SavedViewForm(auto_id="view_%s"))

    def shown(self, request: HttpRequest, saving: SavedViewForm, status: int = 200) -> HttpResponse:
        """Return the page, with the form that saves it as a view."""
        form = HistoryForm(request.GET)
        views = selectors.saved_views_visible_to(self.person)[:MOST_VIEWS]
        if not form.is_valid():
            context = {"form": form, "views": views}
            return render(request, "web/console/history.html", context, status=422)
        if "file" in request.GET:
            return self._file(self.chosen(form)[:MOST_IN_FILE])
        now = clock.now()
        context = {
            "form": form,
            "views": views,
            "saving": saving,
            "here": form.lasting_address,
            "since": form.since_when(now),
            "only_error": failures.said(form.cleaned_data["error"]),
            "any_error": form.address(error=""),
            "file": form.address(file="csv"),
            "spans": form.spans(now),
            "query": form.address(),
            "can_replay": form.is_of_failures,
            "can_cancel": form.cleaned_data["status"] in (Delivery.Status.PENDING, Delivery.Status.SENDING),
        }
        asked = request.GET.get("archive", "")
        if _id(asked):
            context |= {"rows": [], "archived": self._archived(form, asked, now)}
        else:
            context |= self._listed(form, _id(request.GET.get("before", "")), asked == archived.FIRST, now)
        return render(request, "web/console/history.html", context, status=status)

    def _listed(
        self, form: HistoryForm, before: UUID | None, is_archive_asked: bool, now: datetime
    ) -> dict[str, Any]:
        """Return what the page shows of the tables, and where these end of the archive, if it is asked."""
        chosen = self.chosen(form)
        if before:
            chosen = chosen.filter(pk__lt=before)
        floor = self._floor(form, chosen, before)
        looked = chosen.filter(pk__gte=floor) if floor else chosen
        found = list(looked[: PAGE_SIZE + 1])
        shown, has_more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
        self.note(shown)
        errors = failures.last_errors(shown)
        archive = archived.FIRST if is_archive_asked else ""
        context: dict[str, Any] = {
            "rows": [(each, explain(each), errors.get(each.pk, "")) for each in shown],
            "older": form.address(before=shown[-1].pk, archive=archive) if has_more else "",
            "further": form.address(before=floor, archive=archive) if floor and not has_more else "",
            "looked_since": moment_of(floor) if floor else None,
        }
        if not before:
            groups = self._failures(form, looked)
            context |= {
                "chart": self._chart(form, looked, moment_of(floor) if floor else None, now),
                "failures": groups[: failures.SHOWN],
                "newest_failures": failures.MOST
                if sum(each.count for each in groups) == failures.MOST
                else 0,
            }
        if not is_archive_asked:
            context["archive"] = archived.offer(form)
        elif not has_more and not floor:
            context["archived"] = self._archived(form, archive, now)
        return context

    def _archived(self, form: HistoryForm, asked: str, now: datetime) -> Archived:
        found = archived.found(form, asked, most=PAGE_SIZE, now=now)
        self.note(found.rows)
        return found

    def _floor(self, form: HistoryForm, chosen: QuerySet[Delivery], before: UUID | None) -> UUID | None:
        """Return from which delivery on one look goes; None where it reaches back to the beginning.

        Whatever is asked for, no look goes through more than so many: what no index leads to may be rare.
        """
        through, most = chosen, MOST_LOOKED_AT
        if form.cleaned_data["error"]:
            through = failures.failed(form.chosen_but_error(Delivery.objects.all(), clock.now()))
            most = failures.MOST
        elif form.is_of_failures:
            most = MOST_LOOKED_AT // 2  # each is found by way of another table
        elif not form.is_of_few:
            through = form.looked_through(Delivery.objects.all(), clock.now())
        through = through.filter(pk__lt=before) if before else through
        return through.order_by("-pk").values_list("pk", flat=True)[most:].first()

    def _failures(self, form: HistoryForm, looked: QuerySet[Delivery]) -> list[failures.Failures]:
        """Group what failed; nothing where the fields say a group already, or nothing that failed."""
        said = form.cleaned_data
        if said["error"] or said["status"] not in ("", *replay.REPLAYABLE):
            return []
        return failures.groups_of(
            looked, address=lambda channel, error: form.address(channel=channel, error=error)
        )

    def _chart(
        self, form: HistoryForm, looked: QuerySet[Delivery], floor: datetime | None, now: datetime
    ) -> Chart | None:
        since = max(form.since_when(now), floor) if floor else form.since_when(now)
        return chart_of(
            looked,
            since=since,
            until=form.cleaned_data["until"] or now,
            address=lambda begin, end: form.address(since=in_query(begin), until=in_query(end)),
        )

    def _file(self, chosen: QuerySet[Delivery]) -> HttpResponse:
        rows = list(chosen)
        self.note(rows)
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(_COLUMNS)
        writer.writerows(map(_cells, rows))
        response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="history.csv"'
        return response


def _id(text: str) -> UUID | None:
    with suppress(ValueError):
        return UUID(text)
    return None


def _cells(delivery: Delivery) -> list[str]:
    user, told = delivery.user, delivery.notification
    said = [
        f"{delivery.created_at:%Y-%m-%dT%H:%M:%SZ}",
        f"{user.first_name} {user.last_name}".strip() if user else "",
        user.email if user else "",
        delivery.channel,
        told.title,
        told.kind,
        delivery.state,
        delivery.reason,
        explain(delivery),
        str(delivery.pk),
    ]
    return [f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in said]


class SaveView(HistoryPage):
    """Saves what the history shows under a name; what is refused comes back with the whole page."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        form, saving = HistoryForm(request.GET), SavedViewForm(request.POST, auto_id="view_%s")
        if form.is_valid() and saving.is_valid():
            name, is_shared = saving.cleaned_data["name"], saving.cleaned_data["shared"]
            try:
                saved_view_save(user=self.person, name=name, query=form.lasting_address, is_shared=is_shared)
            except ValidationError as error:
                refuse(saving, error)
            else:
                messages.success(request, gettext("Saved as “%(name)s”.") % {"name": name})
                return HttpResponseRedirect(f"{reverse('web:history')}?{form.lasting_address}")
        return self.shown(request, saving, status=422)


class RemoveView(Page):
    """Removes a view of one's own, and offers to bring it back."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, view_id: UUID) -> HttpResponse:
        view = get_object_or_404(SavedView, pk=view_id, user=self.person)
        view.delete()
        said = gettext("The view “%(name)s” has been removed.") % {"name": view.name}
        fields = {"name": view.name} | ({"shared": "on"} if view.is_shared else {})
        undoing.offer(request, undoing.button(said, f"{reverse('web:view-save')}?{view.query}", fields))
        return HttpResponseRedirect(reverse("web:history"))


class _ManyPage(_History):
    """Says what would be done to what the history shows, and then does it."""

    template: ClassVar[str]

    def foreseen(self, chosen: QuerySet[Delivery]) -> dict[str, Any]:
        """Return what the template says of what would be done."""
        raise NotImplementedError

    def act(self, chosen: QuerySet[Delivery]) -> str:
        """Do it, and return what to say of it."""
        raise NotImplementedError

    def get(self, request: HttpRequest) -> HttpResponse:
        form = HistoryForm(request.GET)
        if not form.is_valid():
            return HttpResponseRedirect(f"{reverse('web:history')}?{request.GET.urlencode()}")
        chosen = self.chosen(form)
        context = self.foreseen(chosen) | {
            "newest": chosen.values_list("pk", flat=True).first(),
            "back": f"{reverse('web:history')}?{form.address()}",
        }
        return render(request, self.template, context)

    def post(self, request: HttpRequest) -> HttpResponse:
        form = HistoryForm(request.GET)
        back = f"{reverse('web:history')}?{request.GET.urlencode()}"
        try:
            newest = UUID(request.POST.get("newest", ""))
        except ValueError:
            return HttpResponseRedirect(back)
        if form.is_valid():
            # What came after the question is not part of the answer.
            messages.success(request, self.act(self.chosen(form).filter(pk__lte=newest)))
        return HttpResponseRedirect(back)


class ReplayPage(_ManyPage):
    template = "web/console/replay.html"

    def foreseen(self, chosen: QuerySet[Delivery]) -> dict[str, Any]:
        foreseen = replay.foresee(replay.replayable(chosen))
        return {"foreseen": foreseen, "left_out": str(replay.left_out(chosen))}

    def act(self, chosen: QuerySet[Delivery]) -> str:
        return str(deliveries_replay(deliveries=chosen, by=self.person, via="web"))


class CancelPage(_ManyPage):
    template = "web/console/cancel.html"

    def foreseen(self, chosen: QuerySet[Delivery]) -> dict[str, Any]:
        waiting = selectors.in_states(chosen, [Delivery.Status.PENDING])
        being_sent = selectors.in_states(chosen, [Delivery.Status.SENDING]).count()
        return {"foreseen": replay.foresee(waiting), "being_sent": being_sent}

    def act(self, chosen: QuerySet[Delivery]) -> str:
        # Of what has failed, none is kept from a replay by this.
        waiting = chosen.filter(status__in=STOPPABLE)
        count = deliveries_cancel(deliveries=waiting, by=self.person, via="web")
        said = ngettext(
            "%(count)d cancelled before it was sent.", "%(count)d cancelled before they were sent.", count
        )
        return said % {"count": count}


class DeliveryPage(_History):
    """One delivery: what it says, why it is as it is, each attempt, and what was done by hand."""

    def get(self, request: HttpRequest, delivery_id: UUID) -> HttpResponse:
        delivery = get_object_or_404(selectors.deliveries_visible_to(self.person), pk=delivery_id)
        self.note([delivery])
        told = delivery.notification
        title, body = text_for(
            told.title, told.body, told.texts, language=delivery.language, channel=delivery.channel
        )
        chosen = Delivery.objects.filter(pk=delivery_id)
        context = {
            "delivery": delivery,
            "why": explain(delivery),
            "address": ""
            if delivery.address_is_erased
            else registry.shown(delivery.channel, delivery.address),
            "title": _LINK.sub(r"\1/…", title),
            "body": _LINK.sub(r"\1/…", body),
            "attempts": delivery.attempt_set.order_by("number"),
            "actions": DeliveryAction.objects.filter(deliveries__contains=[delivery.pk])[:100],
            "can_replay": replay.replayable(chosen).exists(),
            "can_cancel": chosen.filter(status__in=STOPPABLE).exists(),
        }
        return render(request, "web/console/delivery.html", context)


class DeliveryChange(_History):
    """Does something to one delivery; ``act`` is the service."""

    http_method_names = ["post"]
    act: Any = None

    def post(self, request: HttpRequest, delivery_id: UUID) -> HttpResponse:
        get_object_or_404(selectors.deliveries_seen_by(self.person), pk=delivery_id)
        messages.add_message(request, *self.act(delivery_id=delivery_id, by=self.person, via="web"))
        return HttpResponseRedirect(reverse("web:delivery", args=[delivery_id]))
