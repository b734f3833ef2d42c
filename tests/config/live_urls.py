"""A route whose answer goes on live."""

import weakref
from typing import Any

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


urlpatterns = [path("live/", live_view)]
