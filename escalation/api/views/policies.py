"""Policies: named ways of escalating, their versions, and what they would come to."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config import clock
from config.rest.openapi import BODY, errors
from config.rest.views import validated
from escalation.api.filters import PolicyFilter
from escalation.api.policy_serializers import (
    PolicyChangeSerializer,
    PolicyDetailSerializer,
    PolicyInSerializer,
    PolicySerializer,
    PolicyVersionSerializer,
    SimulateInSerializer,
    SimulationSerializer,
)
from escalation.api.views.base import REMOVED, ListedView, made, page_of
from escalation.models import Policy, PolicyVersion
from escalation.policies import selectors
from escalation.policies.words import explanation_of, name_of, outcome_of
from escalation.services import policies as services
from notifications.engine.recipients import Recipient

STEPS = [
    {
        "after_s": 0,
        "targets": [
            {"type": "schedule", "schedule_id": "0198c7f2-7a01-7b1c-9d11-2f4f0c1f2a44", "channels": ["push"]}
        ],
    },
    {"after_s": 120, "targets": [{"type": "address", "channel": "phone", "address": "+33612345678"}]},
]
EXAMPLE = {"name": "Orders", "steps": STEPS, "repeats": 3, "repeat_every_s": 300}


class _Policies(ListedView):
    """Staff change policies; machines that may read escalations may read them."""

    serializer_class: type[Any] = PolicySerializer
    queryset = Policy.objects.none()
    lookup_url_kwarg = "policy_id"

    def get_queryset(self) -> QuerySet[Policy]:
        return selectors.policies()


@extend_schema(tags=["escalation policies"])
class PoliciesView(_Policies):
    filterset_class = PolicyFilter

    def get_serializer_class(self) -> type[Any]:
        # What is wrong with each is asked of one at a time.
        return PolicySerializer if self.request.method == "GET" else PolicyDetailSerializer

    @extend_schema(operation_id="policies_list", responses=page_of(PolicySerializer))
    def get(self, request: Request) -> Response:
        """Newest first, each with what it says now."""
        return self.listed(self.get_queryset())

    @extend_schema(
        operation_id="policies_create",
        request=PolicyInSerializer,
        responses=made(PolicyDetailSerializer, "policy"),
        examples=[OpenApiExample("lead, then phone", value=EXAMPLE, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """Create a policy; 409 if another one has the name."""
        serializer = PolicyInSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        policy, created = services.policy_create(
            name=serializer.validated_data["name"], definition=serializer.definition(), by=self.person
        )
        return self.answer_again(policy.pk, is_new=created)


@extend_schema(tags=["escalation policies"])
class PolicyView(_Policies):
    serializer_class = PolicyDetailSerializer

    @extend_schema(operation_id="policies_read", responses={200: PolicyDetailSerializer, **errors(403, 404)})
    def get(self, request: Request, policy_id: UUID) -> Response:
        return self.answer_again(policy_id)

    @extend_schema(
        operation_id="policies_change",
        request=PolicyChangeSerializer,
        responses={200: PolicyDetailSerializer, **errors(*BODY, 403, 404, 409)},
        examples=[OpenApiExample("once only", value={"repeats": 0}, request_only=True)],
    )
    def patch(self, request: Request, policy_id: UUID) -> Response:
        """Change the given fields as a new version. Processes under way keep the one that started them."""
        policy = self.get_object()
        given = validated(PolicyChangeSerializer(data=request.data))
        services.policy_update(policy=policy, name=given.pop("name", None), by=self.person, changes=given)
        return self.answer_again(policy_id)

    @extend_schema(operation_id="policies_remove", responses=REMOVED)
    def delete(self, request: Request, policy_id: UUID) -> Response:
        """Remove it: it starts nothing more. Processes under way continue, and their history stays."""
        services.policy_remove(policy=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["escalation policies"])
class PolicyVersionsView(_Policies):
    serializer_class = PolicyVersionSerializer
    ordering = ("-number",)

    @extend_schema(operation_id="policies_versions", responses=page_of(PolicyVersionSerializer, 404))
    def get(self, request: Request, policy_id: UUID) -> Response:
        """List all its versions, newest first."""
        versions = PolicyVersion.objects.filter(policy=self.get_object())
        return self.listed(versions.select_related("created_by"))


@extend_schema(tags=["escalation policies"])
class PolicySimulateView(_Policies):
    @extend_schema(
        operation_id="policies_simulate",
        request=SimulateInSerializer,
        responses={200: SimulationSerializer, **errors(*BODY, 403, 404)},
        examples=[OpenApiExample("at night", value={"at": "2026-10-24T21:30:00Z"}, request_only=True)],
    )
    def post(self, request: Request, policy_id: UUID) -> Response:
        """Show who would be told, when and by which channel, with quiet hours and preferences. Sends nothing.

        Starting a process makes the same plan. People and schedules are taken as they are now.
        """
        policy = self.get_object()
        asked = validated(SimulateInSerializer(data=request.data))
        started_at = asked.get("at") or clock.now()
        version = selectors.newest_version(policy)
        recipients = selectors.simulated(version, at=started_at, severity=asked.get("severity", ""))
        shown = {
            "policy": policy.name,
            "version": version.number,
            "started_at": started_at,
            "severity": asked.get("severity") or version.severity,
            "tellings": [_shown(recipient) for recipient in recipients],
        }
        return Response(SimulationSerializer(shown).data)


class NothingView(APIView):
    """What is asked for below policies, schedules or rotations, and isn't there."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise Http404


def _shown(recipient: Recipient) -> dict[str, Any]:
    names = ("at", "due_at", "user", "via", "channel", "address", "reason")
    return {
        **recipient.data,
        **{name: getattr(recipient, name) for name in names},
        "name": name_of(recipient.user),
        "outcome": outcome_of(recipient),
        "explanation": explanation_of(recipient),
    }
