"""A timeline, built from what is stored of an escalation or an alert group. Pure.

The page, the API and the Markdown show what these functions return.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.utils.translation import gettext, gettext_lazy, ngettext, ngettext_lazy

from escalation.models import AlertGroup, AlertOccurrence, Entry, EscalationProcess, GroupedAlert
from escalation.policies.words import name_of
from escalation.timelines.words import clock_of, span_of, way_of
from notifications.channels import registry
from notifications.explanations import explain
from notifications.models import Delivery

Kind, State, Status, Act = Entry.Kind, EscalationProcess.State, Delivery.Status, AlertOccurrence.Act
#: Lines of one timeline; of longer ones the first so many are shown, and the rest is counted.
MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened.

    ``kind``: started, alert, message, left_out (a step that told nobody), acknowledged, resumed, snoozed,
    silenced, flapping, stormed, note, over (an alert of a group), stopped, resolved, or ended. ``details``
    are somebody's own words.
    """

    at: datetime
    after_s: float
    kind: str
    text: str
    details: str = ""
    by: str = ""
    via: str = ""
    channel: str = ""

    @property
    def after(self) -> str:
        return clock_of(self.after_s)


class Fact(NamedTuple):
    name: str
    value: str | datetime


@dataclass(frozen=True, slots=True)
class Timeline:
    """At least ``left_out`` lines are beyond ``MOST``."""

    title: str
    facts: Sequence[Fact]
    lines: Sequence[Line]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """A process with its messages, and what was done to it: those that somebody may see."""

    process: EscalationProcess
    deliveries: Sequence[Delivery]
    entries: Sequence[Entry]


@dataclass(slots=True)
class _Builder:
    started_at: datetime
    lines: list[Line] = field(default_factory=list)

    def add(self, at: datetime, kind: str, text: str, **more: str) -> None:
        self.lines.append(Line(at, (at - self.started_at).total_seconds(), kind, text, **more))

    def timeline(self, title: str, facts: Iterable[tuple[str, str | datetime | None]]) -> Timeline:
        lines = sorted(self.lines, key=lambda line: (line.at, _RANK.get(line.kind, 1)))
        known = [Fact(name, value) for name, value in facts if value]
        return Timeline(title, known, lines[:MOST], max(len(lines) - MOST, 0))


_RAN_DRY: Final[dict[str, Any]] = {
    State.FINISHED: gettext_lazy("nobody acknowledged it"),
    State.UNANSWERED: gettext_lazy("nobody acknowledged it"),
    State.ACKNOWLEDGED: gettext_lazy("nobody had acknowledged it"),
}
# Of what happened at one instant, what comes first, and last.
_RANK: Final = {"started": 0, "over": 2, "stopped": 2, "resolved": 3, "ended": 3}


def process_timeline(run: Run) -> Timeline:
    """Return the timeline of one run of a process."""
    process = run.process
    group = next((each.group for each in run.entries if each.kind == Kind.TOLD), None)
    built = _Builder(process.started_at)
    _add_run(built, run)
    acknowledged = _first(built.lines, "acknowledged")
    facts = [
        (gettext("Escalation"), process.process_id),
        (gettext("Run"), str(process.pk)),
        (gettext("Alert group"), group.title if group else None),
        (gettext("State"), process.get_state_display()),
        (gettext("Policy"), _policy_of(process)),
        (gettext("Started"), process.started_at),
        (gettext("Acknowledged after"), _after(built, acknowledged)),
        (gettext("Ended"), process.ended_at),
        (gettext("Goes on"), process.resume_at),
        (gettext("Messages"), _counted(run.deliveries)),
    ]
    return built.timeline(process.process_id, facts)


