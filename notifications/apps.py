"""The app's registration with Django."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from config import periodic  # noqa: PLC0415
        from notifications import (  # noqa: PLC0415  (most register on import)
            checks,  # noqa: F401
            families,
            jobs,
            readiness,
            receivers,  # noqa: F401
            signals,  # noqa: F401
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
        periodic.register("sweep", jobs.sweep, every_s=1)
        periodic.register("expire", jobs.expire, cron="* * * * *")
        periodic.register("history-months", jobs.history_months, cron="25 * * * *")
        periodic.register("history-analyze", jobs.history_analyze, cron="10 3 * * *")
        ending.before_drop.append(writing.keep)
        formats.register(envelopes.FORMAT)
        families.register(brokers_metrics.families)
        readiness.register()
