"""A route whose answer goes on live."""

import weakref
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from config.handler import LiveResponse

# What the view was given and gave, without keeping it.
kept: list[weakref.ref[Any]] = []
lives: list[Any] = []


def live_view(request: HttpRequest) -> HttpResponse:
    response = LiveResponse(b"all of it", live=lives[0], content_type="text/plain", headers={"X-Mine": "é"})
    response.set_cookie("taste", "sweet", httponly=True)
    kept.extend([weakref.ref(request), weakref.ref(response)])
    return response


def slow_view(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)", [])
    return HttpResponse("at last")


urlpatterns = [path("live/", live_view), path("api/slow/", slow_view)]
handler500 = "config.errors.server_error"
