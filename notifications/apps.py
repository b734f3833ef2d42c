"""The app's registration with Django."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import (  # noqa: F401, PLC0415  (all register on import)
            checks,
            families,
            receivers,
            signals,
        )
        from notifications.archive import writing  # noqa: PLC0415
        from notifications.brokers import formats  # noqa: PLC0415
        from notifications.brokers import metrics as brokers_metrics  # noqa: PLC0415
        from notifications.departures import leaving  # noqa: F401, PLC0415
        from notifications.events import envelopes, registry  # noqa: PLC0415
        from notifications.events import signals as events_signals  # noqa: F401, PLC0415
        from notifications.history import ending  # noqa: PLC0415
        from notifications.inbox import signals as inbox_signals  # noqa: F401, PLC0415
        from notifications.services import account_messages  # noqa: F401, PLC0415

        registry.autodiscover()
        ending.before_drop.append(writing.keep)
        formats.register(envelopes.FORMAT)
        families.register(brokers_metrics.families)
