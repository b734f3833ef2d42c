"""The paths of the intake. Official clients have PagerDuty's and Opsgenie's built in."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path

from escalation.receiving import views


def _both(route: str, view: Callable[..., Any]) -> list[URLPattern]:
    """Route a view with and without a slash at the end, so that no POST meets a redirect."""
    return [path(f"{route}/", view), path(route, view)]


def _opsgenie(prefix: str) -> list[URLPattern]:
    alerts = f"{prefix}v2/alerts"
    return [
        *_both(f"{alerts}/requests/<uuid:asked>", views.OpsgenieRequestView.as_view()),
        *_both(alerts, views.OpsgenieAlertsView.as_view()),
        path(f"{alerts}/<path:rest>", views.OpsgenieAlertView.as_view()),
    ]


def _pagerduty(prefix: str) -> list[URLPattern]:
    return [
        *_both(f"{prefix}v2/enqueue", views.PagerDutyView.as_view()),
        *_both(f"{prefix}v2/change/enqueue", views.PagerDutyChangeView.as_view()),
    ]


urlpatterns = [
    *_both("integrations/alertmanager/<str:token>", views.AlertmanagerView.as_view()),
    *_both("integrations/grafana/<str:token>", views.GrafanaView.as_view()),
    *_both("integrations/cloudevents/<str:token>", views.CloudEventsView.as_view()),
    *_both("integrations/generic/<str:token>", views.GenericView.as_view()),
    *_pagerduty(""),
    *_pagerduty("integrations/pagerduty/"),
    *_pagerduty("integrations/pagerduty/<str:token>/"),
    *_opsgenie(""),
    *_opsgenie("integrations/opsgenie/"),
]