def group_timeline(
    group: AlertGroup,
    *,
    alerts: Sequence[GroupedAlert],
    said: Sequence[AlertOccurrence],
    entries: Sequence[Entry],
    runs: Sequence[Run],
) -> Timeline:
    """Return the timeline of an alert group, with all the runs by which it was told."""
    built = _Builder(group.opened_at)
    source = group.integration.name if group.integration else gettext("no integration")
    opened = gettext("Opened by %(source)s: %(title)s") % {"source": source, "title": group.title}
    built.add(group.opened_at, "started", opened, via="intake")
    _add_alerts(built, group, alerts)
    for occurrence in said:
        _add_said(built, occurrence)
    if group.storm:
        at = max(group.opened_at, group.storm.opened_at)
        built.add(
            at,
            "stormed",
            gettext("Told with others in one summary: %(title)s") % {"title": group.storm.title},
        )
    own = [each for each in entries if each.kind != Kind.TOLD]
    for each in own:
        _add_entry(built, each)
    # What was done to the group was done to its process too, by the same people at the same time.
    instants = {each.at for each in own if each.kind != Kind.NOTE} | {group.resolved_at}
    instants |= {occurrence.received_at for occurrence in said}
    for run in runs:
        apart = [each for each in run.entries if each.kind == Kind.NOTE or each.at not in instants]
        _add_run(built, Run(run.process, run.deliveries, apart), instants)
    if group.resolved_at:
        after = span_of(group.resolved_at - group.opened_at)
        built.add(
            group.resolved_at,
            "resolved",
            gettext("Resolved%(by)s, %(after)s after it was opened.")
            % {"by": _by(group.ended_by, group.ended_via), "after": after},
            by=group.ended_by,
            via=group.ended_via,
        )
    acknowledged = _first(built.lines, "acknowledged")
    facts = [
        (gettext("Alert group"), group.title),
        (gettext("Id"), str(group.pk)),
        (gettext("State"), group.get_state_display()),
        (gettext("Severity"), group.severity),
        (gettext("Integration"), group.integration.name if group.integration else None),
        (gettext("Policy"), group.policy.name if group.policy else None),
        (gettext("Opened"), group.opened_at),
        (gettext("Acknowledged after"), _after(built, acknowledged)),
        (gettext("Resolved"), group.resolved_at),
        (
            gettext("Resolved after"),
            span_of(group.resolved_at - group.opened_at) if group.resolved_at else None,
        ),
        (
            gettext("Reported"),
            ngettext("%(count)d time", "%(count)d times", group.occurrences) % {"count": group.occurrences},
        ),
        (gettext("Messages"), _counted([each for run in runs for each in run.deliveries])),
    ]
    return built.timeline(group.title, facts)


def _add_run(built: _Builder, run: Run, instants: Iterable[datetime | None] = ()) -> None:
    """Add a run; ``instants`` are those of acts that are told of in another way."""
    process = run.process
    policy = _policy_of(process)
    by = str(process.started_by.name) if process.started_by else ""
    how = gettext(" by the policy %(name)s") % {"name": policy} if policy else ""
    asked = gettext(", asked for by the API key %(name)s") % {"name": by} if by else ""
    if process.started_by_person:
        by = name_of(process.started_by_person)
        asked = gettext(", by hand (%(person)s)") % {"person": by}
    text = gettext("Escalation started%(how)s%(asked)s.") % {"how": how, "asked": asked}
    built.add(process.started_at, "started", text, details=process.details, by=by)
    for delivery in run.deliveries:
        if not _never_came(delivery):
            built.lines.append(_told(built, delivery))
    for each in run.entries:
        is_needless = each.kind == Kind.LEFT_OUT and process.ended_at and each.at > process.ended_at
        if each.kind != Kind.TOLD and not is_needless:
            _add_entry(built, each, since=process.started_at)
    for each in _unstored(process, run.entries):
        if each.at not in instants:
            _add_entry(built, each, since=process.started_at)
    if over_at := _ran_dry_at(process, run.entries):
        words = _RAN_DRY.get(process.state) or process.get_state_display().lower()
        built.add(over_at, "ended", gettext("Ended with nothing left to send: %(why)s.") % {"why": words})


def _add_entry(built: _Builder, entry: Entry, since: datetime | None = None) -> None:
    by, after = _by(entry.by, entry.via), span_of(entry.at - (since or built.started_at))
    at = f"{entry.until:%Y-%m-%d %H:%M:%S} UTC" if entry.until else ""
    until = gettext(" until %(at)s") % {"at": at} if at else ""
    said = {"by": by, "after": after, "until": until}
    text = {
        Kind.NOTE: gettext("Note%(by)s:") % {"by": _by(entry.by, "")},
        Kind.ACKNOWLEDGED: gettext("Acknowledged%(by)s, %(after)s after the start.") % said,
        Kind.RESUMED: gettext("The acknowledgement ran out: people are told again."),
        Kind.SNOOZED: gettext("Snoozed%(until)s%(by)s.") % said,
        Kind.SILENCED: gettext("Silenced%(until)s%(by)s:") % said,
        Kind.FLAPPING: gettext("Held back%(until)s: it opens and closes again and again.") % said,
        Kind.STOPPED: gettext("Stopped%(by)s, %(after)s after the start.") % said,
        Kind.LEFT_OUT: f"{entry.text}{f' ({name_of(entry.user)})' if entry.user else ''}",
    }[Kind(entry.kind)]
    details = entry.text if entry.kind in (Kind.NOTE, Kind.SILENCED) else ""
    built.add(entry.at, entry.kind, text, details=details, by=entry.by, via=entry.via)


def _add_alerts(built: _Builder, group: AlertGroup, alerts: Sequence[GroupedAlert]) -> None:
    """Add alerts that came later than the group, and those that were over before it."""
    for alert in alerts:
        if alert.first_at > group.opened_at or len(alerts) > 1:
            built.add(alert.first_at, "alert", gettext("Reported: %(title)s") % {"title": alert.title})
        if alert.ended_at and (alert.ended_at != group.resolved_at or len(alerts) > 1):
            built.add(alert.ended_at, "over", gettext("Over: %(title)s") % {"title": alert.title})


