"""How escalations, and what they are started by, end."""

from datetime import timedelta
from typing import Final

from django.conf import settings

from config.ends import Ends
from config.slices import Old, Run, old_end
from escalation.models import (
    AlertGroup,
    AlertOccurrence,
    CalendarSpell,
    CoverRequest,
    Drill,
    DrillAnswer,
    Entry,
    EscalationProcess,
    GroupedAlert,
    HangUp,
    Heartbeat,
    HeartbeatPing,
    HeartbeatWatch,
    Hole,
    IntakeRequest,
    Integration,
    Layer,
    LayerCalendar,
    LayerMember,
    PingKey,
    Policy,
    PolicyVersion,
    RoundRobin,
    Route,
    Schedule,
    ScheduleOverride,
    Silence,
)
from escalation.models.heartbeat import PINGS_KEPT

ENDS: Final = (
    Ends(EscalationProcess, "{days} after it ended", setting="ESCALATION_RETENTION_DAYS"),
    Ends(Entry, "With its process or alert group"),
    Ends(HangUp, "When the call has been hung up, or can't be"),
    Ends(
        Policy,
        "{days} after it was deleted, once no process is there that was started by it,"
        " and no heartbeat has it",
        setting="ESCALATION_RETENTION_DAYS",
    ),
    Ends(PolicyVersion, parent=Policy),
    Ends(Schedule, "{days} after it was deleted", setting="ESCALATION_RETENTION_DAYS"),
    Ends(RoundRobin, parent=Schedule),
    Ends(Layer, parent=Schedule),
    Ends(LayerMember, parent=Layer),
    Ends(LayerCalendar, parent=Layer),
    Ends(CalendarSpell, parent=LayerCalendar),
    Ends(
        ScheduleOverride,
        "With its schedule, or {days} after it was over",
        setting="ESCALATION_RETENTION_DAYS",
    ),
    Ends(
        CoverRequest,
        "With its schedule, or {days} after what it asks for was over",
        setting="ESCALATION_RETENTION_DAYS",
    ),
    Ends(Drill, "With its schedule, or {days} after it was reported", setting="ESCALATION_RETENTION_DAYS"),
    Ends(DrillAnswer, parent=Drill),
    Ends(Hole, "When a look, ten minutes after the last, doesn't find it any more"),
    Ends(Integration, "When somebody deletes it, with all that it brought"),
    Ends(IntakeRequest, "{days} after it came", setting="INTAKE_RETENTION_DAYS"),
    Ends(Route, "When somebody deletes it"),
    Ends(Silence, "When somebody deletes it"),
    Ends(AlertGroup, "{days} after it was resolved", setting="ESCALATION_RETENTION_DAYS"),
    Ends(GroupedAlert, parent=AlertGroup),
    Ends(
        AlertOccurrence, "{days} after it came, once its group is gone", setting="ESCALATION_RETENTION_DAYS"
    ),
    Ends(Heartbeat, "When somebody deletes it"),
    Ends(HeartbeatPing, f"With its heartbeat, or when {PINGS_KEPT} later ones have come"),
    Ends(HeartbeatWatch, "Never: it is one row"),
    Ends(PingKey, "With its shop, or when somebody deletes it: the next one is new"),
)

