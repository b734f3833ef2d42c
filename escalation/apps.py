"""The app's registration with Django."""

from django.apps import AppConfig


class EscalationConfig(AppConfig):
    name = "escalation"
