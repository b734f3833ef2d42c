"""The app's registration with Django."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import checks, receivers  # noqa: F401, PLC0415  (both register on import)
