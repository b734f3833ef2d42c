"""The app's registration with Django."""

from django.apps import AppConfig


class TracingConfig(AppConfig):
    name = "tracing"

    def ready(self) -> None:
        from notifications import families, looks  # noqa: PLC0415
        from notifications.brokers import formats  # noqa: PLC0415

        # Checks and signals register on import.
        from tracing import brokers, checks, jobs, metrics, signals  # noqa: F401, PLC0415

        formats.register(brokers.FORMAT)
        looks.register(jobs.searches_due, asks=jobs.ANY_PENDING)
        families.register(metrics.families)
