"""The app's registration with Django."""

from django.apps import AppConfig
from django.conf import settings


class TracingConfig(AppConfig):
    name = "tracing"

    def ready(self) -> None:
        from config import periodic  # noqa: PLC0415
        from notifications import families, looks  # noqa: PLC0415
        from notifications.brokers import formats  # noqa: PLC0415

        # Checks and signals register on import.
        from tracing import brokers, checks, jobs, metrics, signals  # noqa: F401, PLC0415

        formats.register(brokers.FORMAT)
        looks.register(jobs.searches_due, asks=jobs.ANY_PENDING)
        periodic.register("tracing-check", jobs.check, cron=settings.TRACING_CHECK_CRON)
        periodic.register("tracing-partitions", jobs.partitions_keep, cron="5 * * * *")
        periodic.register("tracing-pack", jobs.partitions_pack, cron="45 2 * * *")
        families.register(metrics.families)
