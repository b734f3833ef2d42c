"""The routes of escalations: below /api/v1/, and the original's own path."""

from config.rest.api import slash_optional
from escalation.api.group_urls import urlpatterns as group_urlpatterns
from escalation.api.heartbeat_urls import urlpatterns as heartbeat_urlpatterns
from escalation.api.policy_urls import urlpatterns as policy_urlpatterns
from escalation.api.views.processes import AcknowledgeView, ProcessesView, ProcessView, StopView

process_urlpatterns = [
    *slash_optional("escalations", ProcessesView.as_view(), name="escalations"),
    # A process id may hold anything, slashes too; these come last.
    *slash_optional(
        "escalations/<path:process_id>/acknowledge", AcknowledgeView.as_view(), name="escalation-acknowledge"
    ),
    *slash_optional("escalations/<path:process_id>/stop", StopView.as_view(), name="escalation-stop"),
    *slash_optional("escalations/<path:process_id>", ProcessView.as_view(), name="escalation"),
]

urlpatterns = [*heartbeat_urlpatterns, *policy_urlpatterns, *group_urlpatterns, *process_urlpatterns]

# The original's path; the schema describes it once, above.
original_urlpatterns = [*slash_optional("escalations", ProcessesView.as_view(schema=None))]
