"""The app's registration with Django."""

from django.apps import AppConfig


class DatingConfig(AppConfig):
    name = "dating"

    def ready(self) -> None:
        # Receivers register on import.
        from dating import brokers, checks, departures, jobs, metrics, receivers  # noqa: F401, PLC0415
        from notifications import exposition, looks  # noqa: PLC0415
        from notifications.brokers import formats  # noqa: PLC0415
        from notifications.departures import abouts  # noqa: PLC0415

        formats.register(brokers.FORMAT)
        brokers.outgoing.register()
        looks.register(jobs.tick, asks=jobs.ANY_DUE)
        exposition.register(metrics.families)
        abouts.register(departures.sources_of)