# Its steps are deliveries, and end with the history.
_PROCESSES: Final = Old(
    table="escalation_escalationprocess",
    age="started_at",
    by=("started_at", "id"),
    unless="""it.state = 'active' OR it.ended_at >= %(before)s
        OR it.resume_at IS NOT NULL OR it.silent_at IS NULL
        OR EXISTS (SELECT FROM escalation_drillanswer AS answer WHERE answer.process_id = it.id)
        OR EXISTS (SELECT FROM escalation_alertgroup AS grouped WHERE grouped.process_id = it.id)""",
    along=(("escalation_entry", "process_id", "true"),),
)
_POLICIES: Final = Old(
    table="escalation_policy",
    age="created_at",
    unless="""it.deleted_at IS NULL OR it.deleted_at >= %(before)s
        OR EXISTS (SELECT FROM escalation_policyversion AS version
                     JOIN escalation_escalationprocess AS process ON process.policy_version_id = version.id
                    WHERE version.policy_id = it.id)
        OR EXISTS (SELECT FROM escalation_heartbeat AS beat WHERE beat.policy_id = it.id)
        OR EXISTS (SELECT FROM escalation_integration AS integration WHERE integration.policy_id = it.id)
        OR EXISTS (SELECT FROM escalation_route AS route WHERE route.policy_id = it.id)
        OR EXISTS (SELECT FROM escalation_alertgroup AS grouped WHERE grouped.policy_id = it.id)""",
    along=(("escalation_policyversion", "policy_id", "true"), ("escalation_hole", "policy_id", "true")),
)
_SCHEDULES: Final = Old(
    table="escalation_schedule",
    age="created_at",
    unless="it.deleted_at IS NULL OR it.deleted_at >= %(before)s",
    along=(
        (
            "escalation_layermember",
            "",
            "layer_id = ANY (ARRAY (SELECT id FROM escalation_layer WHERE schedule_id = ANY ({old})))",
        ),
        (
            "escalation_calendarspell",
            "",
            """calendar_id = ANY (ARRAY (
                SELECT calendar.id FROM escalation_layercalendar AS calendar
                  JOIN escalation_layer AS layer ON layer.id = calendar.layer_id
                 WHERE layer.schedule_id = ANY ({old})))""",
        ),
        (
            "escalation_layercalendar",
            "",
            "layer_id = ANY (ARRAY (SELECT id FROM escalation_layer WHERE schedule_id = ANY ({old})))",
        ),
        ("escalation_layer", "schedule_id", "true"),
        ("escalation_scheduleoverride", "schedule_id", "true"),
        ("escalation_coverrequest", "schedule_id", "true"),
        ("escalation_hole", "schedule_id", "true"),
        (
            "escalation_drillanswer",
            "",
            "drill_id = ANY (ARRAY (SELECT id FROM escalation_drill WHERE schedule_id = ANY ({old})))",
        ),
        ("escalation_drill", "schedule_id", "true"),
    ),
)
_DRILLS: Final = Old(
    table="escalation_drill",
    age="started_at",
    unless="it.reported_at IS NULL OR it.reported_at >= %(before)s",
    along=(("escalation_drillanswer", "drill_id", "true"),),
)
_OVERRIDES: Final = Old(
    table="escalation_scheduleoverride", age="created_at", unless="it.ends_at >= %(before)s"
)
_COVERS: Final = Old(table="escalation_coverrequest", age="created_at", unless="it.ends_at >= %(before)s")
_REQUESTS: Final = Old(table="escalation_intakerequest", age="received_at", by=("received_at", "id"))
_GROUPS: Final = Old(
    table="escalation_alertgroup",
    age="opened_at",
    unless="""it.resolved_at IS NULL OR it.resolved_at >= %(before)s
        OR EXISTS (SELECT FROM escalation_alertgroup AS stormed WHERE stormed.storm_id = it.id)""",
    along=(("escalation_groupedalert", "group_id", "true"), ("escalation_entry", "group_id", "true")),
)
_OCCURRENCES: Final = Old(
    table="escalation_alertoccurrence",
    age="received_at",
    by=("received_at", "id"),
    unless="EXISTS (SELECT FROM escalation_groupedalert AS alert WHERE alert.id = it.alert_id)",
)

# A process that may resume tells again, then, where it was to tell before.
NEEDS_ADDRESS: Final = """delivery.status = 'cancelled' AND EXISTS (
        SELECT FROM notifications_notification AS told
          JOIN escalation_escalationprocess AS process
            ON process.id = CASE told.source_type WHEN 'escalation' THEN told.source_id::uuid END
         WHERE told.id = delivery.notification_id AND process.resume_at IS NOT NULL)"""


def processes_expire(run: Run) -> int:
    """Delete processes that ended long ago, and will not resume, and before them the drills that they are."""
    return _end(_DRILLS, run) + _end(_PROCESSES, run)


def policies_expire(run: Run) -> int:
    """Delete policies that were deleted long ago, with all versions, once no process names one."""
    return _end(_POLICIES, run)


def schedules_expire(run: Run) -> int:
    """Delete schedules that were deleted long ago."""
    return _end(_SCHEDULES, run)


def overrides_expire(run: Run) -> int:
    """Forget who stood in for whom long ago, and who asked for it."""
    return _end(_OVERRIDES, run) + _end(_COVERS, run)


def groups_expire(run: Run) -> int:
    """Delete alert groups that were resolved long ago, with what was said of them."""
    return _end(_GROUPS, run) + _end(_OCCURRENCES, run)


def requests_expire(run: Run) -> int:
    """Forget what integrations were sent long ago."""
    return old_end(_REQUESTS, before=run.now - timedelta(days=settings.INTAKE_RETENTION_DAYS), run=run)


STEPS: Final = (
    groups_expire, requests_expire, processes_expire, policies_expire, schedules_expire, overrides_expire,
)  # fmt: skip


def _end(old: Old, run: Run) -> int:
    before = run.now - timedelta(days=settings.ESCALATION_RETENTION_DAYS)
    return old_end(old, before=before, run=run)
