"""How escalations, and what they are started by, end."""

from datetime import timedelta
from typing import Final

from django.conf import settings

from config.ends import Ends
from config.slices import Old, Run, old_end
from escalation.models import (
    EscalationProcess,
    HangUp,
    Policy,
    PolicyVersion,
    Rotation,
    RotationMember,
    RotationOverride,
)

ENDS: Final = (
    Ends(EscalationProcess, "{days} after it ended", setting="ESCALATION_RETENTION_DAYS"),
    Ends(HangUp, "When the call has been hung up, or can't be"),
    Ends(
        Policy,
        "{days} after it was deleted, once no process is there that was started by it",
        setting="ESCALATION_RETENTION_DAYS",
    ),
    Ends(PolicyVersion, parent=Policy),
    Ends(Rotation, "{days} after it was deleted", setting="ESCALATION_RETENTION_DAYS"),
    Ends(RotationMember, parent=Rotation),
    Ends(
        RotationOverride,
        "With its rotation, or {days} after it was over",
        setting="ESCALATION_RETENTION_DAYS",
    ),
)

# Its steps are deliveries, and end with the history.
_PROCESSES: Final = Old(
    table="escalation_escalationprocess",
    age="started_at",
    by=("started_at", "id"),
    unless="""it.state = 'active' OR it.ended_at >= %(before)s
        OR it.resume_at IS NOT NULL OR it.silent_at IS NULL""",
)
_POLICIES: Final = Old(
    table="escalation_policy",
    age="created_at",
    unless="""it.deleted_at IS NULL OR it.deleted_at >= %(before)s
        OR EXISTS (SELECT FROM escalation_policyversion AS version
                     JOIN escalation_escalationprocess AS process ON process.policy_version_id = version.id
                    WHERE version.policy_id = it.id)""",
    along=(("escalation_policyversion", "policy_id", "true"),),
)
_ROTATIONS: Final = Old(
    table="escalation_rotation",
    age="created_at",
    unless="it.deleted_at IS NULL OR it.deleted_at >= %(before)s",
    along=(
        ("escalation_rotationmember", "rotation_id", "true"),
        ("escalation_rotationoverride", "rotation_id", "true"),
    ),
)
_OVERRIDES: Final = Old(
    table="escalation_rotationoverride", age="created_at", unless="it.ends_at >= %(before)s"
)

# A process that may resume tells again, then, where it was to tell before.
NEEDS_ADDRESS: Final = """delivery.status = 'cancelled' AND EXISTS (
        SELECT FROM notifications_notification AS told
          JOIN escalation_escalationprocess AS process
            ON process.id = CASE told.source_type WHEN 'escalation' THEN told.source_id::uuid END
         WHERE told.id = delivery.notification_id AND process.resume_at IS NOT NULL)"""


def processes_expire(run: Run) -> int:
    """Delete processes that ended long ago, and will not resume."""
    return _end(_PROCESSES, run)


def policies_expire(run: Run) -> int:
    """Delete policies that were deleted long ago, with all versions, once no process names one."""
    return _end(_POLICIES, run)


def rotations_expire(run: Run) -> int:
    """Delete rotations that were deleted long ago."""
    return _end(_ROTATIONS, run)


def overrides_expire(run: Run) -> int:
    """Forget who stood in for whom long ago."""
    return _end(_OVERRIDES, run)


STEPS: Final = (processes_expire, policies_expire, rotations_expire, overrides_expire)


def _end(old: Old, run: Run) -> int:
    before = run.now - timedelta(days=settings.ESCALATION_RETENTION_DAYS)
    return old_end(old, before=before, run=run)
