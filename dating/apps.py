"""The app's registration with Django."""

from django.apps import AppConfig


class DatingConfig(AppConfig):
    name = "dating"

    def ready(self) -> None:
        # Receivers register on import.
        from config import findings, periodic  # noqa: PLC0415
        from dating import (  # noqa: PLC0415
            brokers,
            checks,  # noqa: F401
            departures,
            jobs,
            metrics,
            receivers,  # noqa: F401
            selectors,
        )
        from dating.readiness import evenings  # noqa: PLC0415
        from dating.services.telling import URGENT  # noqa: PLC0415
        from notifications import families, looks, urgency  # noqa: PLC0415
        from notifications.brokers import formats  # noqa: PLC0415
        from notifications.departures import abouts  # noqa: PLC0415
        from notifications.web import concerns  # noqa: PLC0415

        formats.register(brokers.FORMAT)
        brokers.outgoing.register()
        looks.register(jobs.tick, asks=jobs.ANY_DUE)
        periodic.register("dating-recur", jobs.recur, cron="*/5 * * * *")
        families.register(metrics.families)
        findings.register("evenings", evenings)
        urgency.register(*URGENT)
        abouts.register(departures.sources_of)
        concerns.register("dating", concerns=selectors.takes_part)
