"""A route whose answer goes on live."""

import threading
import weakref
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from config import urls
from config.live import LiveResponse

# What the view was given and gave, without keeping it.
kept: list[weakref.ref[Any]] = []
lives: list[Any] = []
# Requests that are held, and what lets them go.
entered, leave = threading.Semaphore(0), threading.Event()


def live_view(request: HttpRequest) -> HttpResponse:
    response = LiveResponse(b"all of it", live=lives[0], content_type="text/plain", headers={"X-Mine": "é"})
    response.set_cookie("taste", "sweet", httponly=True)
    kept.extend([weakref.ref(request), weakref.ref(response)])
    return response


def slow_view(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)", [])
    return HttpResponse("at last")


def held_view(request: HttpRequest) -> HttpResponse:
    entered.release()
    assert leave.wait(20)
    return HttpResponse("let go")


urlpatterns = [
    path("live/", live_view),
    path("api/slow/", slow_view),
    path("api/held/", held_view),
    *urls.urlpatterns,
]
handler500 = "config.errors.server_error"
