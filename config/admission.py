"""Who may send a large body: asked of the view that it is for, by the head of the request alone."""

from typing import Any, cast

from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.urls import ResolverMatch, resolve
from django.utils.functional import SimpleLazyObject
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.session_keys import SessionStore
from config.bodies import too_large

# They tell of the body, which is not there yet.
OF_BODY = (b"content-length", b"content-type", b"transfer-encoding")


def head_of(scope: dict[str, Any]) -> dict[str, Any]:
    return {**scope, "headers": [each for each in scope["headers"] if each[0] not in OF_BODY]}


def refusal(request: HttpRequest) -> HttpResponse | None:
    """Return the answer to a request that is refused whatever its body says; strangers may not send much."""
    return cast(HttpResponse | None, convert_exception_to_response(_refusal)(request))  # type: ignore[arg-type]


def _refusal(request: HttpRequest) -> HttpResponse | None:
    request.session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    request.user = SimpleLazyObject(lambda: get_user(request))  # type: ignore[assignment]
    request.resolver_match = match = resolve(request.path_info)  # by which rights are looked up
    if hasattr(match.func, "cls"):
        return _said_by(match, request)
    if hasattr(match.func, "refusal_by_head"):
        return cast(HttpResponse | None, match.func.refusal_by_head(request, **match.kwargs))
    return None if request.user.is_authenticated else too_large(settings.REQUEST_ANONYMOUS_MAX_BYTES)


def _said_by(match: ResolverMatch, request: HttpRequest) -> HttpResponse | None:
    """Have an API view do all that it does before its handler: authentication, permissions, no throttles."""
    users = []

    def handle(admitted: Request, *args: Any, **kwargs: Any) -> Response:
        users.append(admitted.user)
        return Response()

    view = match.func.cls(**match.func.initkwargs)  # type: ignore[attr-defined]
    view.setup(request, *match.args, **match.kwargs)
    view.throttle_classes = []
    method = (request.method or "").lower()
    if hasattr(view, method):
        setattr(view, method, handle)
    response: Response = view.dispatch(request, *match.args, **match.kwargs)
    if not users:
        return response.render()
    return None if users[0].is_authenticated else too_large(settings.REQUEST_ANONYMOUS_MAX_BYTES)
