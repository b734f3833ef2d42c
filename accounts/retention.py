"""How what accounts keep of people ends."""

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts import models
from config.ends import Ends
from config.slices import Old, Run, old_end

#: How long a code or link that can't be used any more stays, for whoever looks into what was sent.
KEPT_FOR: Final = timedelta(days=7)
#: So long after it expired, some machine may still take a token: each has 30 s more, and clocks differ.
STILL_GOOD: Final = timedelta(hours=1)

ENDS: Final = (
    Ends(models.User, "When the person is deleted"),
    Ends(models.User.groups.through, parent=models.User),
    Ends(models.User.user_permissions.through, parent=models.User),
    Ends(models.Student, parent=models.User),
    Ends(models.Encadrant, parent=models.User),
    Ends(models.Verification, "7 days after its code or link expired"),
    Ends(models.Invitation, "7 days after its link expired"),
    Ends(Session, "When it expires, two weeks after the last log-in"),
    Ends(OutstandingToken, "An hour after it expired, two weeks after it was issued"),
    Ends(BlacklistedToken, parent=OutstandingToken),
    Ends(models.EndedLogIn, "An hour after the last of its tokens expired, two weeks after it was ended"),
    Ends(models.Shop, "When the shop is deleted, which takes that it has no alerts"),
    Ends(models.Membership, parent=models.Shop),
    Ends(models.ApiKey, "When the key is deleted"),
    Ends(Group, "When the group is deleted"),
    Ends(Group.permissions.through, parent=Group),
    Ends(LogEntry, "{days} after what was done", setting="ACTION_RETENTION_DAYS"),
)

_SESSIONS: Final = Old(table="django_session", age="expire_date", by=("expire_date", "session_key"))
# Their ids grow with the times at which they expire: all have the same lifetime, or nearly so.
_TOKENS: Final = Old(
    table="token_blacklist_outstandingtoken",
    age="expires_at",
    along=(("token_blacklist_blacklistedtoken", "token_id", "true"),),
)
_LOG_INS: Final = Old(table="accounts_endedlogin", age="expires_at", by=("expires_at", "id"))
_VERIFICATIONS: Final = Old(table="accounts_verification", age="expires_at")
_INVITATIONS: Final = Old(table="accounts_invitation", age="expires_at")
_LOG: Final = Old(table="django_admin_log", age="action_time")


def sessions_expire(run: Run) -> int:
    return old_end(_SESSIONS, before=run.now, run=run)


def tokens_expire(run: Run) -> int:
    """Delete refresh tokens that have expired, dead or not."""
    return old_end(_TOKENS, before=run.now - STILL_GOOD, run=run)


def ended_log_ins_expire(run: Run) -> int:
    """Forget log-ins of which no token is left."""
    return old_end(_LOG_INS, before=run.now - STILL_GOOD, run=run)


def verifications_expire(run: Run) -> int:
    """Delete codes and links of long ago, with the addresses that they were sent to."""
    return old_end(_VERIFICATIONS, before=run.now - KEPT_FOR, run=run)


def invitations_expire(run: Run) -> int:
    """Delete invitations of long ago, used or not, with the addresses that they were sent to."""
    return old_end(_INVITATIONS, before=run.now - KEPT_FOR, run=run)


def admin_log_expire(run: Run) -> int:
    """Delete what the admin's log says of long ago."""
    return old_end(_LOG, before=run.now - timedelta(days=settings.ACTION_RETENTION_DAYS), run=run)


STEPS: Final = (
    sessions_expire,
    tokens_expire,
    ended_log_ins_expire,
    verifications_expire,
    invitations_expire,
    admin_log_expire,
)
