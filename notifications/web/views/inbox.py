"""The inbox: what somebody was told."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.views.generic import TemplateView
from django_htmx.http import HttpResponseClientRedirect

from config import clock
from config.digits import whole
from config.rest.exceptions import Conflict
from notifications.inbox import pages, selectors, services, snoozing
from notifications.models import InboxItem
from notifications.web import undoing
from notifications.web.context import Bell
from notifications.web.later import moment_of
from notifications.web.notices import folded, notice_of, rendered
from notifications.web.page import Page, is_htmx
from notifications.web.tabs import Narrowed, tabs_of

PAGE_SIZE: Final = 20
MOST: Final = 2**63 - 1
ALL: Final = Narrowed("", "")
# In which the address of an undo says a time.
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


class InboxPage(Page, TemplateView):
    """Unread first, then newest; asked by htmx, only the next items and the way to those after them."""

    def get_template_names(self) -> list[str]:
        return ["web/_older_notices.html" if is_htmx(self.request) else "web/inbox.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        narrowed = Narrowed.of(self.request.GET)
        shown = page_of(self, self.request.GET.get("cursor"), narrowed)
        if not is_htmx(self.request):
            shown["tabs"] = tabs_of(self.person, narrowed)
        return super().get_context_data(**kwargs) | shown


def page_of(page: Page, cursor: str | None = None, narrowed: Narrowed = ALL) -> dict[str, Any]:
    try:
        begins = pages.Cursor.decode(cursor) if cursor else None
    except ValueError:
        raise Http404
    # Before the list: what comes in between is asked for by the script, as newer than this number.
    bell = Bell(page.person)
    last_number = bell.last_number
    wanted = narrowed.wanted(page.person)
    if narrowed.is_snoozed:
        snoozed = list(selectors.snoozed_of(page.person))
        shown = pages.Page(pages.among(snoozed, wanted), next=None, previous=None)
    else:
        shown = pages.page(wanted, cursor=begins, size=PAGE_SIZE)
    return {
        "bell": bell,
        "up_to": max(last_number, *(each.number for each in shown.items), 0),
        "notices": folded(notice_of(each, person=page.person) for each in shown.items),
        "older": shown.next.encode() if shown.next else "",
        "is_first_page": begins is None,
        "narrowed": narrowed,
        "inbox_query": narrowed.address(),
        "looked_through": pages.LOOKED_THROUGH,
    }


class NewsPage(Page):
    """What has come since: for the script, which asks whenever the stream says that something changed."""

    def turned_away(self) -> HttpResponse:
        return HttpResponse(status=401)

    def get(self, request: HttpRequest) -> HttpResponse:
        if (after := whole(request.GET.get("after", ""), most=MOST)) is None:
            return HttpResponse("after: expected a number", status=400)
        # The oldest of them, so that a list which asks again is never left with a gap.
        items = list(selectors.newer_than(after, user=self.person, most=PAGE_SIZE + 1))
        shown = items[:PAGE_SIZE]
        # A list that shows some of them gets those alone; the bell counts all.
        narrowed = Narrowed.of(request.GET)
        matching = narrowed.matching(shown, person=self.person)
        return JsonResponse(
            {
                "html": rendered(request, reversed(matching), person=self.person, narrowed=narrowed),
                # What came back from being snoozed may be shown where it belongs no more.
                "gone": [str(each.pk) for each in shown if each not in matching],
                "last": shown[-1].number if shown else after,
                "more": len(items) > len(shown),
                "unread": Bell(self.person).unread,
            }
        )


class _Change(Page):
    """Something done to the inbox. With htmx, the answer is what to show; else the way back there."""

    http_method_names = ["post"]

    def item(self, item_id: UUID) -> InboxItem:
        return get_object_or_404(selectors.inbox_of(self.person), pk=item_id)

    @property
    def narrowed(self) -> Narrowed:
        """The tab and the text of the list that they see."""
        return Narrowed.of(self.request.POST)

    @property
    def way_back(self) -> str:
        return f"{reverse('web:inbox')}?{self.narrowed.address()}".rstrip("?")

    def answer(self, template: str, context: dict[str, Any]) -> HttpResponse:
        if not is_htmx(self.request):
            return HttpResponseRedirect(self.way_back)
        response = render(self.request, template, {"narrowed": self.narrowed, **context})
        response["HX-Trigger"] = json.dumps({"unread": Bell(self.person).unread})
        return response

    def answer_with_undo(
        self, text: str, address: str, template: str = "web/_deleted.html", **context: Any
    ) -> HttpResponse:
        """Answer that something was done, with a button that undoes it."""
        undo = undoing.button(text, address, {"show": self.narrowed.show, "q": self.narrowed.text})
        if not is_htmx(self.request):
            undoing.offer(self.request, undo)
        return self.answer(template, {"undo": undo, **context})


class MarkPage(_Change):
    """Mark an item read or unread."""

    read = True

    def post(self, request: HttpRequest, item_id: UUID) -> HttpResponse:
        item = services.item_mark(item=self.item(item_id), read=self.read)
        return self.answer("web/_notice.html", {"notice": notice_of(item, person=self.person)})


class DeletePage(_Change):
    def post(self, request: HttpRequest, item_id: UUID) -> HttpResponse:
        services.item_delete(item=self.item(item_id))
        return self.answer_with_undo(gettext("Deleted."), reverse("web:inbox-restore", args=[item_id]))


class SnoozePage(_Change):
    """Put an item aside for an hour, until tomorrow morning or until Monday morning."""

    def post(self, request: HttpRequest, item_id: UUID) -> HttpResponse:
        zone = timezone.get_current_timezone()
        until = moment_of(request.POST.get("until", ""), now=clock.now(), zone=zone)
        if until is None:
            return HttpResponse("until: expected hour, tomorrow or monday", status=400)
        try:
            snoozing.item_snooze(user=self.person, item=self.item(item_id), until=until)
        except Conflict:
            most = {"most": snoozing.MOST_SNOOZED}
            messages.error(request, gettext("You can snooze %(most)d messages at a time.") % most)
            return HttpResponseClientRedirect(self.way_back) if is_htmx(request) else self.answer("", {})
        said = {"until": date_format(timezone.localtime(until), "j E, H:i")}
        address = reverse("web:inbox-restore", args=[item_id])
        return self.answer_with_undo(gettext("Snoozed until %(until)s.") % said, address)


class WakePage(_Change):
    """Have what is snoozed come back now."""

    def post(self, request: HttpRequest, item_id: UUID) -> HttpResponse:
        item = get_object_or_404(selectors.kept_of(self.person), pk=item_id)
        snoozing.item_wake(item=item)
        messages.success(request, gettext("It is back in your inbox."))
        return HttpResponseRedirect(self.way_back)


class RestorePage(_Change):
    """Bring back what was deleted or snoozed a moment ago."""

    def post(self, request: HttpRequest, item_id: UUID) -> HttpResponse:
        item = get_object_or_404(InboxItem, pk=item_id, user=self.person)
        if not services.item_restore(item=item):
            messages.error(request, gettext("It is too late to undo this."))
        return HttpResponseRedirect(self.way_back)


class MarkAllPage(_Change):
    """Mark all read that the list had when it was made, or has been given since."""

    def post(self, request: HttpRequest) -> HttpResponse:
        if (up_to := whole(request.POST.get("up_to", ""), most=MOST)) is None:
            return HttpResponse("up_to: expected a number", status=400)
        read_at = clock.now()
        services.items_mark_read(user=self.person, up_to=up_to, now=read_at)
        return self.answer_with_undo(
            gettext("All are marked read."),
            reverse("web:inbox-undo-read", args=[(read_at - EPOCH) // MICROSECOND]),
            "web/_all_read.html",
            **page_of(self, narrowed=self.narrowed),
        )


class UndoReadPage(_Change):
    """Mark unread again what was marked read together a moment ago; ``read_at`` is in microseconds."""

    def post(self, request: HttpRequest, read_at: int) -> HttpResponse:
        try:
            at = EPOCH + read_at * MICROSECOND
        except OverflowError:
            raise Http404
        if not services.items_undo_read(user=self.person, read_at=at):
            messages.error(request, gettext("It is too late to undo this."))
        return HttpResponseRedirect(self.way_back)
