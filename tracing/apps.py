"""The app's registration with Django."""

from django.apps import AppConfig


class TracingConfig(AppConfig):
    name = "tracing"

    def ready(self) -> None:
        from notifications import exposition, looks  # noqa: PLC0415
        from tracing import jobs, metrics, signals  # noqa: F401, PLC0415  (signals register on import)

        looks.register(jobs.searches_due)
        exposition.register(metrics.families)
