"""The page behind the links. Looking at it changes nothing: mail programs open links by themselves."""

from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import TemplateView

from accounts.models import User
from notifications.channels.unsubscribe_links import Target, target_of
from notifications.messages.catalogue import kinds
from notifications.models import Subscription
from notifications.rules import gravest, silences
from notifications.services.preferences import subscription_set
from notifications.web.page import Page

#: What a mail program posts, and the page's own button too (RFC 8058, 3.2).
OFF: Final = ("List-Unsubscribe", "One-Click")
ON: Final = ("List-Unsubscribe", "Undo")


# Mail programs post from elsewhere; the token in the address is what shows that they may.
@method_decorator(csrf_exempt, name="dispatch")
class UnsubscribePage(Page, TemplateView):
    http_method_names = ["get", "head", "post", "options"]
    template_name = "web/unsubscribe.html"

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Switch the kind off, or on again; any number of times."""
        user, target = self._target(token)
        wish = request.POST.get(OFF[0])
        if wish not in (OFF[1], ON[1]):
            return self._page(user, target, is_misread=True, status=400)
        subscription_set(
            user=user, channel=target.channel, kind=target.kind, is_enabled=wish == ON[1], most=None
        )
        return self._page(user, target, is_done=True)

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self._page(*self._target(token))

    def _target(self, token: str) -> tuple[User, Target]:
        target = target_of(token)
        user = target and User.objects.filter(pk=target.user_id).first()
        if target is None or user is None:
            raise Http404
        return user, target

    def _page(self, user: User, target: Target, *, status: int = 200, **context: Any) -> HttpResponse:
        subscriptions = Subscription.objects.filter(user=user)
        severity = gravest(target.kind)
        is_off = silences(subscriptions, channel=target.channel, kind=target.kind, severity=severity)
        about = kinds()[target.kind].about if target.kind in kinds() else ""
        context |= {"kind": target.kind, "channel": target.channel, "about": about, "is_off": is_off}
        response = self.render_to_response(context, status=status)
        # The address is a key to this: no other site is told it. With no-referrer, browsers would post the
        # form from the origin "null".
        response["Referrer-Policy"] = "same-origin"
        response["X-Robots-Tag"] = "noindex"
        return response
