"""The app's registration with Django."""

from django.apps import AppConfig


class EscalationConfig(AppConfig):
    name = "escalation"

    def ready(self) -> None:
        from config import periodic  # noqa: PLC0415
        from escalation import (  # noqa: PLC0415
            acknowledge_links,
            brokers,
            checks,  # noqa: F401  (registers on import)
            jobs,
            metrics,
            models,
            retention,
            selectors,
        )
        from escalation.calendars import jobs as calendars_jobs  # noqa: PLC0415
        from escalation.drills import ending as drills  # noqa: PLC0415
        from escalation.figures import monthly  # noqa: PLC0415
        from escalation.groups import audit, ringing  # noqa: PLC0415
        from escalation.groups import selectors as groups  # noqa: PLC0415
        from escalation.heartbeats import missing  # noqa: PLC0415
        from escalation.holes import telling as holes  # noqa: PLC0415
        from escalation.policies import plan  # noqa: PLC0415
        from escalation.services import covers, ending, last_resorts, messages, resuming, rounds  # noqa: PLC0415
        from escalation.timelines import selectors as timelines  # noqa: PLC0415
        from escalation.voice import receivers  # noqa: PLC0415
        from notifications import audited, families, looks, rules, urgency  # noqa: PLC0415
        from notifications.brokers import formats  # noqa: PLC0415
        from notifications.channels import registry  # noqa: PLC0415
        from notifications.channels.phone import channel as phone  # noqa: PLC0415
        from notifications.departures import abouts  # noqa: PLC0415
        from notifications.engine import erasing  # noqa: PLC0415
        from notifications.messages import links  # noqa: PLC0415
        from notifications.web import concerns  # noqa: PLC0415

        # Once is enough; on the other days it finds that it was done, or makes up for it.
        periodic.register("escalation-figures", jobs.figures_tell, cron="0 7 1-7 * *")
        periodic.register("escalation-handoffs", jobs.handoffs, cron="* * * * *")
        periodic.register("escalation-calendars", calendars_jobs.calendars_due, every_s=60)
        periodic.register("escalation-drills", jobs.drills, cron="*/10 * * * *")
        periodic.register("escalation-holes", jobs.holes, cron="*/10 * * * *")
        formats.register(brokers.FORMAT)
        looks.register(rounds.look, asks=rounds.ANY_DUE)
        looks.register(ending.look, asks=ending.ANY_DUE)
        looks.register(drills.look, asks=drills.ANY_DUE)
        looks.register(last_resorts.look, asks=last_resorts.ANY_DUE)
        looks.register(resuming.look, asks=resuming.ANY_DUE)
        looks.register(receivers.look, asks=receivers.ANY_DUE)
        looks.register(ringing.look, asks=ringing.ANY_DUE)
        looks.register(missing.look, asks=missing.ANY_DUE)
        links.register(
            acknowledge_links.MARK, url_of=acknowledge_links.url_of, channels=registry.PRIVATE_TO_ONE
        )
        phone.say_here(plan.KIND)
        families.register(metrics.families)
        audited.register(audit.PART)
        rules.register_critical(plan.KIND, messages.DRILL)
        # Whoever is ill tonight can't wait for the end of quiet hours.
        urgency.register(covers.ASKED)
        erasing.keep(retention.NEEDS_ADDRESS)
        abouts.facts.add(models.EscalationProcess.SOURCE)
        abouts.register(selectors.sources_of)
        abouts.register_rows(selectors.processes_telling, "ended_by")
        abouts.facts.add(groups.SOURCE)
        abouts.facts.add(monthly.SOURCE)
        abouts.facts.update((drills.SOURCE, holes.SOURCE))
        abouts.register(drills.sources_of)
        abouts.register(holes.sources_of)
        abouts.register_rows(groups.groups_telling, "ended_by")
        abouts.register_rows(timelines.entries_telling, "text", "by")
        concerns.register("escalation", concerns=selectors.has_to_do_with)
