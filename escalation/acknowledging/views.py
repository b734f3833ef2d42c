"""The page behind the links. Looking at it changes nothing: mail programs open links by themselves."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from config import clock
from escalation.acknowledge_links import delivery_id_of
from escalation.models import EscalationProcess
from escalation.services.processes import process_acknowledge
from notifications.models import Delivery
from notifications.web.page import Page, guarded


class AcknowledgeLinkPage(Page):
    """Shows what it is about, and acknowledges it by its button; whoever got the message may."""

    http_method_names = ["get", "head", "post", "options"]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        _, process = self._told(token)
        return self._page(process)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        delivery, process = self._told(token)
        who = str(delivery.user) if delivery.user else delivery.address
        is_done = process_acknowledge(process=process, by=who, via="link", now=clock.now())
        return self._page(process, is_done=is_done)

    def forgery_refused(self, token: str) -> HttpResponse:
        """Say how to acknowledge it all the same: the browser may keep no cookies (see config.forgery)."""
        _, process = self._told(token)
        answer = self._page(process, status=403, is_refused=True)
        guarded(answer)
        return answer

    def _told(self, token: str) -> tuple[Delivery, EscalationProcess]:
        """Return what the link was in, and the process that this told of."""
        pk = delivery_id_of(token)
        if pk is None:
            raise Http404
        deliveries = Delivery.objects.select_related("notification", "user")
        delivery = deliveries.filter(pk=pk, notification__source_type=EscalationProcess.SOURCE).first()
        if delivery is None or (delivery.user and not delivery.user.is_active):
            raise Http404
        process = EscalationProcess.objects.filter(pk=delivery.notification.source_id)
        found = process.select_related("policy_version__policy").first()
        if found is None:
            raise Http404
        return delivery, found

    def _page(self, process: EscalationProcess, *, status: int = 200, **context: Any) -> HttpResponse:
        context["process"] = process
        response = render(self.request, "escalation/acknowledge.html", context, status=status)
        # The address is a key to this: no other site is told it. With no-referrer, browsers would post the
        # form from the origin "null", which the check against cross-site forms refuses.
        response["Referrer-Policy"] = "same-origin"
        response["X-Robots-Tag"] = "noindex"
        return response
