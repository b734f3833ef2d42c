"""The app's registration with Django."""

from django.apps import AppConfig


class DatingConfig(AppConfig):
    name = "dating"

    def ready(self) -> None:
        from dating import brokers, jobs, metrics, receivers  # noqa: F401, PLC0415  (receivers register on import)
        from notifications import exposition, looks  # noqa: PLC0415
        from notifications.brokers import formats  # noqa: PLC0415

        formats.register(brokers.FORMAT)
        brokers.outgoing.register()
        looks.register(jobs.tick, asks=jobs.ANY_DUE)
        exposition.register(metrics.families)
