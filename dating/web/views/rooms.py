"""The built-in room: its page, and what its page asks of the web process while the call goes on."""

import json
from functools import partial

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.names import shown as shown_name
from config import clock
from config.live import EVENT_STREAM, STREAM_HEADERS, LiveResponse
from config.rest.exceptions import Conflict, TooMany
from dating.links import join_of
from dating.meetings.built_in import BuiltInRoom
from dating.models import Registration, Seat
from dating.rooms import calls, hubs, signals
from dating.rooms.hub import OVER, end_event, until_event
from dating.rooms.ice import connection_settings
from dating.services import join_mark
from dating.web.views.calls import member_of, no_call
from notifications.web import limits
from notifications.web.page import Page


class RoomPage(Page):
    """For whoever has the link, as long as the call is on; it works without logging in."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        member = member_of(token)
        seat, on = _call_of(token, member)
        if seat is None or not on:
            return no_call(request, member)
        date = seat.date
        partner = date.partner_of(member.pk)
        assert seat.round.ends_at
        context = {
            "event": member.event,
            "round": seat.round,
            "partner": shown_name(partner.user.first_name),
            "partner_id": partner.pk,
            "token": token,
            # One of the two begins, or both would at once.
            "calls": date.first_id == member.pk,
            "connection": json.dumps(connection_settings(who=seat.pk.hex[-12:], until=seat.round.ends_at)),
        }
        return render(request, "dating/room.html", context)


class SignalsPage(Page):
    """GET: a stream of what the partner's page says, and of the call's end. POST: say something to it."""

    http_method_names = ["get", "post"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Come in. Whoever does so is in the call, and any other page of theirs is not any more."""
        member = member_of(token)
        page = request.GET.get("page", "")
        if not 0 < len(page) <= signals.PAGE_MOST:
            return _refused(f"page: expected 1 to {signals.PAGE_MOST} characters")
        seat, on = _call_of(token, member)
        if seat is None or not on:
            # A page that comes back is told what it missed.
            return HttpResponse(end_event(OVER), content_type=EVENT_STREAM, headers=STREAM_HEADERS)
        try:
            limits.take(scope="room-signal", who=str(seat.pk))
            if seat.joined_at is None:
                join_mark(event=member.event, user=member.user, now=clock.now())
        except TooMany as error:
            return _too_many(error)
        except Conflict as error:
            return _refused(str(error), status=409)
        signals.take_over(seat.pk, page)
        until = on[seat.pk]
        live = partial(hubs.serve, seat.pk, member.user.links_version, page, until)
        return LiveResponse(until_event(until), live=live, content_type=EVENT_STREAM, headers=STREAM_HEADERS)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        seat, on = _call_of(token, member_of(token))
        if seat is None or not on:
            return _refused("The call is over.", status=409)
        try:
            # Read what is to be passed on.
            given = request.POST
            page, kind, number, text = (given.get(name, "") for name in ("page", "kind", "number", "text"))
            if not 0 < len(page) <= signals.PAGE_MOST:
                raise ValueError(f"page: expected 1 to {signals.PAGE_MOST} characters")
            if kind not in signals.KINDS:
                raise ValueError(f"kind: expected one of {', '.join(signals.KINDS)}")
            if not (number.isascii() and number.isdigit() and len(number) <= signals.DIGITS_MOST):
                raise ValueError(f"number: expected at most {signals.DIGITS_MOST} digits")
            if len(text) > signals.TEXT_MOST:
                raise ValueError(f"text: expected at most {signals.TEXT_MOST} characters")
            signal = signals.Signal(page, kind, int(number), text)
            limits.take(scope="room-signal", who=str(seat.pk))
        except ValueError as error:
            return _refused(str(error))
        except TooMany as error:
            return _too_many(error)
        for other in seat.date.seats.exclude(pk=seat.pk):
            signals.pass_on(other.pk, signal)
        return HttpResponse(status=204)


def _call_of(token: str, member: Registration) -> tuple[Seat | None, calls.Untils]:
    """Return the seat in a built-in room that a link is for, and until when its call is on, if it is."""
    meant = join_of(token)
    assert meant
    seats = Seat.objects.select_related("round", "date__room", "date__first__user", "date__second__user")
    rooms = seats.filter(date__room__provider=BuiltInRoom.name)
    seat = rooms.filter(round=meant[0], registration=member).first()
    return seat, calls.call_is_on(seat.pk, member.user.links_version) if seat else {}


def _refused(why: str, *, status: int = 400) -> HttpResponse:
    return HttpResponse(why, status=status, content_type="text/plain; charset=utf-8")


def _too_many(error: TooMany) -> HttpResponse:
    response = _refused(str(error), status=429)
    response["Retry-After"] = str(error.seconds)
    return response
