"""JSON of any shape: JMESPath expressions say where its key, state, title and the rest are.

`READY` has mappings for Zabbix, Uptime Kuma, Sentry and Frigate. The expressions' language: https://jmespath.org
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from math import prod
from typing import Any, Final

import jmespath
from jmespath.parser import ParsedResult

from escalation.intake import answer
from escalation.intake.occurrence import (
    ACKNOWLEDGED,
    RESOLVED,
    Malformed,
    Occurrence,
    act_of,
    line_of,
    list_of,
    occurrence_of,
)

EXPRESSION_MAX_LENGTH: Final = 1_000
#: How many times an expression may repeat what it finds: ``[@, @]`` within itself grows fast.
_GROWTH_MAX: Final = 1_000
_STATE_MAX_LENGTH: Final = 100
#: What jmespath raises for data that an expression doesn't fit: its own errors are ValueErrors.
_ERRORS: Final = (ValueError, TypeError, AttributeError, ArithmeticError, LookupError, RecursionError)

accepted = answer.kept
malformed = answer.malformed
refused = answer.refused
too_many = answer.too_many
unavailable = answer.unavailable


@dataclass(frozen=True, slots=True)
class JsonMapping:
    """Where things are in a body, each as a JMESPath expression; "" for what it doesn't have.

    All but ``items`` are evaluated within each item, or within the body if ``items`` is "".
    """

    key: str
    items: str = ""
    state: str = ""
    title: str = ""
    details: str = ""
    severity: str = ""
    labels: str = ""
    link: str = ""
    at: str = ""
    by: str = ""
    #: States, in lower case, that resolve, acknowledge, or only add a note; each other one triggers.
    resolved: frozenset[str] = RESOLVED
    acknowledged: frozenset[str] = ACKNOWLEDGED
    noted: frozenset[str] = frozenset()


def problems_of(mapping: JsonMapping) -> dict[str, str]:
    """Return what is wrong with a mapping's expressions, by field; empty if it can be used."""
    problems = {}
    for name in _EXPRESSIONS:
        expression = getattr(mapping, name)
        try:
            if expression or name == "key":
                _compiled(expression)
        except Malformed as error:
            problems[name] = str(error)
    return problems


def occurrences(mapping: JsonMapping, body: object) -> list[Occurrence]:
    """Return what a body reports by a mapping.

    Raises:
        Malformed: an expression is invalid or doesn't fit the body, or an item has no key.
    """
    items = [body] if not mapping.items else _found(mapping, "items", body)
    return [_occurrence(mapping, item) for item in list_of(items, "What items finds")]


def _occurrence(mapping: JsonMapping, item: object) -> Occurrence:
    found = {name: _found(mapping, name, item) for name in _EXPRESSIONS if name not in ("items", "state")}
    state = line_of(_found(mapping, "state", item), _STATE_MAX_LENGTH).lower()
    act = act_of(state, mapping.resolved, mapping.acknowledged, mapping.noted)
    return occurrence_of(act=act, **found)


def _found(mapping: JsonMapping, name: str, value: object) -> Any:
    """Return what an expression finds in a value; None for an empty expression."""
    expression = getattr(mapping, name)
    if not expression:
        return None
    try:
        return _compiled(expression).search(value)
    except _ERRORS as error:
        raise Malformed(f"{name}: {line_of(str(error), 300)}") from None


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> ParsedResult:
    """Return an expression ready to search.

    Raises:
        Malformed: it is empty, too long, invalid, or could blow a body up.
    """
    if not 0 < len(expression) <= EXPRESSION_MAX_LENGTH:
        raise Malformed(f"Expected an expression of 1 to {EXPRESSION_MAX_LENGTH} characters.")
    try:
        compiled = jmespath.compile(expression)
        growth = _growth(compiled.parsed)
    except _ERRORS as error:
        raise Malformed(f"This is not a JMESPath expression: {line_of(str(error), 300)}") from None
    if growth > _GROWTH_MAX:
        raise Malformed("Expected an expression that builds fewer lists and objects.")
    return compiled


def _growth(node: Mapping[str, Any]) -> int:
    """Return how often an expression can repeat its input within its output."""
    children = [each for each in node.get("children", ()) if isinstance(each, Mapping)]
    own = len(children) if node["type"] in ("multi_select_list", "multi_select_dict") else 1
    return max(1, own) * prod(_growth(each) for each in children)


_EXPRESSIONS: Final = tuple(
    each.name for each in fields(JsonMapping) if each.name not in ("resolved", "acknowledged", "noted")
)

