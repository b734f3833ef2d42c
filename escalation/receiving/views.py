"""What each format's clients send, and the answers that they expect: 2xx means kept.

Who sends is known by the address or a header before more than a small part of a body is taken. Of bodies
with the key in them, as PagerDuty's, no more than that part is taken, unless the key is in the address too.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.views.generic import View

from accounts import rate_limits
from accounts.ids import uuid7
from config import clock
from config.outages import is_outage
from config.rest.api import TOO_LARGE
from escalation.intake.answer import Answer
from escalation.intake.formats import alertmanager, cloudevents, generic, grafana, opsgenie, pagerduty
from escalation.intake.occurrence import Malformed, Occurrence
from escalation.models import GroupedAlert, IntakeRequest, Integration
from escalation.receiving import reading
from escalation.receiving.keeping import beginning_of, integration_of, request_keep, request_refuse
from escalation.receiving.setting_up import SIGNED

log = structlog.get_logger(__name__)

Format = Integration.Format


class IntakeView(View):
    """One path of a format; ``answers`` is the format's module."""

    http_method_names = ["post"]
    format: Integration.Format
    answers: Any

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., HttpResponseBase]:
        view = super().as_view(**initkwargs)
        # Nothing here looks at a session.
        view.csrf_exempt = True  # type: ignore[attr-defined]
        view.refusal_by_head = cls.refusal_by_head  # type: ignore[attr-defined]
        return view

    @classmethod
    def refusal_by_head(cls, request: HttpRequest, **kwargs: Any) -> HttpResponse | None:
        """Return why no large body is taken, before there is one: config.admission."""
        view = cls()
        view.setup(request, **kwargs)
        return view.answered(view.large_refused)

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        #: Of what is kept of this request, and in answers whose clients ask for it by that.
        self.request_id = uuid7()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase | None:
        return self.answered(self.answer)

    def answered(self, ask: Callable[[], Answer | None]) -> HttpResponse | None:
        try:
            answer = ask()
        except RequestDataTooBig:
            answer = too_large(settings.REQUEST_MAX_BYTES)
        except Integration.DoesNotExist:  # removed since its key was looked up
            answer = self.said("refused")
        except Exception as error:
            if not is_outage(error):
                raise
            log.error("dependency_unreachable", error=type(error).__name__)
            answer = self.said("unavailable")
        return None if answer is None else response_of(answer)

    def answer(self) -> Answer:
        now = clock.now()
        integration = integration_of(self.key(), self.format)
        if integration is None:
            return self.said("refused")
        if not integration.is_enabled:
            return self.kept_out(integration, self.said("refused"), "The integration is switched off.", now)
        if rate_limits.attempt_take(scope="intake", who=str(integration.pk), now=now):
            return self.said("too_many")
        try:
            return self.take(integration, now)
        except Malformed as error:
            return self.kept_out(integration, self.malformed(error), str(error), now)

    @cached_property
    def value(self) -> Any:
        """What the body says as JSON, parsed once.

        Raises:
            NotJSON: it is none.
        """
        return reading.value_of(self.request.body)

    def key(self) -> str:
        """Return the secret by which a request names its integration; "": none."""
        return str(self.kwargs.get("token", ""))

    def large_refused(self) -> Answer | None:
        integration = integration_of(self.key(), self.format)
        return None if integration and integration.is_enabled else self.said("refused")

    def take(self, integration: Integration, now: datetime) -> Answer:
        """Keep what the body reports.

        Raises:
            Malformed: the body is not as the format has it.
        """
        occurrences = reading.occurrences_of(integration, self.request.body, self.request.headers)
        return self.keep(integration, occurrences, self.answers.accepted(len(occurrences)), now)

    def keep(
        self,
        integration: Integration,
        occurrences: list[Occurrence],
        answer: Answer,
        now: datetime,
        why: str = "",
    ) -> Answer:
        request_keep(self.received(integration, answer, why, now), occurrences)
        return answer

    def kept_out(self, integration: Integration, answer: Answer, why: str, now: datetime) -> Answer:
        request_refuse(self.received(integration, answer, why, now))
        return answer

    def received(self, integration: Integration, answer: Answer, why: str, now: datetime) -> IntakeRequest:
        return IntakeRequest(
            pk=self.request_id,
            integration=integration,
            received_at=now,
            status=answer.status,
            body=beginning_of(self.request.body, integration),
            error=why[:500],
        )

    def malformed(self, error: Malformed) -> Answer:
        return self.said("malformed", error)

    def said(self, name: str, *about: Any) -> Answer:
        """Return an answer in the format's own words."""
        return getattr(self.answers, name)(*about)


class AlertmanagerView(IntakeView):
    format = Format.ALERTMANAGER
    answers = alertmanager


class GrafanaView(IntakeView):
    """A signature is checked wherever there is one; an integration may demand it."""

    format = Format.GRAFANA
    answers = grafana

    def take(self, integration: Integration, now: datetime) -> Answer:
        signature = self.request.headers.get(grafana.SIGNATURE_HEADER)
        if signature is None:
            if integration.mapping.get(SIGNED):
                return self.kept_out(integration, self.said("refused"), "The signature is missing.", now)
        elif not grafana.is_signed(
            self.request.body,
            secret=integration.key,
            signature=signature,
            timestamp=self.request.headers.get(grafana.TIMESTAMP_HEADER),
            now=now,
        ):
            return self.kept_out(integration, self.said("refused"), "The signature is wrong.", now)
        return super().take(integration, now)


