"""The routes of notifications: below /api/v1/, and the originals' own paths."""

from config.rest.api import slash_optional
from notifications.api.views.alerts import AlertsBatchView, AlertsView, AlertView
from notifications.api.views.caller_ids import CallerIdsView
from notifications.api.views.contact_points import (
    CodeView,
    ConfirmView,
    ContactPointsView,
    ContactPointView,
    RotateSecretView,
    SecretView,
    TestSendView,
)
from notifications.api.views.dead_letters import DeadLetterReplayView, DeadLettersReplayView, DeadLettersView
from notifications.api.views.dead_messages import (
    DeadMessageDiscardView,
    DeadMessageReplayView,
    DeadMessagesDiscardView,
    DeadMessagesReplayView,
    DeadMessagesView,
    DeadMessageView,
)
from notifications.api.views.deliveries import (
    CancelView,
    DeliveriesView,
    DeliveryView,
    ProofView,
    ReplayManyView,
    ReplayView,
)
from notifications.api.views.events import EventReplayView, EventsView, EventView
from notifications.api.views.inbox import (
    InboxItemView,
    InboxReadView,
    InboxStreamView,
    InboxUnreadView,
    InboxView,
)
from notifications.api.views.preferences import (
    ExplainView,
    PreferencesView,
    PreferenceView,
    SubscriptionsView,
)
from notifications.api.views.providers import TwilioStatusView

urlpatterns = [
    *slash_optional("alerts", AlertsView.as_view(), name="alerts"),
    *slash_optional("alerts/batch", AlertsBatchView.as_view(), name="alerts-batch"),
    *slash_optional("alerts/<uuid:alert_uuid>", AlertView.as_view(), name="alert"),
    *slash_optional("preferences", PreferencesView.as_view(), name="preferences"),
    *slash_optional("preferences/<uuid:user_id>", PreferenceView.as_view(), name="preference"),
    *slash_optional("preferences/<uuid:user_id>/explain", ExplainView.as_view(), name="preference-explain"),
    *slash_optional("subscriptions", SubscriptionsView.as_view(), name="subscriptions"),
    *slash_optional("contact-points", ContactPointsView.as_view(), name="contact-points"),
    *slash_optional(
        "contact-points/<uuid:contact_point_id>", ContactPointView.as_view(), name="contact-point"
    ),
    *slash_optional(
        "contact-points/<uuid:contact_point_id>/code", CodeView.as_view(), name="contact-point-code"
    ),
    *slash_optional(
        "contact-points/<uuid:contact_point_id>/confirm", ConfirmView.as_view(), name="contact-point-confirm"
    ),
    *slash_optional(
        "contact-points/<uuid:contact_point_id>/test", TestSendView.as_view(), name="contact-point-test"
    ),
    *slash_optional(
        "contact-points/<uuid:contact_point_id>/secret", SecretView.as_view(), name="contact-point-secret"
    ),
    *slash_optional(
        "contact-points/<uuid:contact_point_id>/rotate-secret",
        RotateSecretView.as_view(),
        name="contact-point-rotate-secret",
    ),
    *slash_optional("caller-ids", CallerIdsView.as_view(), name="caller-ids"),
    *slash_optional("inbox", InboxView.as_view(), name="inbox-items"),
    *slash_optional("inbox/unread", InboxUnreadView.as_view(), name="inbox-unread"),
    *slash_optional("inbox/read", InboxReadView.as_view(), name="inbox-read"),
    *slash_optional("inbox/stream", InboxStreamView.as_view(), name="inbox-stream"),
    *slash_optional("inbox/<uuid:item_id>", InboxItemView.as_view(), name="inbox-item"),
    *slash_optional("deliveries", DeliveriesView.as_view(), name="deliveries"),
    *slash_optional("deliveries/replay", ReplayManyView.as_view(), name="deliveries-replay"),
    *slash_optional("deliveries/<uuid:delivery_id>", DeliveryView.as_view(), name="delivery"),
    *slash_optional("deliveries/<uuid:delivery_id>/proof", ProofView.as_view(), name="delivery-proof"),
    *slash_optional("deliveries/<uuid:delivery_id>/replay", ReplayView.as_view(), name="delivery-replay"),
    *slash_optional("deliveries/<uuid:delivery_id>/cancel", CancelView.as_view(), name="delivery-cancel"),
    *slash_optional("events", EventsView.as_view(), name="events"),
    *slash_optional("events/<uuid:event_id>", EventView.as_view(), name="event"),
    *slash_optional("events/<uuid:event_id>/replay", EventReplayView.as_view(), name="event-replay"),
    *slash_optional("dead-letters", DeadLettersView.as_view(), name="dead-letters"),
    *slash_optional("dead-letters/replay", DeadLettersReplayView.as_view(), name="dead-letters-replay"),
    *slash_optional(
        "dead-letters/<uuid:run_id>/replay", DeadLetterReplayView.as_view(), name="dead-letter-replay"
    ),
    *slash_optional("dead-messages", DeadMessagesView.as_view(), name="dead-messages"),
    *slash_optional("dead-messages/replay", DeadMessagesReplayView.as_view(), name="dead-messages-replay"),
    *slash_optional("dead-messages/discard", DeadMessagesDiscardView.as_view(), name="dead-messages-discard"),
    *slash_optional("dead-messages/<uuid:message_id>", DeadMessageView.as_view(), name="dead-message"),
    *slash_optional(
        "dead-messages/<uuid:message_id>/replay", DeadMessageReplayView.as_view(), name="dead-message-replay"
    ),
    *slash_optional(
        "dead-messages/<uuid:message_id>/discard",
        DeadMessageDiscardView.as_view(),
        name="dead-message-discard",
    ),
    *slash_optional(
        "providers/twilio/status/<uuid:delivery_id>",
        TwilioStatusView.as_view(schema=None),
        name="twilio-status",
    ),
]

# The original's paths; the schema describes them once, above.
original_urlpatterns = [
    *slash_optional("webhooks/alerts", AlertsView.as_view(schema=None)),
    *slash_optional("webhook/notifications", AlertsView.as_view(schema=None)),
    *slash_optional("preferences", PreferencesView.as_view(schema=None)),
    *slash_optional("preferences/<uuid:user_id>", PreferenceView.as_view(schema=None)),
]
