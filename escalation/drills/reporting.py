"""What came of a drill: who answered how soon and by which way, and who did not."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from math import inf
from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext

from accounts.models import User
from escalation.models import Drill, EscalationProcess
from escalation.policies.words import name_of
from escalation.selectors import deliveries_of
from escalation.timelines.markdown import MEDIA_TYPE, escaped
from escalation.timelines.words import span_of, way_of
from notifications.models import Delivery


@dataclass(frozen=True, slots=True)
class Rung:
    """One person in a drill; ``answered_after_s`` is None where they didn't answer, or haven't yet.

    ``by`` is who acknowledged it: the staff can too. ``sent_by`` are the channels by which something was
    sent, and ``not_sent_by`` those by which something was to be; neither counts the inbox.
    """

    user_id: UUID
    name: str
    process_id: UUID
    is_rung: bool
    answered_after_s: float | None
    via: str
    by: str
    sent_by: Sequence[str]
    not_sent_by: Sequence[str]

    @property
    def words(self) -> str:
        """What is said of it in one line."""
        if self.answered_after_s is not None:
            after = span_of(timedelta(seconds=round(self.answered_after_s)))
            said = gettext("answered after %(span)s, %(way)s") % {"span": after, "way": way_of(self.via)}
            return said.rstrip(", ")
        if self.is_rung:
            return gettext("no answer yet")
        if self.sent_by:
            return gettext("no answer; sent by %(channels)s") % {"channels": ", ".join(self.sent_by)}
        if self.not_sent_by:
            return gettext("nothing reached them; not by %(channels)s") % {
                "channels": ", ".join(self.not_sent_by)
            }
        return gettext("nothing reached them")


@dataclass(frozen=True, slots=True)
class Report:
    """Of a drill, over or not; those who didn't answer come first, then whoever took longest."""

    drill: Drill
    people: Sequence[Rung]

    @property
    def answered(self) -> int:
        return sum(each.answered_after_s is not None for each in self.people)


def report_of(drill: Drill) -> Report:
    """Return what is known of a drill by now: two queries."""
    answers = list(drill.answers.select_related("user", "process"))
    sent = _sent([each.process_id for each in answers])
    people = [_rung(drill, each.user, each.process, sent[str(each.process_id)]) for each in answers]
    # Whoever hasn't answered took longest of all.
    people.sort(
        key=lambda each: (-inf if each.answered_after_s is None else -each.answered_after_s, each.name)
    )
    return Report(drill, people)


def _sent(processes: Iterable[UUID]) -> dict[str, dict[str, bool]]:
    """Return by which channels something was to be sent for each process, and whether it was."""
    rows = deliveries_of(*processes).exclude(channel__in=("", "inbox")).order_by()
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for process, channel, status in rows.values_list("notification__source_id", "channel", "status"):
        found[process][channel] = found[process].get(channel, False) or status == Delivery.Status.SENT
    return found


def _rung(drill: Drill, user: User, process: EscalationProcess, sent: dict[str, bool]) -> Rung:
    at = process.acknowledged_at
    return Rung(
        user_id=user.pk,
        name=name_of(user),
        process_id=process.pk,
        is_rung=process.is_active,
        answered_after_s=(at - drill.started_at).total_seconds() if at else None,
        via=process.ended_via if at else "",
        by=process.ended_by if at else "",
        sent_by=sorted(channel for channel, was_sent in sent.items() if was_sent),
        not_sent_by=sorted(channel for channel, was_sent in sent.items() if not was_sent),
    )


def markdown_of(report: Report, zone: tzinfo) -> str:
    """Return a report as Markdown, ready to paste; what people have written stays text in it."""
    drill = report.drill
    zones: list[tzinfo] = [UTC] if str(zone) == "UTC" else [UTC, zone]
    times = ", ".join(f"{_time(drill.started_at, each)} ({each})" for each in zones)
    rows = [
        f"| {escaped(each.name)} | {escaped(each.words)} | {escaped(each.by)} |" for each in report.people
    ]
    parts = [
        f"# Drill: {escaped(drill.schedule.name)}",
        "",
        f"Started on {times}. {report.answered} of {len(report.people)} answered."
        + ("" if drill.reported_at else " It is still under way."),
        "",
        "| Who | What came of it | By |",
        "|---|---|---|",
        *rows,
    ]
    return "\n".join(parts) + "\n"


def markdown_response(report: Report, zone: tzinfo) -> HttpResponse:
    """Answer with a file of this Markdown."""
    response = HttpResponse(markdown_of(report, zone), content_type=f"{MEDIA_TYPE}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="drill-{report.drill.pk}.md"'
    return response


def _time(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
