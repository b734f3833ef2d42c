"""The routes of integrations, routes, silences and alert groups, below /api/v1/."""

from config.rest.api import slash_optional
from escalation.api.views import groups, integrations

_INTEGRATION, _GROUP = "integrations/<uuid:integration_id>", "groups/<uuid:group_id>"

urlpatterns = [
    *slash_optional("integrations", integrations.IntegrationsView.as_view(), name="integrations"),
    *slash_optional(_INTEGRATION, integrations.IntegrationView.as_view(), name="integration"),
    *slash_optional(f"{_INTEGRATION}/key", integrations.IntegrationKeyView.as_view(), name="integration-key"),
    *slash_optional(
        f"{_INTEGRATION}/requests",
        integrations.IntegrationRequestsView.as_view(),
        name="integration-requests",
    ),
    *slash_optional(f"{_INTEGRATION}/try", integrations.IntegrationTryView.as_view(), name="integration-try"),
    *slash_optional("routes", integrations.RoutesView.as_view(), name="routes"),
    *slash_optional("routes/order", integrations.RoutesOrderView.as_view(), name="routes-order"),
    *slash_optional("routes/<uuid:route_id>", integrations.RouteView.as_view(), name="route"),
    *slash_optional("silences", groups.SilencesView.as_view(), name="silences"),
    *slash_optional("silences/<uuid:silence_id>", groups.SilenceView.as_view(), name="silence"),
    *slash_optional("groups", groups.GroupsView.as_view(), name="groups"),
    *slash_optional(_GROUP, groups.GroupView.as_view(), name="group"),
    *slash_optional(f"{_GROUP}/acknowledge", groups.GroupAcknowledgeView.as_view(), name="group-acknowledge"),
    *slash_optional(f"{_GROUP}/resolve", groups.GroupResolveView.as_view(), name="group-resolve"),
    *slash_optional(f"{_GROUP}/snooze", groups.GroupSnoozeView.as_view(), name="group-snooze"),
]
