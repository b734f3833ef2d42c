"""Pings and badges, at the paths and with the answers that Healthchecks' clients expect."""

from typing import Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from config import clock
from escalation.heartbeats import badges
from escalation.heartbeats.pinging import BODY_LIMIT, Ping, Unknown, heartbeat_ping, ping_uuid_of
from escalation.models import Heartbeat, HeartbeatPing

Kind = HeartbeatPing.Kind
_ACTS: Final = {"": Kind.SUCCESS, "start": Kind.START, "fail": Kind.FAIL, "log": Kind.LOG}


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ping(request: HttpRequest, ping_uuid: UUID, act: str = "") -> HttpResponse:
    """Take a ping; with ``act``, a start, a failure, an exit status or a line for the log."""
    return _answered(request, ping_uuid, act)


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ping_by_slug(request: HttpRequest, ping_key: str, slug: str, act: str = "") -> HttpResponse:
    try:
        ping_uuid = ping_uuid_of(ping_key=ping_key, slug=slug)
    except Unknown:
        return _text("not found", 404)
    return _answered(request, ping_uuid, act)


def _refusal(request: HttpRequest, ping_uuid: UUID, act: str = "") -> HttpResponse | None:
    """Answer a large ping by its head alone: a job posts its whole log, and would be told as missed."""
    return None if Heartbeat.objects.filter(ping_uuid=ping_uuid).exists() else _text("not found", 404)


def _refusal_by_slug(request: HttpRequest, ping_key: str, slug: str, act: str = "") -> HttpResponse | None:
    try:
        ping_uuid_of(ping_key=ping_key, slug=slug)
    except Unknown:
        return _text("not found", 404)
    return None


ping.refusal_by_head = _refusal  # type: ignore[attr-defined]
ping_by_slug.refusal_by_head = _refusal_by_slug  # type: ignore[attr-defined]


def _answered(request: HttpRequest, ping_uuid: UUID, act: str) -> HttpResponse:
    is_exit = act.isascii() and act.isdigit()
    if not is_exit and act not in _ACTS:
        return _text("not found", 404)
    if is_exit and (len(act) > 3 or int(act) > 255):
        return _text("invalid url format", 400)
    status = int(act) if is_exit else None
    rid, kind = None, _ACTS[""] if status == 0 else Kind.FAIL if is_exit else _ACTS[act]
    if "rid" in request.GET:
        try:
            rid = UUID(request.GET["rid"])
        except ValueError:
            return _text("invalid uuid format", 400)
    given = Ping(kind, request.method or "", status, rid, request.body)
    try:
        heartbeat_ping(ping_uuid=ping_uuid, ping=given, now=clock.now())
    except Unknown:
        return _text("not found", 404)
    return _text("OK", 200)


def _text(text: str, status: int) -> HttpResponse:
    response = HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    response["Access-Control-Allow-Origin"] = "*"
    response["Ping-Body-Limit"] = str(BODY_LIMIT)
    return response


@never_cache
@require_http_methods(["GET", "HEAD"])
def badge(request: HttpRequest, signature: str, name: str, ending: str) -> HttpResponse:
    """Show the state of a heartbeat, or of those that have a tag, as an image or as JSON."""
    if badges.is_of("heartbeat", name, signature):
        heartbeats = list(Heartbeat.objects.filter(pk=name))
        label = heartbeats[0].name if heartbeats else ""
    elif badges.is_of("tag", name, signature):
        heartbeats, label = list(Heartbeat.objects.filter(tags__contains=[name])), name
    else:
        raise Http404
    if not heartbeats:
        raise Http404
    shown = badges.badge_of(label, heartbeats, clock.now())
    match ending:
        case "svg":
            response = HttpResponse(badges.as_svg(shown), content_type="image/svg+xml")
        case "json":
            response = JsonResponse(badges.as_json(shown))
        case "shields":
            response = JsonResponse(badges.as_shields(shown))
        case _:
            raise Http404
    response["Access-Control-Allow-Origin"] = "*"
    response["X-Robots-Tag"] = "noindex"
    return response
