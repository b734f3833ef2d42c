"""The app's registration with Django."""

from django.apps import AppConfig


class DatingConfig(AppConfig):
    name = "dating"

    def ready(self) -> None:
        from dating import jobs, metrics  # noqa: PLC0415
        from notifications import exposition, looks  # noqa: PLC0415

        looks.register(jobs.tick)
        exposition.register(metrics.families)
