"""The routes of notifications: below /api/v1/, and the originals' own paths."""

from config.rest.api import slash_optional, slashes_optional
from notifications.api.views import (
    alerts,
    caller_ids,
    contact_points,
    dead_letters,
    dead_messages,
    deliveries,
    events,
    inbox,
    preferences,
    providers,
)

urlpatterns = slashes_optional(
    ("alerts", alerts.AlertsView, "alerts"),
    ("alerts/batch", alerts.AlertsBatchView, "alerts-batch"),
    ("alerts/<uuid:alert_uuid>", alerts.AlertView, "alert"),
    ("preferences", preferences.PreferencesView, "preferences"),
    ("preferences/<uuid:user_id>", preferences.PreferenceView, "preference"),
    ("preferences/<uuid:user_id>/explain", preferences.ExplainView, "preference-explain"),
    ("subscriptions", preferences.SubscriptionsView, "subscriptions"),
    ("contact-points", contact_points.ContactPointsView, "contact-points"),
    ("contact-points/<uuid:contact_point_id>", contact_points.ContactPointView, "contact-point"),
    ("contact-points/<uuid:contact_point_id>/code", contact_points.CodeView, "contact-point-code"),
    ("contact-points/<uuid:contact_point_id>/confirm", contact_points.ConfirmView, "contact-point-confirm"),
    ("contact-points/<uuid:contact_point_id>/test", contact_points.TestSendView, "contact-point-test"),
    ("contact-points/<uuid:contact_point_id>/secret", contact_points.SecretView, "contact-point-secret"),
    (
        "contact-points/<uuid:contact_point_id>/rotate-secret",
        contact_points.RotateSecretView,
        "contact-point-rotate-secret",
    ),
    ("caller-ids", caller_ids.CallerIdsView, "caller-ids"),
    ("inbox", inbox.InboxView, "inbox-items"),
    ("inbox/unread", inbox.InboxUnreadView, "inbox-unread"),
    ("inbox/read", inbox.InboxReadView, "inbox-read"),
    ("inbox/stream", inbox.InboxStreamView, "inbox-stream"),
    ("inbox/<uuid:item_id>", inbox.InboxItemView, "inbox-item"),
    ("deliveries", deliveries.DeliveriesView, "deliveries"),
    ("deliveries/replay", deliveries.ReplayManyView, "deliveries-replay"),
    ("deliveries/<uuid:delivery_id>", deliveries.DeliveryView, "delivery"),
    ("deliveries/<uuid:delivery_id>/proof", deliveries.ProofView, "delivery-proof"),
    ("deliveries/<uuid:delivery_id>/replay", deliveries.ReplayView, "delivery-replay"),
    ("deliveries/<uuid:delivery_id>/cancel", deliveries.CancelView, "delivery-cancel"),
    ("events", events.EventsView, "events"),
    ("events/<uuid:event_id>", events.EventView, "event"),
    ("events/<uuid:event_id>/replay", events.EventReplayView, "event-replay"),
    ("dead-letters", dead_letters.DeadLettersView, "dead-letters"),
    ("dead-letters/replay", dead_letters.DeadLettersReplayView, "dead-letters-replay"),
    ("dead-letters/<uuid:run_id>/replay", dead_letters.DeadLetterReplayView, "dead-letter-replay"),
    ("dead-messages", dead_messages.DeadMessagesView, "dead-messages"),
    ("dead-messages/replay", dead_messages.DeadMessagesReplayView, "dead-messages-replay"),
    ("dead-messages/discard", dead_messages.DeadMessagesDiscardView, "dead-messages-discard"),
    ("dead-messages/<uuid:message_id>", dead_messages.DeadMessageView, "dead-message"),
    ("dead-messages/<uuid:message_id>/replay", dead_messages.DeadMessageReplayView, "dead-message-replay"),
    ("dead-messages/<uuid:message_id>/discard", dead_messages.DeadMessageDiscardView, "dead-message-discard"),
    ("providers/twilio/status/<uuid:delivery_id>", providers.TwilioStatusView, "twilio-status"),
)

# The original's paths; the schema describes them once, above.
original_urlpatterns = [
    *slash_optional("webhooks/alerts", alerts.AlertsView.as_view(schema=None)),
    *slash_optional("webhook/notifications", alerts.AlertsView.as_view(schema=None)),
    *slash_optional("preferences", preferences.PreferencesView.as_view(schema=None)),
    *slash_optional("preferences/<uuid:user_id>", preferences.PreferenceView.as_view(schema=None)),
]
