"""The way into a call, by the link of a message: notes that somebody enters it, and leads there."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext

from config import clock
from config.rest.exceptions import Conflict
from dating.links import join_of, version_of
from dating.models import Registration
from dating.services import seat_now
from dating.services.calls import call_enter
from notifications.web.page import Page


def member_of(token: str) -> Registration:
    """Return whose link it is; 404 for one that is none of ours, or no longer good."""
    meant = join_of(token)
    if meant is None:
        raise Http404
    members = Registration.objects.select_related("event", "user").filter(user__is_active=True)
    return get_object_or_404(members, pk=meant[1], user__links_version=version_of(token))


def no_call(request: HttpRequest, member: Registration) -> HttpResponse:
    context = {
        "heading": gettext("You have no call now"),
        "text": gettext("See the evening's page for what is happening now."),
        "link": reverse("dating:evening", args=[member.event_id]),
        "link_text": gettext("Go to the evening"),
    }
    return render(request, "web/outcome.html", context, status=409)


class JoinPage(Page):
    """Works without logging in: the address is somebody's own. It leads to whatever call they have now, since
    nobody should have to look for the right message.

    Programs that look at links for people's safety, or show what is behind them, must not count as somebody
    who comes. A browser says that a person goes somewhere; whatever does not say so gets a button.
    """

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        member = member_of(token)
        if request.headers.get("Sec-Fetch-Mode") == "navigate" and not request.headers.get("Sec-Purpose"):
            address = self._address(member)
            return HttpResponseRedirect(address) if address else no_call(request, member)
        if seat_now(member.event, member, now=clock.now()) is None:
            return no_call(request, member)
        return render(request, "dating/join.html", {"event": member.event})

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        member = member_of(token)
        address = self._address(member)
        if address is None:
            return no_call(request, member)
        # A form may lead only to this site, by the pages' policy; so the way on is a page of its own.
        response = render(request, "dating/entering.html", {"address": address})
        response["Refresh"] = f"0; url={address}"
        return response

    def _address(self, member: Registration) -> str | None:
        """Note that somebody comes; return where, or None if they have no call now."""
        try:
            return call_enter(event=member.event, user=member.user, now=clock.now())
        except Conflict:
            return None
