"""What was sent to one of one's contact points, with each attempt: for whoever runs what receives it."""

from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from notifications.channels.labels import channel_label
from notifications.explanations import explain
from notifications.messages.texts import text_for
from notifications.models import Delivery
from notifications.selectors import deliveries_visible_to, with_attempts
from notifications.web.page import Page
from notifications.web.views.preferences import own_points

#: So many are shown, the newest first, of so many of their newest.
MOST_SHOWN: Final = 50
LOOKED_THROUGH: Final = 2_000


class SentPage(Page):
    """For its owner. The person's newest are looked through: no index has those of a contact point."""

    def get(self, request: HttpRequest, point_id: UUID) -> HttpResponse:
        point = get_object_or_404(own_points(self.person), pk=point_id)
        newest = Delivery.objects.filter(user=self.person).order_by("-pk").values("pk")[:LOOKED_THROUGH]
        sent = deliveries_visible_to(self.person).filter(pk__in=newest, contact_point=point)
        rows = [
            {
                "delivery": each,
                "title": title_of(each),
                "why": explain(each),
                "attempts": each.attempt_set.all(),
            }
            for each in with_attempts(sent.order_by("-pk")[:MOST_SHOWN])
        ]
        context = {"point": point, "channel": channel_label(point.channel), "rows": rows, "most": MOST_SHOWN}
        return render(request, "web/point.html", context)


def title_of(delivery: Delivery) -> str:
    """Return what a message is titled, in the language that it was sent in."""
    told = delivery.notification
    texts = told.title, told.body, told.texts
    title, _ = text_for(*texts, language=delivery.language, channel=delivery.channel)
    return title