#: A media type of the kind webhook whose script posts its parameters as JSON. They are named for their
#: macros: ``event_id`` for {EVENT.ID}, and so on; ``zabbix_url`` for {$ZABBIX.URL}.
ZABBIX: Final = JsonMapping(
    key="event_id",
    # {EVENT.UPDATE.ACTION} lists what was done, such as "acknowledged, commented".
    state="event_value == '0' && 'resolved' || event_update_status == '1' && ("
    "contains(not_null(event_update_action, ''), 'unacknowledged') && 'updated' || "
    "contains(not_null(event_update_action, ''), 'acknowledged') && 'acknowledged' || "
    "'updated') || 'problem'",
    title="join(': ', [host_name, event_name][?@])",
    # Macros that don't apply to a message come as they are written.
    details="join('\n', [event_opdata, trigger_description, "
    "event_update_status == '1' && event_update_message || ''][?@])",
    severity="event_severity",
    labels="{host: host_name, severity: event_severity, trigger: trigger_id, tags: event_tags}",
    link="zabbix_url && trigger_id && join('', [zabbix_url, '/tr_events.php?triggerid=', trigger_id, "
    "'&eventid=', event_id])",
    at="event_timestamp",
    by="event_update_status == '1' && user_fullname || ''",
    noted=frozenset({"updated"}),
)

#: The notification type webhook with the body's preset "application/json". A certificate or a domain that
#: runs out comes without a monitor, and so does a test, which ends in "Testing".
UPTIME_KUMA: Final = JsonMapping(
    key="monitor.id || heartbeat.monitorID || ends_with(not_null(msg, ''), ' Testing') && 'test' || msg",
    state="heartbeat.status || ends_with(not_null(msg, ''), ' Testing') && 'test' || 'notice'",
    title="monitor.name && join('', [monitor.name, heartbeat.status == `0` && ' is down' || "
    "heartbeat.status == `1` && ' is up' || '']) || msg",
    details="join('\n', [heartbeat.msg, monitor.description][?@])",
    severity="!monitor && 'warning' || ''",
    labels="{monitor: monitor.name, group: monitor.parent && monitor.pathName, type: monitor.type, "
    "host: monitor.hostname, tags: join(',', not_null(monitor.tags, `[]`)[].name)}",
    link="monitor.url",
    at="heartbeat.time",
    resolved=frozenset({"1"}),
    acknowledged=frozenset(),
    # Pending, under maintenance, and a test.
    noted=frozenset({"2", "3", "test"}),
)

#: The webhook of an internal integration (issues, issue alerts, metric alerts), and the older one of a
#: project. Alert rules say what is told; of what happens to issues, only their end counts.
SENTRY: Final = JsonMapping(
    key="data.metric_alert.id && join('', ['metric-', to_string(data.metric_alert.id)]) || "
    "not_null(data.event.issue_id, data.error.issue_id, data.issue.id, data.issue_id, id)",
    state="action",
    title="not_null(data.description_title, data.event.title, data.issue.title, event.title, message)",
    details="not_null(data.description_text, data.event.culprit, data.issue.culprit, data.comment, culprit)",
    severity="data.metric_alert && action || not_null(data.event.level, data.issue.level, level)",
    labels="{rule: not_null(data.triggered_rule, data.metric_alert.alert_rule.name), "
    "project: not_null(data.issue.project.slug, project_slug, "
    "join(',', not_null(data.metric_alert.projects, `[]`))), "
    "project_id: not_null(data.event.project, data.issue.project.id), "
    "level: not_null(data.event.level, data.issue.level, level), "
    "environment: not_null(data.event.environment, data.metric_alert.alert_rule.environment), "
    "platform: not_null(data.event.platform, data.issue.platform)}",
    link="not_null(data.event.web_url, data.issue.web_url, data.issue.permalink, data.web_url, url)",
    at="not_null(data.event.datetime, data.issue.firstSeen, data.metric_alert.date_started)",
    by="actor.type == 'user' && actor.name || ''",
    resolved=frozenset({"resolved", "archived", "ignored"}),
    noted=frozenset({"assigned", "created", "unresolved", "updated", "deleted"}),
)

#: Messages of ``frigate/reviews`` or ``frigate/events``, forwarded from MQTT as they are.
FRIGATE: Final = JsonMapping(
    key="after.id",
    state="after.false_positive == `true` && 'false positive' || type",
    title="join(' on ', [after.label || join(', ', [after.data.objects, after.data.audio][]) || 'Movement', "
    "not_null(after.camera, 'a camera')])",
    # Who or what was recognised, and what a model says of the scene.
    details="join('\n', [join(', ', [after.data.sub_labels, after.sub_label[:1]][]), "
    "after.data.metadata.shortSummary][?@])",
    severity="after.severity == 'alert' && 'critical' || after.severity && 'standard' || ''",
    labels="{camera: after.camera, "
    "label: after.label || join(',', [after.data.objects, after.data.audio][]), "
    "zones: join(',', not_null(after.entered_zones, after.data.zones, `[]`)), severity: after.severity}",
    at="after.start_time",
    resolved=frozenset({"end"}),
    acknowledged=frozenset(),
    # A description by a model comes after the end.
    noted=frozenset({"false positive", "genai"}),
)

READY: Final[Mapping[str, JsonMapping]] = {
    "zabbix": ZABBIX,
    "uptime-kuma": UPTIME_KUMA,
    "sentry": SENTRY,
    "frigate": FRIGATE,
}