class CloudEventsView(IntakeView):
    http_method_names = ["post", "options"]
    format = Format.CLOUDEVENTS
    answers = cloudevents

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return response_of(cloudevents.permitted())


class GenericView(IntakeView):
    format = Format.GENERIC
    answers = generic


class PagerDutyView(IntakeView):
    format = Format.PAGERDUTY
    answers = pagerduty

    def key(self) -> str:
        """Return that of the address, or else the routing key in the body."""
        if token := super().key():
            return token
        try:
            return pagerduty.routing_key_of(self.value)
        except Malformed:
            return ""

    def large_refused(self) -> Answer | None:
        if "token" in self.kwargs:
            return super().large_refused()
        return too_large(settings.REQUEST_ANONYMOUS_MAX_BYTES)

    def take(self, integration: Integration, now: datetime) -> Answer:
        event = pagerduty.event(self.value)
        return self.keep(integration, [event.occurrence], pagerduty.accepted(event.dedup_key), now)


class PagerDutyChangeView(PagerDutyView):
    """Change events tell of no problem; their clients are told that they aren't kept."""

    def answer(self) -> Answer:
        return pagerduty.change_refused()


class _OpsgenieView(IntakeView):
    format = Format.OPSGENIE
    answers = opsgenie

    def key(self) -> str:
        scheme, _, key = self.request.headers.get("Authorization", "").partition(" ")
        return key.strip() if scheme.lower() == "geniekey" else ""

    def said(self, name: str, *about: Any) -> Answer:
        return super().said(name, *about, str(self.request_id))

    def malformed(self, error: Malformed) -> Answer:
        if isinstance(error, reading.NotJSON):
            return self.said("unreadable")
        return super().malformed(error)


class OpsgenieAlertsView(_OpsgenieView):
    def take(self, integration: Integration, now: datetime) -> Answer:
        return self.keep(integration, [opsgenie.created(self.value)], self.said("accepted"), now)


class OpsgenieAlertView(_OpsgenieView):
    """What is done to an alert: ``<identifier>/<action>``, or DELETE; an identifier may hold slashes."""

    http_method_names = ["post", "put", "delete"]
    #: Of an alert, what can be deleted without it.
    PARTS: Final = ("tags", "details")

    put = delete = IntakeView.post

    def take(self, integration: Integration, now: datetime) -> Answer:
        name, action = self._named()
        body = self.value if self.request.body.strip() else {}
        identifier = opsgenie.identified(name, self.request.GET.get("identifierType"))
        keys = _keys_of(integration, identifier)
        # What isn't an action is refused where there is no alert either.
        occurrences = [opsgenie.acted(action, key, body) for key in keys or ["none"]]
        answer = self.said("accepted")
        if not keys:
            return self.keep(integration, [], answer, now, "There is no such alert.")
        return self.keep(integration, occurrences, answer, now)

    def _named(self) -> tuple[str, str]:
        """Return which alert the path names, and what is to be done to it."""
        rest = self.kwargs["rest"].rstrip("/")
        name, _, action = rest.rpartition("/")
        if self.request.method == "DELETE" and not (name and action in self.PARTS):
            return rest, "delete"
        return name, action


class OpsgenieRequestView(_OpsgenieView):
    """What came of a request: a client that has been answered 202 asks until it says so."""

    http_method_names = ["get"]
    WORDS: Final = {
        "trigger": ("Create", "Created alert"),
        "acknowledge": ("Acknowledge", "Acknowledged alert"),
        "resolve": ("Close", "Closed alert"),
        "note": ("AddNote", "Added note"),
    }
    NOTHING: Final[dict[str, Any]] = {"key": "", "act": "", "outcome": "ignored", "group": None}

    def get(self, request: HttpRequest, asked: UUID) -> HttpResponseBase | None:
        return self.answered(self.status_of)

    def status_of(self) -> Answer:
        integration = integration_of(self.key(), self.format)
        if integration is None or not integration.is_enabled:
            return self.said("refused")
        found = IntakeRequest.objects.filter(pk=self.kwargs["asked"], integration=integration).first()
        if found is None:
            return self.said("not_found")
        made: dict[str, Any] = found.made[0] if found.made else self.NOTHING
        action, done = self.WORDS.get(made["act"], ("", ""))
        is_done = made["outcome"] != "ignored"
        return opsgenie.request_status(
            str(found.pk),
            action=action,
            status=done if is_done else found.error or "Alert does not exist",
            success=is_done,
            processed_at=found.received_at,
            alert_id=made["group"] or "",
            alias=made["key"],
        )


def _keys_of(integration: Integration, identifier: opsgenie.Identifier) -> list[str]:
    """Return the keys of the alerts that a client means: of a group, those that fire, or else all."""
    if identifier.type == "alias":
        return [identifier.value]
    try:
        group = UUID(identifier.value)
    except ValueError:
        return []
    alerts = GroupedAlert.objects.filter(integration=integration, group=group).order_by("first_at", "pk")
    keys = list(alerts.filter(ended_at=None).values_list("key", flat=True))
    return keys or list(dict.fromkeys(alerts.values_list("key", flat=True)))


def too_large(limit: int) -> Answer:
    return Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"detail": TOO_LARGE.format(limit=limit)})


def response_of(answer: Answer) -> HttpResponse:
    if answer.body is None:
        return HttpResponse(status=answer.status, headers=answer.headers)
    return JsonResponse(dict(answer.body), status=answer.status, headers=answer.headers)
