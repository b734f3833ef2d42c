"""The routes of policies and rotations, below /api/v1/escalations/; they come before those of processes."""

from django.urls import re_path

from config.rest.api import slash_optional
from escalation.api.views import policies, rotations

_POLICIES, _ROTATIONS = "escalations/policies", "escalations/rotations"
_POLICY, _ROTATION = f"{_POLICIES}/<uuid:policy_id>", f"{_ROTATIONS}/<uuid:rotation_id>"

urlpatterns = [
    *slash_optional(_POLICIES, policies.PoliciesView.as_view(), name="policies"),
    *slash_optional(_POLICY, policies.PolicyView.as_view(), name="policy"),
    *slash_optional(f"{_POLICY}/versions", policies.PolicyVersionsView.as_view(), name="policy-versions"),
    *slash_optional(f"{_POLICY}/simulate", policies.PolicySimulateView.as_view(), name="policy-simulate"),
    *slash_optional(_ROTATIONS, rotations.RotationsView.as_view(), name="rotations"),
    *slash_optional(_ROTATION, rotations.RotationView.as_view(), name="rotation"),
    *slash_optional(f"{_ROTATION}/on-call", rotations.OnCallView.as_view(), name="rotation-on-call"),
    *slash_optional(f"{_ROTATION}/shifts", rotations.ShiftsView.as_view(), name="rotation-shifts"),
    *slash_optional(
        f"{_ROTATION}/calendar", rotations.RotationCalendarView.as_view(), name="rotation-calendar"
    ),
    *slash_optional(f"{_ROTATION}/renew-link", rotations.RenewLinkView.as_view(), name="rotation-renew-link"),
    *slash_optional(f"{_ROTATION}/overrides", rotations.OverridesView.as_view(), name="rotation-overrides"),
    *slash_optional(
        f"{_ROTATION}/overrides/<uuid:override_id>",
        rotations.OverrideView.as_view(),
        name="rotation-override",
    ),
    # What is none of these is no process either, whose ids may hold slashes.
    re_path(r"^escalations/(?:policies|rotations)/", policies.NothingView.as_view(schema=None)),
]
