"""SPEC 0.2: nobody anonymous gets in, by any route there is, or will be."""

import re
import uuid
from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

# Logging in, registering, new passwords, liveness, and the admin's own log-in and log-out pages with what
# they need.
OPEN = {
    "/language/",
    "/",  # leads to the log-in
    "/sw.js",  # a script, the same for everybody
    "/api/v1/auth/token",
    "/api/v1/auth/token/",
    "/api/v1/auth/token/refresh",
    "/api/v1/auth/token/refresh/",
    "/api/v1/auth/register",
    "/api/v1/auth/register/",
    "/api/v1/auth/login",
    "/api/v1/auth/login/",
    "/api/v1/auth/refresh",
    "/api/v1/auth/refresh/",
    "/api/v1/auth/logout",
    "/api/v1/auth/logout/",
    "/api/v1/auth/password/reset",
    "/api/v1/auth/password/reset/",
    "/api/v1/auth/password/reset/confirm",
    "/api/v1/auth/password/reset/confirm/",
    "/auth/api/v1/register",
    "/auth/api/v1/register/",
    "/auth/api/v1/login",
    "/auth/api/v1/login/",
    "/health/live",
    "/health/live/",
    "/login/",
    "/register/",
    "/forgotten-password/",
    "/reset-password/",
    "/admin/login/",
    "/admin/logout/",
    "/admin/jsi18n/",
}
# PagerDuty's events have their key in the body, and its clients expect 400 for a wrong one.
KEY_IN_BODY = ("/v2/enqueue", "/v2/change/enqueue")
# Callbacks of providers, who have no account here but sign what they post: 403 without a challenge.
SIGNED = ("/api/v1/providers/",)
API = ("/api/", "/web", "/pref")
METHODS = ("get", "post", "put", "patch", "delete")


def routes(patterns: list[URLPattern | URLResolver] | None = None, prefix: str = "/") -> Iterator[str]:
    for each in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + _example(str(each.pattern))
        if isinstance(each, URLResolver):
            yield from routes(each.url_patterns, route)
        else:
            yield route


def _example(route: str) -> str:
    values = {"uuid": str(uuid.UUID(int=1)), "int": "1"}
    route = re.sub(r"<(?:(\w+):)?\w+>", lambda match: values.get(match[1] or "", "x"), route)
    route = re.sub(r"\(\?P<\w+>[^)]*\)\??", "x", route)
    return route.removeprefix("^").removesuffix("$").replace("/?", "/").replace("\\Z", "").replace("\\.", ".")


ALL = sorted(set(routes()))


def test_the_walk_finds_the_routes() -> None:
    assert {"/api/v1/alerts/", "/webhooks/alerts", "/metrics", "/admin/", "/django-rq/"} <= set(ALL)
    assert len(ALL) > 60


@pytest.mark.slow
@pytest.mark.parametrize("route", [route for route in ALL if route not in OPEN])
def test_the_anonymous_are_turned_away(db: None, route: str) -> None:
    client = APIClient(raise_request_exception=False)
    if route.startswith(API):
        assert_is_challenged(client, route)
    for method in METHODS:
        response = getattr(client, method)(route)
        turned_away = response.status_code in (401, 403, 404, 405)
        if route.rstrip("/").endswith(KEY_IN_BODY):
            turned_away |= response.status_code == 400
        to_log_in = response.status_code == 302 and "/login/" in response["Location"]
        assert turned_away or to_log_in, f"{method} {route}: {response.status_code} {response.content[:99]!r}"


def assert_is_challenged(client: APIClient, route: str) -> None:
    response = client.head(route)
    if route.startswith(SIGNED):
        assert response.status_code == 403
        return
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer ")
