"""The pages that Twilio fetches during a call, each request signed with the account's auth token."""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from config import clock
from escalation.models import EscalationProcess
from escalation.services import hang_ups
from escalation.services.processes import process_acknowledge
from escalation.voice import twiml
from notifications.channels.phone.channel import VOICE_PATH
from notifications.channels.transport import twilio
from notifications.messages.instants import by_clock_of
from notifications.messages.links import linked
from notifications.messages.placeholders import filled, is_private
from notifications.messages.texts import text_for
from notifications.models import Delivery

View = Callable[[HttpRequest, Delivery], str]


def _for_twilio(view: View) -> Callable[[HttpRequest, UUID], HttpResponse]:
    """Answer Twilio alone, in TwiML; give the view the delivery that the call is of."""

    @csrf_exempt
    @require_http_methods(["GET", "POST"])
    @wraps(view)
    def answer(request: HttpRequest, delivery_id: UUID) -> HttpResponse:
        signature = request.headers.get("X-Twilio-Signature", "")
        # As Twilio knows it: what a proxy has made of scheme and host meanwhile does not count.
        url = twilio.public_url(request.get_full_path_info())
        fields = [(name, value) for name, values in request.POST.lists() for value in values]
        if not signature or not twilio.is_authentic(
            signature, auth_token=settings.TWILIO_AUTH_TOKEN, url=url, fields=fields
        ):
            raise PermissionDenied(
                "Only Twilio can post here: X-Twilio-Signature is missing or does not match."
            )
        deliveries = Delivery.objects.select_related("notification", "user")
        delivery = deliveries.filter(pk=delivery_id, channel="phone").first()
        if delivery is None:
            raise Http404
        response = HttpResponse(view(request, delivery), content_type="text/xml; charset=utf-8")
        response["Cache-Control"] = "no-store"
        return response

    return answer


@_for_twilio
def call_answered(request: HttpRequest, delivery: Delivery) -> str:
    """Say what it is about; to a person, with the offer to acknowledge it."""
    process = _process_of(delivery)
    if process is None or _is_machine(request):
        return twiml.telling(_texts(delivery), language=delivery.language)
    return _asked(delivery, process)


@_for_twilio
def key_pressed(request: HttpRequest, delivery: Delivery) -> str:
    """Acknowledge, if it is the key for that; a machine's tone is none."""
    process = _process_of(delivery)
    if process is None or _is_machine(request):
        raise Http404
    if _is_locked_out(delivery) or request.POST.get("Digits") != twiml.KEY:
        return _asked(delivery, process, again=True)
    who = str(delivery.user) if delivery.user else delivery.address
    with transaction.atomic():
        is_done = process_acknowledge(process=process, by=who, via="phone", now=clock.now())
        hang_ups.spare(delivery)  # it ends by itself, when it has said thank you
    return twiml.saying("thanks" if is_done else "over", language=delivery.language)


def _asked(delivery: Delivery, process: EscalationProcess, *, again: bool = False) -> str:
    if _is_locked_out(delivery):
        return twiml.saying("locked", language=delivery.language)
    # A call may still ring, or be answered, when its process has nothing left to send.
    if not (process.is_active or process.ran_out):
        return twiml.saying("over", language=delivery.language)
    action = twilio.public_url(f"{VOICE_PATH.format(delivery_id=delivery.pk)}key/")
    return twiml.asking(_texts(delivery), language=delivery.language, action=action, again=again)


def _is_locked_out(delivery: Delivery) -> bool:
    """Whether whoever it rang at has been locked out meanwhile: they hear nothing and acknowledge nothing."""
    return delivery.user is not None and not delivery.user.is_active


def _is_machine(request: HttpRequest) -> bool:
    return twilio.is_machine(request.POST.get("AnsweredBy") or request.GET.get("AnsweredBy"))


def _process_of(delivery: Delivery) -> EscalationProcess | None:
    """Return the process that a call is of; calls about other things have none."""
    notification = delivery.notification
    if notification.source_type != EscalationProcess.SOURCE:
        return None
    return EscalationProcess.objects.filter(pk=notification.source_id).first()


def _texts(delivery: Delivery) -> list[str]:
    """Return what is told, title and body, as the sender would put it."""
    notification = delivery.notification
    title, body = text_for(
        notification.title,
        notification.body,
        notification.texts,
        language=delivery.language,
        channel=delivery.channel,
    )
    if is_private(notification.kind):
        title, body = filled(notification.kind, delivery.channel, notification.data, title, body)
    title, body = linked(delivery.pk, delivery.channel, title, body)
    if delivery.user:
        title, body = by_clock_of(delivery.user.time_zone, title, body)
    return [title] if body == title else [title, body]
