"""Grafana's contact point of the kind webhook: Alertmanager's body with a little more, and a signature.

The labels are as Alertmanager's, and ``orgId``. The details name an alert's picture, its values, and its
links to a panel and for silencing it.

Format: https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from config.digits import whole
from escalation.intake import answer
from escalation.intake.formats import alertmanager
from escalation.intake.occurrence import Malformed, Occurrence, list_of, mapping_of, plain

#: The header that Grafana puts a signature into unless its contact point names another.
SIGNATURE_HEADER: Final = "X-Grafana-Alerting-Signature"
#: The name that its documentation suggests for the header with the time; by default there is none.
TIMESTAMP_HEADER: Final = "X-Grafana-Alerting-Timestamp"
#: So far the time of a signature may be from ours, in seconds.
SIGNATURE_MAX_AGE_S: Final = 300
_UNIX_END: Final = 10**12

_LINKS: Final = {
    "imageURL": "Picture",
    "panelURL": "Panel",
    "dashboardURL": "Dashboard",
    "silenceURL": "Silence it",
}

accepted = answer.kept
malformed = answer.malformed
refused = answer.refused
unavailable = answer.unavailable
#: Grafana repeats nothing at once, whatever the status, but the whole group with its next round.
too_many = answer.too_many


def occurrences(body: object) -> list[Occurrence]:
    """Return what a body reports, an occurrence for each of its alerts.

    Raises:
        Malformed: it is not Grafana's, or one of its alerts has neither a fingerprint nor labels.
    """
    if not isinstance(body, Mapping):
        raise Malformed("Expected a JSON object with alerts.")
    # Grafana sends ``state`` too: it stands for the status of alerts that have none.
    status = "resolved" if body.get("state") == "ok" else "firing"
    group = body if isinstance(body.get("status"), str) else {**body, "status": status}
    return [_occurrence(group, alert) for alert in list_of(body.get("alerts"), "alerts")]


def is_signed(body: bytes, *, secret: str, signature: str, timestamp: str | None, now: datetime) -> bool:
    """Return whether a signature is that of a body: HMAC with SHA-256, in hexadecimal.

    Where the contact point names a header for the time, its value and a colon are signed before the body, and
    the time, in Unix seconds, must be within five minutes of ``now``. None: it names no such header.
    """
    signed = body
    if timestamp is not None:
        at = whole(timestamp, most=_UNIX_END)
        if at is None or abs(now.timestamp() - at) > SIGNATURE_MAX_AGE_S:
            return False
        signed = timestamp.encode() + b":" + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.strip().lower().encode("utf-8", "replace"))


def _occurrence(body: Mapping[str, Any], alert: object) -> Occurrence:
    given = mapping_of(alert)
    values = [f"{name}={plain(value)}" for name, value in mapping_of(given.get("values")).items()]
    more = [f"Values: {', '.join(values)}"] if values else []
    more += [f"{name}: {plain(given[link])}" for link, name in _LINKS.items() if given.get(link)]
    org = given.get("orgId") or body.get("orgId")
    return alertmanager.occurrence(body, alert, more=more, labels={} if org is None else {"orgId": org})
