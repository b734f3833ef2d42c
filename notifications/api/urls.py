"""The routes of notifications: below /api/v1/, and the originals' own paths."""

from config.api import slash_optional
from notifications.api.views.alerts import AlertsView, AlertView
from notifications.api.views.contact_points import (
    ContactPointsView,
    ContactPointView,
    RotateSecretView,
    SecretView,
    TestSendView,
)
from notifications.api.views.deliveries import (
    CancelView,
    DeliveriesView,
    DeliveryView,
    ReplayManyView,
    ReplayView,
)
from notifications.api.views.preferences import PreferencesView, PreferenceView

urlpatterns = [
    *slash_optional("alerts", AlertsView.as_view(), name="alerts"),
    *slash_optional("alerts/<uuid:alert_uuid>", AlertView.as_view(), name="alert"),
    *slash_optional("preferences", PreferencesView.as_view(), name="preferences"),
    *slash_optional("preferences/<uuid:user_id>", PreferenceView.as_view(), name="preference"),
    *slash_optional("contact-points", ContactPointsView.as_view(), name="contact-points"),
    *slash_optional(
        "contact-points/<uuid:contact_point_id>", ContactPointView.as_view(), name="contact-point"
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
    *slash_optional("deliveries", DeliveriesView.as_view(), name="deliveries"),
    *slash_optional("deliveries/replay", ReplayManyView.as_view(), name="deliveries-replay"),
    *slash_optional("deliveries/<uuid:delivery_id>", DeliveryView.as_view(), name="delivery"),
    *slash_optional("deliveries/<uuid:delivery_id>/replay", ReplayView.as_view(), name="delivery-replay"),
    *slash_optional("deliveries/<uuid:delivery_id>/cancel", CancelView.as_view(), name="delivery-cancel"),
]

# The original's paths; the schema describes them once, above.
original_urlpatterns = [
    *slash_optional("webhooks/alerts", AlertsView.as_view(schema=None)),
    *slash_optional("webhook/notifications", AlertsView.as_view(schema=None)),
    *slash_optional("preferences", PreferencesView.as_view(schema=None)),
    *slash_optional("preferences/<uuid:user_id>", PreferenceView.as_view(schema=None)),
]