def _add_said(built: _Builder, said: AlertOccurrence) -> None:
    if said.act == Act.ACKNOWLEDGE:
        after = span_of(said.received_at - built.started_at)
        words = {"by": _by(said.by, "intake"), "after": after}
        text, kind = gettext("Acknowledged%(by)s, %(after)s after the start.") % words, "acknowledged"
    else:
        text, kind = gettext("Note from its source%(by)s:") % {"by": _by(said.by, "")}, "note"
    built.add(said.received_at, kind, text, details=said.details, by=said.by, via="intake")


def _told(built: _Builder, delivery: Delivery) -> Line:
    told: dict[str, Any] = delivery.notification.data
    step, round_ = told.get("step"), told.get("round")
    is_again = isinstance(round_, int) and round_ > 1
    named = gettext("Step %(step)s, round %(round)s") if is_again else gettext("Step %(step)s")
    which = f"{named % {'step': step, 'round': round_}}: " if step else ""
    shown = gettext("an erased address") if delivery.address_is_erased else registry.shown(
        delivery.channel, delivery.address
    )  # fmt: skip
    who = name_of(delivery.user) or shown
    to = gettext(" to %(person)s") % {"person": who} if who else ""
    at = _happened_at(delivery)
    text = f"{which}{delivery.channel}{to}. {explain(delivery)}"
    after_s = (at - built.started_at).total_seconds()
    return Line(at, after_s, "message", text, channel=delivery.channel)


def _happened_at(delivery: Delivery) -> datetime:
    """Return when it was sent or last tried; else when it is due."""
    if delivery.sent_at:
        return delivery.sent_at
    attempts = list(delivery.attempt_set.all()) if delivery.attempts else []
    if attempts and delivery.state not in (Status.PENDING, Status.SENDING):
        last = attempts[-1]
        return last.started_at + timedelta(milliseconds=last.duration_ms or 0)
    return delivery.due_at


def _never_came(delivery: Delivery) -> bool:
    """Whether a message was not needed any more before anything was done about it."""
    return delivery.state == Status.CANCELLED and not delivery.attempts


def _unstored(process: EscalationProcess, entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield what was done before entries were stored, as far as the process still says so."""
    kinds = {each.kind for each in entries}
    by, via = process.ended_by, process.ended_via
    if process.acknowledged_at and Kind.ACKNOWLEDGED not in kinds:
        who = {"by": by, "via": via} if process.state == State.ACKNOWLEDGED else {}
        yield Entry(process=process, kind=Kind.ACKNOWLEDGED, at=process.acknowledged_at, **who)
    if process.ended_at and process.state == State.STOPPED and Kind.STOPPED not in kinds:
        yield Entry(process=process, kind=Kind.STOPPED, at=process.ended_at, by=by, via=via)


def _ran_dry_at(process: EscalationProcess, entries: Sequence[Entry]) -> datetime | None:
    """Return when it ended with nothing left to send; somebody may have acknowledged it since."""
    if process.ended_at is None or process.state in (State.ACTIVE, State.STOPPED):
        return None
    if process.state != State.ACKNOWLEDGED:
        return process.ended_at
    acknowledged = {each.at for each in entries if each.kind == Kind.ACKNOWLEDGED}
    if process.ended_at in acknowledged or process.ended_at == process.acknowledged_at:
        return None
    return process.ended_at


def _by(by: str, via: str) -> str:
    way = way_of(via)
    return (gettext(" by %(person)s") % {"person": by} if by else "") + (f" {way}" if way else "")


def _policy_of(process: EscalationProcess) -> str:
    version = process.policy_version
    if version is None:
        return ""
    return gettext("%(name)s (version %(number)s)") % {"name": version.policy.name, "number": version.number}


def _first(lines: Iterable[Line], kind: str) -> Line | None:
    return min((line for line in lines if line.kind == kind), key=lambda line: line.at, default=None)


def _after(built: _Builder, line: Line | None) -> str | None:
    return span_of(line.at - built.started_at) if line else None


def _counted(deliveries: Sequence[Delivery]) -> str:
    """Say how many messages came to what."""
    words = {
        Status.SENT: ngettext_lazy("%(count)d sent", "%(count)d sent", "count"),
        Status.FAILED: ngettext_lazy("%(count)d failed", "%(count)d failed", "count"),
        Status.SUPPRESSED: ngettext_lazy("%(count)d not told", "%(count)d not told", "count"),
        Status.PENDING: ngettext_lazy("%(count)d still to come", "%(count)d still to come", "count"),
        Status.CANCELLED: ngettext_lazy(
            "%(count)d not needed any more", "%(count)d not needed any more", "count"
        ),
    }
    # What is being sent is still to come; whatever else there is has failed.
    ends = {end: end for end in words} | {Status.SENDING: Status.PENDING}
    counts = Counter(ends.get(Status(each.state), Status.FAILED) for each in deliveries)
    return ", ".join(said % {"count": counts[end]} for end, said in words.items() if counts[end])
