"""The app's registration with Django."""

from django.apps import AppConfig


class DatingConfig(AppConfig):
    name = "dating"
