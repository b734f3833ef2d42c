"""The app's registration with Django."""

from django.apps import AppConfig


class EscalationConfig(AppConfig):
    name = "escalation"

    def ready(self) -> None:
        from escalation import metrics  # noqa: PLC0415
        from escalation.acknowledging import links  # noqa: PLC0415
        from escalation.services import ending, resuming  # noqa: PLC0415
        from escalation.voice import receivers  # noqa: PLC0415
        from notifications import exposition, looks  # noqa: PLC0415
        from notifications.messages import links as message_links  # noqa: PLC0415

        looks.register(ending.look)
        looks.register(resuming.look)
        looks.register(receivers.look)
        message_links.register(links.MARK, url_of=links.url_of, channels=links.CHANNELS)
        exposition.register(metrics.families)
