"""The app's registration with Django."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import checks, signals  # noqa: F401, PLC0415  (both register on import)
