"""The service worker, served from the root: it sees to the whole site, which one below /static/ can't."""

from typing import Final

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse

from notifications.web.page import Page

_FILE: Final = "web/sw.js"


class WorkerPage(Page):
    def get(self, request: HttpRequest) -> HttpResponse:
        path = finders.find(_FILE)
        assert isinstance(path, str)
        with open(path, "rb") as file:
            return HttpResponse(file.read(), content_type="text/javascript; charset=utf-8")
