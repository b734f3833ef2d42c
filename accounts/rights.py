"""Who may do what: the one table that the API, the pages, the admin and the brokers ask.

``ROUTES`` says it for each endpoint and operation. What of it somebody sees there is the selectors' matter: a
person their own, staff and machines everybody's. Of the pages of the admin it only says for whom it is: what
is changed there takes Django's permissions too, and ``accounts.ranks`` says on whom.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from accounts.models import Scope, User
from accounts.ranks import Rank, rank_of


@dataclass(frozen=True, slots=True)
class Right:
    """Who may do one thing: people of a rank or with a permission, and keys with one of the scopes."""

    #: The least rank that is enough; None: none is.
    rank: Rank | None
    scopes: tuple[Scope, ...] = ()
    permissions: tuple[str, ...] = ()


#: Without logging in; a secret in the link or in the body may be asked for.
ANYONE: Final = Right(Rank.ANYONE)
#: Whoever signs the request as a provider does, and nobody else.
SIGNED: Final = Right(None)
#: Administrators, and superusers.
ADMIN: Final = Right(Rank.ADMIN)
SUPERUSER: Final = Right(Rank.SUPERUSER)


def person(*scopes: Scope) -> Right:
    """Everybody with an account."""
    return Right(Rank.PERSON, scopes)


def staff(*scopes: Scope) -> Right:
    return Right(Rank.STAFF, scopes)


def may(principal: Any, right: Right) -> bool:
    """Whether a person or a machine may do something."""
    if right.rank is Rank.ANYONE:
        return True
    if not principal.is_authenticated:
        return False
    if not isinstance(principal, User):
        return any(principal.has_scope(scope) for scope in right.scopes)
    if right.rank is not None and rank_of(principal) >= right.rank:
        return True
    return any(principal.has_perm(permission) for permission in right.permissions)


def may_use(principal: Any, route: str, method: str) -> bool:
    """Whether somebody may do this to a route that is listed; ``OPTIONS``: may do anything there."""
    rights = ROUTES.get(route.strip("/"), {})
    if method == "OPTIONS":
        return any(may(principal, right) for right in rights.values())
    right = rights.get("GET" if method == "HEAD" else method)
    return right is not None and may(principal, right)


def takes_keys(route: str, method: str) -> bool:
    """Whether there is a scope with which a machine may do this."""
    right = ROUTES.get(route.strip("/"), {}).get("GET" if method == "HEAD" else method)
    return right is not None and bool(right.scopes)


POST_ALERTS: Final = staff(Scope.ALERTS_WRITE)
#: People see those that they are told in.
SEE_ESCALATIONS: Final = person(Scope.ESCALATIONS_READ)
READ_ESCALATIONS: Final = staff(Scope.ESCALATIONS_READ)
WRITE_ESCALATIONS: Final = staff(Scope.ESCALATIONS_WRITE)
READ_CASES: Final = Right(Rank.STAFF, (Scope.TRACING_READ,), ("tracing.view_case",))
#: On the pages, where nobody comes with a key.
SEE_CASES: Final = Right(Rank.STAFF, permissions=READ_CASES.permissions)
SET_FILTERS: Final = Right(Rank.STAFF, (Scope.TRACING_FILTERS,), ("tracing.change_filter",))
#: On the pages.
CHANGE_FILTERS: Final = Right(Rank.STAFF, permissions=SET_FILTERS.permissions)
READ_FILTERS: Final = Right(
    Rank.STAFF, (Scope.TRACING_READ, Scope.TRACING_FILTERS), ("tracing.view_case", "tracing.change_filter")
)

#: Whoever says who they are, a machine with any key too.
EVERYBODY_KNOWN: Final = person(*Scope)

Rights = Mapping[str, Right]


def _get(right: Right) -> Rights:
    return {"GET": right}


def _post(right: Right) -> Rights:
    return {"POST": right}


def _by(right: Right, *methods: str) -> Rights:
    return dict.fromkeys(methods, right)


def _kept(read: Right, write: Right, *methods: str) -> Rights:
    """Rows that some may read, and others change by these methods."""
    return {"GET": read, **dict.fromkeys(methods, write)}


_FORM: Final = ("GET", "POST", "PUT")

#: All of the pages below these, by every method.
BELOW: Final[Mapping[str, Right]] = {"admin": staff(), "django-rq": SUPERUSER}

ROUTES: Final[Mapping[str, Rights]] = {
    # Alerts, and what became of them
    "api/v1/alerts": {"GET": person(Scope.ALERTS_READ), "POST": POST_ALERTS},
    "webhooks/alerts": {"GET": person(Scope.ALERTS_READ), "POST": POST_ALERTS},
    "webhook/notifications": {"GET": person(Scope.ALERTS_READ), "POST": POST_ALERTS},
    "api/v1/alerts/batch": _post(POST_ALERTS),
    "api/v1/alerts/<uuid:alert_uuid>": _get(person(Scope.ALERTS_READ)),
    "api/v1/shops": _get(person(Scope.ALERTS_READ)),
    "api/v1/shops/<uuid:shop_id>": {"GET": person(Scope.ALERTS_READ), "PATCH": staff()},
    "api/v1/deliveries": _get(person(Scope.DELIVERIES_READ)),
    "api/v1/deliveries/replay": _post(staff(Scope.DELIVERIES_WRITE)),
    "api/v1/deliveries/<uuid:delivery_id>": _get(person(Scope.DELIVERIES_READ)),
    "api/v1/deliveries/<uuid:delivery_id>/proof": _get(person(Scope.DELIVERIES_READ)),
    # People learn first whose it is, and then that only the staff replay and cancel.
    "api/v1/deliveries/<uuid:delivery_id>/replay": _post(person(Scope.DELIVERIES_WRITE)),
    "api/v1/deliveries/<uuid:delivery_id>/cancel": _post(person(Scope.DELIVERIES_WRITE)),
    "api/v1/providers/twilio/status/<uuid:delivery_id>": _post(SIGNED),
    "voice/<uuid:delivery_id>": _by(SIGNED, "GET", "POST"),
    "voice/<uuid:delivery_id>/key": _by(SIGNED, "GET", "POST"),
    # How people are told
    "api/v1/preferences": {"GET": person(Scope.PREFERENCES_WRITE), "PUT": person(Scope.PREFERENCES_WRITE)},
    "preferences": {"GET": person(Scope.PREFERENCES_WRITE), "PUT": person(Scope.PREFERENCES_WRITE)},
    "api/v1/preferences/<uuid:user_id>": _by(person(Scope.PREFERENCES_WRITE), "GET", "PATCH"),
    "preferences/<uuid:user_id>": _by(person(Scope.PREFERENCES_WRITE), "GET", "PATCH"),
    "api/v1/preferences/<uuid:user_id>/explain": _get(person(Scope.PREFERENCES_WRITE)),
    "api/v1/preferences/<uuid:user_id>/hours": _by(person(Scope.PREFERENCES_WRITE), "GET", "PUT"),
    "api/v1/preferences/<uuid:user_id>/steps": _by(person(Scope.PREFERENCES_WRITE), "GET", "PUT"),
    "api/v1/subscriptions": _by(person(Scope.PREFERENCES_WRITE), "GET", "PUT", "DELETE"),
    "api/v1/contact-points": {"GET": person(), "POST": person()},
    "api/v1/contact-points/<uuid:contact_point_id>": {"GET": person(), "PATCH": person(), "DELETE": person()},
    "api/v1/contact-points/<uuid:contact_point_id>/test": _post(person()),
    "api/v1/contact-points/<uuid:contact_point_id>/code": _post(person()),
    "api/v1/contact-points/<uuid:contact_point_id>/confirm": _post(person()),
    "api/v1/contact-points/<uuid:contact_point_id>/secret": _get(person()),
    "api/v1/contact-points/<uuid:contact_point_id>/rotate-secret": _post(person()),
    "api/v1/caller-ids": _kept(READ_ESCALATIONS, WRITE_ESCALATIONS, "POST", "PUT"),
    "unsubscribe/<str:token>": _by(ANYONE, "GET", "POST"),
    # The inbox
    "api/v1/inbox": _get(person()),
    "api/v1/inbox/unread": _get(person()),
    "api/v1/inbox/snoozed": _get(person()),
    "api/v1/inbox/stream": _get(person()),
    "api/v1/inbox/read": {"POST": person(), "DELETE": person()},
    "api/v1/inbox/<uuid:item_id>": {"GET": person(), "PATCH": person(), "DELETE": person()},
    "api/v1/inbox/<uuid:item_id>/snooze": _post(person()),
    "api/v1/inbox/<uuid:item_id>/wake": _post(person()),
    # Events, and dead letters of theirs and of brokers
    "api/v1/events": {"GET": staff(Scope.EVENTS_READ), "POST": staff(Scope.EVENTS_WRITE)},
    "api/v1/events/<uuid:event_id>": _get(staff(Scope.EVENTS_READ)),
    "api/v1/events/<uuid:event_id>/replay": _post(staff(Scope.EVENTS_WRITE)),
    "api/v1/dead-letters": _get(staff(Scope.EVENTS_READ)),
    "api/v1/dead-letters/replay": _post(staff(Scope.EVENTS_WRITE)),
    "api/v1/dead-letters/<uuid:run_id>/replay": _post(staff(Scope.EVENTS_WRITE)),
    "api/v1/dead-messages": _get(staff(Scope.MESSAGES_READ)),
    "api/v1/dead-messages/replay": _post(staff(Scope.MESSAGES_WRITE)),
    "api/v1/dead-messages/discard": _post(staff(Scope.MESSAGES_WRITE)),
    "api/v1/dead-messages/<uuid:message_id>": _get(staff(Scope.MESSAGES_READ)),
    "api/v1/dead-messages/<uuid:message_id>/replay": _post(staff(Scope.MESSAGES_WRITE)),
    "api/v1/dead-messages/<uuid:message_id>/discard": _post(staff(Scope.MESSAGES_WRITE)),
    # Escalations: policies and schedules are the staff's to change
    "api/v1/escalations/policies": {"GET": READ_ESCALATIONS, "POST": staff()},
    "api/v1/escalations/policies/<uuid:policy_id>": _kept(READ_ESCALATIONS, staff(), "PATCH", "DELETE"),
    "api/v1/escalations/policies/<uuid:policy_id>/versions": _get(READ_ESCALATIONS),
    "api/v1/escalations/policies/<uuid:policy_id>/simulate": _post(READ_ESCALATIONS),
    "api/v1/escalations/rotations": {"GET": SEE_ESCALATIONS, "POST": staff()},
    "api/v1/escalations/rotations/<uuid:rotation_id>": _kept(SEE_ESCALATIONS, staff(), "PATCH", "DELETE"),
    "api/v1/escalations/rotations/<uuid:rotation_id>/on-call": _get(SEE_ESCALATIONS),
    "api/v1/escalations/rotations/<uuid:rotation_id>/shifts": _get(SEE_ESCALATIONS),
    "api/v1/escalations/rotations/<uuid:rotation_id>/calendar": _get(SEE_ESCALATIONS),
    "api/v1/escalations/rotations/<uuid:rotation_id>/renew-link": _post(staff()),
    "api/v1/escalations/rotations/<uuid:rotation_id>/overrides": _kept(SEE_ESCALATIONS, staff(), "POST"),
    "api/v1/escalations/rotations/<uuid:rotation_id>/overrides/<uuid:override_id>": {"DELETE": staff()},
    "api/v1/escalations/figures": _get(READ_ESCALATIONS),
    "api/v1/escalations/schedules": {"GET": SEE_ESCALATIONS, "POST": staff()},
    "api/v1/escalations/schedules/<uuid:schedule_id>": _kept(SEE_ESCALATIONS, staff(), "PATCH", "DELETE"),
    "api/v1/escalations/schedules/fairness": _get(SEE_ESCALATIONS),
    "api/v1/escalations/schedules/<uuid:schedule_id>/fairness": _get(SEE_ESCALATIONS),
    "api/v1/escalations/schedules/<uuid:schedule_id>/drill": _post(staff()),
    "api/v1/escalations/schedules/<uuid:schedule_id>/drills": _get(SEE_ESCALATIONS),
    "api/v1/escalations/schedules/<uuid:schedule_id>/drills/<uuid:drill_id>": _get(SEE_ESCALATIONS),
    "api/v1/escalations/schedules/<uuid:schedule_id>/drills/<uuid:drill_id>/report.md": _get(SEE_ESCALATIONS),
    "api/v1/escalations/schedules/holes": _get(SEE_ESCALATIONS),
    "api/v1/escalations/schedules/<uuid:schedule_id>/holes": _get(SEE_ESCALATIONS),
    "api/v1/escalations/schedules/<uuid:schedule_id>/on-call": _get(SEE_ESCALATIONS),
    "api/v1/escalations/schedules/<uuid:schedule_id>/final": _get(SEE_ESCALATIONS),
    "api/v1/escalations/schedules/<uuid:schedule_id>/calendar": _get(SEE_ESCALATIONS),
    "api/v1/escalations/schedules/<uuid:schedule_id>/renew-link": _post(staff()),
    "api/v1/escalations/schedules/<uuid:schedule_id>/overrides": _kept(SEE_ESCALATIONS, staff(), "POST"),
    "api/v1/escalations/schedules/<uuid:schedule_id>/overrides/<uuid:override_id>": {"DELETE": staff()},
    # For those in it; whoever else may see a schedule is on call by it at no time, and asks nobody.
    "api/v1/escalations/schedules/<uuid:schedule_id>/covers": {"GET": SEE_ESCALATIONS, "POST": person()},
    "api/v1/escalations/schedules/<uuid:schedule_id>/covers/<uuid:cover_id>/accept": _post(person()),
    "api/v1/escalations/schedules/<uuid:schedule_id>/covers/<uuid:cover_id>/decline": _post(person()),
    "api/v1/escalations/schedules/<uuid:schedule_id>/covers/<uuid:cover_id>/withdraw": _post(person()),
    "api/v1/^escalations/(?:policies|rotations|schedules)": {},
    "api/v1/escalations": {"GET": SEE_ESCALATIONS, "POST": WRITE_ESCALATIONS},
    "escalations": {"GET": SEE_ESCALATIONS, "POST": WRITE_ESCALATIONS},
    "api/v1/escalations/<path:process_id>": _get(SEE_ESCALATIONS),
    # Whoever is told in it acknowledges it; that only the staff stop it, they learn last.
    "api/v1/escalations/<path:process_id>/acknowledge": _post(person(Scope.ESCALATIONS_WRITE)),
    "api/v1/escalations/<path:process_id>/stop": _post(person(Scope.ESCALATIONS_WRITE)),
    "api/v1/escalations/<path:process_id>/notes": _kept(
        SEE_ESCALATIONS, person(Scope.ESCALATIONS_WRITE), "POST"
    ),
    "api/v1/escalations/<path:process_id>/timeline": _get(SEE_ESCALATIONS),
    "api/v1/escalations/<path:process_id>/timeline.md": _get(SEE_ESCALATIONS),
    "api/v1/integrations": {"GET": READ_ESCALATIONS, "POST": WRITE_ESCALATIONS},
    "api/v1/integrations/<uuid:integration_id>": _kept(
        READ_ESCALATIONS, WRITE_ESCALATIONS, "PATCH", "DELETE"
    ),
    "api/v1/integrations/<uuid:integration_id>/key": _post(staff()),
    "api/v1/integrations/<uuid:integration_id>/requests": _get(READ_ESCALATIONS),
    "api/v1/integrations/<uuid:integration_id>/try": _post(READ_ESCALATIONS),
    "api/v1/routes": {"GET": READ_ESCALATIONS, "POST": WRITE_ESCALATIONS},
    "api/v1/routes/order": {"PUT": WRITE_ESCALATIONS},
    "api/v1/routes/<uuid:route_id>": _kept(READ_ESCALATIONS, WRITE_ESCALATIONS, "PATCH", "DELETE"),
    "api/v1/silences": {"GET": READ_ESCALATIONS, "POST": WRITE_ESCALATIONS},
    "api/v1/silences/<uuid:silence_id>": _kept(READ_ESCALATIONS, WRITE_ESCALATIONS, "DELETE"),
    # Whoever was told of a group takes it, puts it off and closes it.
    "api/v1/groups": _get(SEE_ESCALATIONS),
    "api/v1/groups/<uuid:group_id>": _get(SEE_ESCALATIONS),
    "api/v1/groups/<uuid:group_id>/acknowledge": _post(person(Scope.ESCALATIONS_WRITE)),
    "api/v1/groups/<uuid:group_id>/resolve": _post(person(Scope.ESCALATIONS_WRITE)),
    "api/v1/groups/<uuid:group_id>/snooze": _post(person(Scope.ESCALATIONS_WRITE)),
    "api/v1/groups/<uuid:group_id>/notes": _kept(SEE_ESCALATIONS, person(Scope.ESCALATIONS_WRITE), "POST"),
    "api/v1/groups/<uuid:group_id>/timeline": _get(SEE_ESCALATIONS),
    "api/v1/groups/<uuid:group_id>/timeline.md": _get(SEE_ESCALATIONS),
    "groups": _get(person()),
    "on-call": _get(person()),
    "on-call/<uuid:schedule_id>": _by(person(), *_FORM),
    "on-call/overrides/<uuid:override_id>/remove": _post(staff()),
    "on-call/fairness": _get(person()),
    "on-call/holes": _get(person()),
    "on-call/drills": _get(person()),
    "on-call/drills/<uuid:drill_id>": _get(person()),
    "on-call/drills/<uuid:drill_id>/report.md": _get(person()),
    "on-call/<uuid:schedule_id>/drill": _post(staff()),
    "on-call/<uuid:schedule_id>/ask": _post(person()),
    "on-call/covers/<uuid:cover_id>/accept": _post(person()),
    "on-call/covers/<uuid:cover_id>/decline": _post(person()),
    "on-call/covers/<uuid:cover_id>/withdraw": _post(person()),
    "groups/<uuid:group_id>": _get(person()),
    "groups/<uuid:group_id>/acknowledge": _post(person()),
    "groups/<uuid:group_id>/resolve": _post(person()),
    "groups/<uuid:group_id>/snooze": _post(person()),
    "silences": _get(staff()),
    "silences/new": _by(staff(), *_FORM),
    "silences/<uuid:silence_id>/end": _post(staff()),
    "escalations/start": _by(staff(), *_FORM),
    "escalations/policies": _get(staff()),
    "escalations/policies/new": _by(staff(), "GET", "POST"),
    "escalations/policies/<uuid:policy_id>": _by(staff(), "GET", "POST"),
    "escalations/policies/<uuid:policy_id>/test": _post(staff()),
    "groups/<uuid:group_id>/notes": _post(person()),
    "groups/<uuid:group_id>/timeline.md": _get(person()),
    "escalations/figures": _get(staff()),
    "escalations/<uuid:run_id>": _get(person()),
    "escalations/<uuid:run_id>/acknowledge": _post(person()),
    "escalations/<uuid:run_id>/stop": _by(person(), "GET", "POST"),
    "escalations/<uuid:run_id>/notes": _post(person()),
    "escalations/<uuid:run_id>/timeline.md": _get(person()),
    "acknowledge/<str:token>": _by(ANYONE, "GET", "POST"),
    "calendars/<str:token>.ics": _get(ANYONE),
    # What other systems report: each comes with an integration's key, in its address, a header or its body
    "integrations/alertmanager/<str:token>": _post(SIGNED),
    "integrations/grafana/<str:token>": _post(SIGNED),
    "integrations/cloudevents/<str:token>": _post(SIGNED),
    "integrations/generic/<str:token>": _post(SIGNED),
    "v2/enqueue": _post(ANYONE),
    "v2/change/enqueue": _post(ANYONE),
    "integrations/pagerduty/v2/enqueue": _post(ANYONE),
    "integrations/pagerduty/v2/change/enqueue": _post(ANYONE),
    "integrations/pagerduty/<str:token>/v2/enqueue": _post(ANYONE),
    "integrations/pagerduty/<str:token>/v2/change/enqueue": _post(ANYONE),
    "v2/alerts": _post(SIGNED),
    "v2/alerts/requests/<uuid:asked>": _get(SIGNED),
    "v2/alerts/<path:rest>": _by(SIGNED, "POST", "PUT", "DELETE"),
    "integrations/opsgenie/v2/alerts": _post(SIGNED),
    "integrations/opsgenie/v2/alerts/requests/<uuid:asked>": _get(SIGNED),
    "integrations/opsgenie/v2/alerts/<path:rest>": _by(SIGNED, "POST", "PUT", "DELETE"),
    # Heartbeats: whoever knows the secret address pings, or sees the badge
    "ping/<uuid:ping_uuid>": _by(ANYONE, "GET", "POST"),
    "ping/<uuid:ping_uuid>/<str:act>": _by(ANYONE, "GET", "POST"),
    "ping/<str:ping_key>/<slug:slug>": _by(ANYONE, "GET", "POST"),
    "ping/<str:ping_key>/<slug:slug>/<str:act>": _by(ANYONE, "GET", "POST"),
    "badge/<str:signature>/<str:name>.<str:ending>": _get(ANYONE),
    "api/v1/heartbeats": {"GET": READ_ESCALATIONS, "POST": WRITE_ESCALATIONS},
    "api/v1/heartbeats/<uuid:heartbeat_id>": _kept(READ_ESCALATIONS, WRITE_ESCALATIONS, "PATCH", "DELETE"),
    "api/v1/heartbeats/<uuid:heartbeat_id>/pause": _post(WRITE_ESCALATIONS),
    "api/v1/heartbeats/<uuid:heartbeat_id>/pings": _get(READ_ESCALATIONS),
    "heartbeats": _get(staff()),
    # Tracing
    "api/v1/tracing/interactions": _post(staff(Scope.TRACING_WRITE)),
    "api/v1/tracing/statuses": _post(staff(Scope.TRACING_WRITE)),
    "api/v1/tracing/devices/<int:device_id>": {"GET": READ_CASES, "PUT": staff(Scope.TRACING_WRITE)},
    "api/v1/tracing/devices/<int:device_id>/sources": _get(READ_CASES),
    "api/v1/tracing/cases": _get(READ_CASES),
    "api/v1/tracing/cases/<uuid:case_id>": _get(READ_CASES),
    "api/v1/tracing/cases/<uuid:case_id>/exposures": _get(READ_CASES),
    "api/v1/tracing/filters": {"GET": READ_FILTERS, "POST": SET_FILTERS},
    "api/v1/tracing/filters/<uuid:filter_id>": {"GET": READ_FILTERS, "PATCH": SET_FILTERS},
    "api/v1/tracing/filters/<uuid:filter_id>/what-if": _get(READ_FILTERS),
    "tracing": _get(SEE_CASES),
    "tracing/cases/<uuid:case_id>": _get(SEE_CASES),
    "tracing/cases/<uuid:case_id>/export": _get(SEE_CASES),
    "tracing/marks": _post(staff()),
    "tracing/filters": _get(SEE_CASES),
    "tracing/filters/new": _by(CHANGE_FILTERS, *_FORM),
    "tracing/what-if": _get(SEE_CASES),
    "tracing/filters/<uuid:filter_id>": _get(SEE_CASES),
    "tracing/filters/<uuid:filter_id>/what-if": _kept(SEE_CASES, CHANGE_FILTERS, "POST", "PUT"),
    "tracing/filters/<uuid:filter_id>/texts": _by(CHANGE_FILTERS, *_FORM),
    "tracing/filters/<uuid:filter_id>/switch": _post(CHANGE_FILTERS),
    # Dating: whoever runs an evening is its organiser, and the staff
    "api/v1/dating/events": {"GET": person(Scope.DATING_READ), "POST": staff(Scope.DATING_WRITE)},
    "api/v1/dating/events/<uuid:event_id>": _get(person(Scope.DATING_READ)),
    "api/v1/dating/events/0/cancel": _post(person(Scope.DATING_WRITE)),
    "api/v1/dating/registrations/cancel": _post(person(Scope.DATING_WRITE)),
    "api/v1/dating/events/<uuid:event_id>/register": _post(person(Scope.DATING_WRITE)),
    "api/v1/dating/events/<uuid:event_id>/confirm": _post(person(Scope.DATING_WRITE)),
    "api/v1/dating/events/<uuid:event_id>/cancel": _post(person(Scope.DATING_WRITE)),
    "api/v1/dating/events/<uuid:event_id>/pause": _post(person(Scope.DATING_WRITE)),
    "api/v1/dating/events/<uuid:event_id>/resume": _post(person(Scope.DATING_WRITE)),
    "api/v1/dating/events/<uuid:event_id>/extend": _post(person(Scope.DATING_WRITE)),
    "api/v1/dating/events/<uuid:event_id>/drop": _post(person(Scope.DATING_WRITE)),
    "api/v1/dating/events/<uuid:event_id>/end": _post(person(Scope.DATING_WRITE)),
    "api/v1/dating/events/<uuid:event_id>/run-sheet": _get(person(Scope.DATING_READ)),
    "api/v1/dating/events/<uuid:event_id>/evening": _get(person()),
    "api/v1/dating/events/<uuid:event_id>/ready": _post(person()),
    "api/v1/dating/events/<uuid:event_id>/join": _post(person()),
    "api/v1/dating/events/<uuid:event_id>/reactions": _post(person()),
    "api/v1/dating/registrations": _get(person()),
    "api/v1/dating/profile": {"GET": person(), "PATCH": person()},
    "api/v1/dating/bot-accounts/<int:number>": _kept(
        staff(Scope.DATING_READ), staff(Scope.DATING_WRITE), "PUT", "DELETE"
    ),
    "api/v1/dating/bot-code": _post(person()),
    "dating": _get(person()),
    "dating/new": _by(staff(), *_FORM),
    "dating/rules": _get(staff()),
    "dating/rules/new": _by(staff(), *_FORM),
    "dating/rules/<uuid:rule_id>": _by(staff(), *_FORM),
    "dating/<uuid:event_id>/change": _by(staff(), *_FORM),
    "dating/profile": _by(person(), *_FORM),
    "dating/profile/bot-code": _post(person()),
    "dating/join/<str:token>": _by(ANYONE, "GET", "POST"),
    "dating/room/<str:token>": _get(ANYONE),
    "dating/room/<str:token>/signals": _by(ANYONE, "GET", "POST"),
    "dating/invitations/<str:token>.ics": _get(ANYONE),
    "dating/calendars/<str:token>.ics": _get(ANYONE),
    "dating/<uuid:event_id>": _get(person()),
    "dating/<uuid:event_id>/now": _get(person()),
    "dating/<uuid:event_id>/run-sheet": _get(person()),
    "dating/<uuid:event_id>/run-sheet/now": _get(person()),
    "dating/<uuid:event_id>/results": _get(person()),
    "dating/<uuid:event_id>/register": _post(person()),
    "dating/<uuid:event_id>/confirm": _post(person()),
    "dating/<uuid:event_id>/cancel": _post(person()),
    "dating/<uuid:event_id>/ready": _post(person()),
    "dating/<uuid:event_id>/opinions": _post(person()),
    "dating/<uuid:event_id>/run-sheet/pause": _post(person()),
    "dating/<uuid:event_id>/run-sheet/resume": _post(person()),
    "dating/<uuid:event_id>/run-sheet/extend": _post(person()),
    "dating/<uuid:event_id>/run-sheet/drop": _post(person()),
    "dating/<uuid:event_id>/run-sheet/end": _post(person()),
    "dating/<uuid:event_id>/report/<uuid:about_id>": _by(person(), *_FORM),
    # Accounts
    "api/v1/auth/register": _post(ANYONE),
    "api/v1/auth/login": _post(ANYONE),
    "auth/api/v1/register": _post(ANYONE),
    "auth/api/v1/login": _post(ANYONE),
    "api/v1/auth/refresh": _post(ANYONE),
    "api/v1/auth/logout": _post(ANYONE),
    "api/v1/auth/token": _post(ANYONE),
    "api/v1/auth/token/refresh": _post(ANYONE),
    "api/v1/auth/password/reset": _post(ANYONE),
    "api/v1/auth/password/reset/confirm": _post(ANYONE),
    "api/v1/auth/password/change": _post(person()),
    "api/v1/auth/email/verify": _post(person()),
    "api/v1/auth/email/confirm": _post(person()),
    "api/v1/auth/phone/verify": _post(person()),
    "api/v1/auth/phone/confirm": _post(person()),
    "api/v1/users/me": {"GET": person(), "PATCH": person(), "DELETE": person()},
    "api/v1/users/me/export": _get(person()),
    "api/v1/users/me/renew-links": _post(person()),
    "api/v1/users": _get(staff()),
    "api/v1/users/<uuid:user_id>/export": _get(Right(Rank.SUPERUSER, permissions=("accounts.export_user",))),
    "api/v1/invitations": {"GET": staff(), "POST": staff()},
    "api/v1/invitations/<uuid:invitation_id>": {"DELETE": staff()},
    "api/v1/users/<uuid:user_id>": {"GET": staff(), "PATCH": ADMIN, "DELETE": ADMIN},
    "": _get(ANYONE),
    "sw.js": _get(ANYONE),
    "login": _by(ANYONE, *_FORM),
    "register": _by(ANYONE, *_FORM),
    "forgotten-password": _by(ANYONE, *_FORM),
    "reset-password": _by(ANYONE, *_FORM),
    "logout": _post(ANYONE),
    "language": _post(ANYONE),
    "verify-email": _by(person(), *_FORM),
    "verify-phone": _by(person(), *_FORM),
    "account/details": _by(person(), *_FORM),
    "account/email": _by(person(), *_FORM),
    "account/password": _by(person(), *_FORM),
    "account/email/code": _by(person(), *_FORM),
    "account/email/confirm": _by(person(), *_FORM),
    "account/phone/code": _by(person(), *_FORM),
    "account/phone/confirm": _by(person(), *_FORM),
    # Of people who are not on the staff, those see a shop there who manage it.
    "shops": {"GET": person(), **_by(staff(), "POST", "PUT")},
    "shops/<slug:shop>": _get(person()),
    "shops/<slug:shop>/test": _by(person(), "GET", "POST"),
    "shops/<slug:shop>/members/<uuid:user_id>/remove": _by(person(), "GET", "POST"),
    "shops/<slug:shop>/members/<uuid:user_id>/manager": _post(staff()),
    "shops/<slug:shop>/points/<uuid:point_id>/test": _by(person(), "GET", "POST"),
    "shops/<slug:shop>/invitations/<uuid:invitation_id>/withdraw": _by(person(), "GET", "POST"),
    "shops/<slug:shop>/invitations/<uuid:invitation_id>/again": _post(person()),
    "invite": _by(person(), *_FORM),
    "join": _by(person(), "GET", "POST"),
    "console": _get(staff()),
    "console/stream": _get(staff()),
    "console/find": _get(staff()),
    "console/done": _get(staff()),
    "console/setup": _get(staff()),
    "keys": _by(staff(), *_FORM),
    "keys/<uuid:key_id>": _get(staff()),
    "keys/<uuid:key_id>/arrival/<uuid:alert_uuid>": _get(staff()),
    "keys/<uuid:key_id>/revoke": _post(staff()),
    "settings/webhooks/verify": _get(person()),
    "console/history": _get(staff()),
    "console/history/replay": _by(staff(), "GET", "POST"),
    "console/history/cancel": _by(staff(), "GET", "POST"),
    "console/history/views": _post(staff()),
    "console/history/views/<uuid:view_id>/remove": _post(staff()),
    "console/people/<uuid:user_id>": _get(staff()),
    "console/people/<uuid:user_id>/what-if": _get(staff()),
    "console/points/<uuid:point_id>/test": _by(staff(), "GET", "POST"),
    "console/deliveries/<uuid:delivery_id>": _get(staff()),
    "console/deliveries/<uuid:delivery_id>/replay": _post(staff()),
    "console/deliveries/<uuid:delivery_id>/cancel": _post(staff()),
    "settings/telling": _by(person(), *_FORM),
    "settings/hours": _by(person(), *_FORM),
    "settings/what-if": _by(person(), "GET", "POST"),
    "settings/steps": _by(person(), *_FORM),
    "settings/points": _by(person(), *_FORM),
    "account/links": _by(person(), *_FORM),
    "account/export": _get(person()),
    "account/leave": _by(person(), *_FORM),
    "account": _get(person()),
    "inbox": _get(person()),
    "inbox/news": _get(person()),
    "inbox/read": _post(person()),
    "inbox/read/<int:read_at>/undo": _post(person()),
    "inbox/<uuid:item_id>/read": _post(person()),
    "inbox/<uuid:item_id>/unread": _post(person()),
    "inbox/<uuid:item_id>/delete": _post(person()),
    "inbox/<uuid:item_id>/snooze": _post(person()),
    "inbox/<uuid:item_id>/wake": _post(person()),
    "inbox/<uuid:item_id>/restore": _post(person()),
    "settings/rules/remove": _post(person()),
    "settings/rules/restore": _post(person()),
    "settings/points/<uuid:point_id>": _get(person()),
    "settings/points/<uuid:point_id>/test": _by(person(), "GET", "POST"),
    "settings/points/<uuid:point_id>/code": _post(person()),
    "settings/points/<uuid:point_id>/confirm": _post(person()),
    "settings/points/<uuid:point_id>/switch": _post(person()),
    "settings/points/<uuid:point_id>/remove": _post(person()),
    "settings/points/<uuid:point_id>/restore": _post(person()),
    "settings/points/<uuid:point_id>/secret": _post(person()),
    # The service itself
    "health/live": _get(ANYONE),
    "health/ready": _get(staff(Scope.METRICS_READ)),
    "metrics": _get(staff(Scope.METRICS_READ)),
    "api/schema": _get(EVERYBODY_KNOWN),
    "api/docs": _get(EVERYBODY_KNOWN),
}

#: The permission of a person that is as much as a scope: nobody gives a key more than they have themselves.
AS_MUCH_AS: Final[Mapping[Scope, str]] = {
    Scope.ALERTS_WRITE: "notifications.add_alert",
    Scope.ALERTS_READ: "notifications.view_alert",
    Scope.PREFERENCES_WRITE: "notifications.change_preference",
    Scope.DELIVERIES_READ: "notifications.view_delivery",
    Scope.DELIVERIES_WRITE: "notifications.change_delivery",
    Scope.METRICS_READ: "notifications.view_delivery",
    Scope.ESCALATIONS_WRITE: "escalation.add_escalationprocess",
    Scope.ESCALATIONS_READ: "escalation.view_escalationprocess",
    Scope.TRACING_WRITE: "tracing.add_statusmark",
    Scope.TRACING_READ: "tracing.view_case",
    Scope.TRACING_FILTERS: "tracing.change_filter",
    Scope.DATING_WRITE: "dating.change_event",
    Scope.DATING_READ: "dating.view_event",
    Scope.EVENTS_WRITE: "notifications.add_event",
    Scope.EVENTS_READ: "notifications.view_event",
    Scope.MESSAGES_WRITE: "notifications.change_deadmessage",
    Scope.MESSAGES_READ: "notifications.view_deadmessage",
}

#: What a key needs beside ``deliveries:read`` to see what people are told, by the kind of fact behind it
#: (``Notification.source_type``); None: nothing. No key sees what tells of a kind that is not here.
NOTICES: Final[Mapping[str, Scope | None]] = {
    "alert": None,
    "contact_point": None,
    "event": Scope.EVENTS_READ,
    "escalation": Scope.ESCALATIONS_READ,
    "tracing_case": Scope.TRACING_READ,
    "tracing_mark": Scope.TRACING_READ,
    "alert_group": Scope.ESCALATIONS_READ,
    "escalation_figures": Scope.ESCALATIONS_READ,
    "on_call_drill": Scope.ESCALATIONS_READ,
    "on_call_holes": Scope.ESCALATIONS_READ,
    "dating_event": Scope.DATING_READ,
    "dating_round": Scope.DATING_READ,
    "dating_break": Scope.DATING_READ,
}

#: What a key needs beside ``messages:read`` to see brokers' dead letters, by the format of their source.
MESSAGES: Final[Mapping[str, Scope]] = {
    "events": Scope.EVENTS_READ,
    "escalation": Scope.ESCALATIONS_READ,
    "tracing": Scope.TRACING_READ,
    "dating": Scope.DATING_READ,
}


def scopes_of(person: User) -> set[str]:
    """Return the scopes that somebody may give to a key."""
    return {scope.value for scope, permission in AS_MUCH_AS.items() if person.has_perm(permission)}
