"""The app's registration with Django."""

from django.apps import AppConfig


class TracingConfig(AppConfig):
    name = "tracing"
