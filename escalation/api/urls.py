"""The routes of escalations and what starts them: below /api/v1/, and the original's own path."""

from typing import Final

from django.urls import re_path

from config.rest.api import slash_optional, slashes_optional
from escalation.api.views import (
    covers,
    drills,
    fairness,
    figures,
    groups,
    heartbeats,
    holes,
    integrations,
    policies,
    processes,
    rotations,
    schedules,
    timelines,
)

_POLICIES, _ROTATIONS = "escalations/policies", "escalations/rotations"
_POLICY, _ROTATION = f"{_POLICIES}/<uuid:policy_id>", f"{_ROTATIONS}/<uuid:rotation_id>"
_SCHEDULES = "escalations/schedules"
_SCHEDULE = f"{_SCHEDULES}/<uuid:schedule_id>"
_COVER = f"{_SCHEDULE}/covers/<uuid:cover_id>"
_DRILL = f"{_SCHEDULE}/drills/<uuid:drill_id>"
_INTEGRATION, _GROUP = "integrations/<uuid:integration_id>", "groups/<uuid:group_id>"
_HEARTBEAT = "heartbeats/<uuid:heartbeat_id>"
_PROCESS = "escalations/<path:process_id>"

_ROUTES: Final = (
    ("escalations/figures", figures.FiguresView, "figures"),
    ("heartbeats", heartbeats.HeartbeatsView, "heartbeats"),
    (_HEARTBEAT, heartbeats.HeartbeatView, "heartbeat"),
    (f"{_HEARTBEAT}/pause", heartbeats.HeartbeatPauseView, "heartbeat-pause"),
    (f"{_HEARTBEAT}/pings", heartbeats.HeartbeatPingsView, "heartbeat-pings"),
    (_POLICIES, policies.PoliciesView, "policies"),
    (_POLICY, policies.PolicyView, "policy"),
    (f"{_POLICY}/versions", policies.PolicyVersionsView, "policy-versions"),
    (f"{_POLICY}/simulate", policies.PolicySimulateView, "policy-simulate"),
    (_SCHEDULES, schedules.SchedulesView, "schedules"),
    (f"{_SCHEDULES}/fairness", fairness.AllFairnessView, "schedules-fairness"),
    (f"{_SCHEDULES}/holes", holes.AllHolesView, "schedules-holes"),
    (_SCHEDULE, schedules.ScheduleView, "schedule"),
    (f"{_SCHEDULE}/drill", drills.DrillStartView, "schedule-drill"),
    (f"{_SCHEDULE}/drills", drills.DrillsView, "schedule-drills"),
    (_DRILL, drills.DrillView, "drill"),
    (f"{_DRILL}/report.md", drills.DrillMarkdownView, "drill-markdown"),
    (f"{_SCHEDULE}/holes", holes.HolesView, "schedule-holes"),
    (f"{_SCHEDULE}/fairness", fairness.FairnessView, "schedule-fairness"),
    (f"{_SCHEDULE}/on-call", schedules.ScheduleOnCallView, "schedule-on-call"),
    (f"{_SCHEDULE}/final", schedules.FinalRowView, "schedule-final"),
    (f"{_SCHEDULE}/calendar", schedules.ScheduleCalendarView, "schedule-calendar"),
    (f"{_SCHEDULE}/renew-link", schedules.RenewLinkView, "schedule-renew-link"),
    (f"{_SCHEDULE}/overrides", schedules.OverridesView, "schedule-overrides"),
    (f"{_SCHEDULE}/overrides/<uuid:override_id>", schedules.OverrideView, "schedule-override"),
    (f"{_SCHEDULE}/covers", covers.CoversView, "schedule-covers"),
    (f"{_COVER}/accept", covers.CoverAcceptView, "cover-accept"),
    (f"{_COVER}/decline", covers.CoverDeclineView, "cover-decline"),
    (f"{_COVER}/withdraw", covers.CoverWithdrawView, "cover-withdraw"),
    (_ROTATIONS, rotations.RotationsView, "rotations"),
    (_ROTATION, rotations.RotationView, "rotation"),
    (f"{_ROTATION}/on-call", rotations.RotationOnCallView, "rotation-on-call"),
    (f"{_ROTATION}/shifts", rotations.ShiftsView, "rotation-shifts"),
    (f"{_ROTATION}/calendar", rotations.RotationCalendarView, "rotation-calendar"),
    (f"{_ROTATION}/renew-link", rotations.RotationRenewLinkView, "rotation-renew-link"),
    (f"{_ROTATION}/overrides", rotations.RotationOverridesView, "rotation-overrides"),
    (f"{_ROTATION}/overrides/<uuid:override_id>", rotations.RotationOverrideView, "rotation-override"),
    ("integrations", integrations.IntegrationsView, "integrations"),
    (_INTEGRATION, integrations.IntegrationView, "integration"),
    (f"{_INTEGRATION}/key", integrations.IntegrationKeyView, "integration-key"),
    (f"{_INTEGRATION}/requests", integrations.IntegrationRequestsView, "integration-requests"),
    (f"{_INTEGRATION}/try", integrations.IntegrationTryView, "integration-try"),
    ("routes", integrations.RoutesView, "routes"),
    ("routes/order", integrations.RoutesOrderView, "routes-order"),
    ("routes/<uuid:route_id>", integrations.RouteView, "route"),
    ("silences", groups.SilencesView, "silences"),
    ("silences/<uuid:silence_id>", groups.SilenceView, "silence"),
    ("groups", groups.GroupsView, "groups"),
    (_GROUP, groups.GroupView, "group"),
    (f"{_GROUP}/acknowledge", groups.GroupAcknowledgeView, "group-acknowledge"),
    (f"{_GROUP}/resolve", groups.GroupResolveView, "group-resolve"),
    (f"{_GROUP}/snooze", groups.GroupSnoozeView, "group-snooze"),
    (f"{_GROUP}/notes", timelines.GroupNotesView, "group-notes"),
    (f"{_GROUP}/timeline", timelines.GroupTimelineView, "group-timeline"),
    (f"{_GROUP}/timeline.md", timelines.GroupMarkdownView, "group-markdown"),
)
# A process id may hold anything, slashes too.
_PROCESSES: Final = (
    ("escalations", processes.ProcessesView, "escalations"),
    (f"{_PROCESS}/acknowledge", processes.AcknowledgeView, "escalation-acknowledge"),
    (f"{_PROCESS}/stop", processes.StopView, "escalation-stop"),
    (f"{_PROCESS}/notes", timelines.ProcessNotesView, "escalation-notes"),
    (f"{_PROCESS}/timeline", timelines.ProcessTimelineView, "escalation-timeline"),
    (f"{_PROCESS}/timeline.md", timelines.ProcessMarkdownView, "escalation-markdown"),
    (_PROCESS, processes.ProcessView, "escalation"),
)

urlpatterns = [
    *slashes_optional(*_ROUTES),
    # What is below them, and none of them, is no process either.
    re_path(r"^escalations/(?:policies|rotations|schedules)/", policies.NothingView.as_view(schema=None)),
    *slashes_optional(*_PROCESSES),
]

# The original's path; the schema describes it once, above.
original_urlpatterns = [*slash_optional("escalations", processes.ProcessesView.as_view(schema=None))]
