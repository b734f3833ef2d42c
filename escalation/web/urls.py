"""The routes of the pages about escalations."""

from django.urls import path
from django.utils.translation import gettext_lazy

from escalation.services import covers
from escalation.web import drills, groups, on_call, policies, views
from escalation.web.console.done import SOURCES
from escalation.web.console.finding import found
from escalation.web.console.panels import PANELS
from escalation.web.console.setup import setup as steps
from escalation.web.console.turns import PART
from escalation.web.fairness import FairnessPage
from escalation.web.figures import FiguresPage
from escalation.web.heartbeats import HeartbeatsPage
from escalation.web.holes import HolesPage
from escalation.web.schedules import OverrideRemovePage, SchedulePage
from escalation.web.silences import EndSilencePage, NewSilencePage, SilencesPage
from escalation.web.starting import StartPage
from notifications.web.console import done, finding, panels, parts, setup

finding.register(found)
for source in SOURCES:
    done.register(source)
setup.register(steps)
parts.register(PART)
for panel in PANELS:
    panels.register(panel)

app_name = "escalation"
urlpatterns = [
    # The original's API has this path too.
    path("escalations", views.escalations),
    path("escalations/", views.escalations, name="list"),
    path("heartbeats/", HeartbeatsPage.as_view(), name="heartbeats"),
    path("escalations/start/", StartPage.as_view(), name="start"),
    path("escalations/policies/", policies.PoliciesPage.as_view(), name="policies"),
    path("escalations/policies/new/", policies.NewPolicyPage.as_view(), name="policy-new"),
    path("escalations/policies/<uuid:policy_id>/", policies.PolicyPage.as_view(), name="policy"),
    path("escalations/policies/<uuid:policy_id>/test/", policies.TestPage.as_view(), name="policy-test"),
    path("escalations/figures/", FiguresPage.as_view(), name="figures"),
    path("escalations/<uuid:run_id>/", views.TimelinePage.as_view(), name="timeline"),
    path("escalations/<uuid:run_id>/acknowledge/", views.AcknowledgePage.as_view(), name="acknowledge"),
    path("escalations/<uuid:run_id>/stop/", views.StopPage.as_view(), name="stop"),
    path("escalations/<uuid:run_id>/notes/", views.NotesPage.as_view(), name="notes"),
    path("escalations/<uuid:run_id>/timeline.md", views.MarkdownPage.as_view(), name="markdown"),
    path("on-call/", on_call.OnCallPage.as_view(), name="on-call"),
    path("on-call/fairness/", FairnessPage.as_view(), name="fairness"),
    path("on-call/drills/", drills.DrillsPage.as_view(), name="drills"),
    path("on-call/drills/<uuid:drill_id>/", drills.DrillPage.as_view(), name="drill"),
    path(
        "on-call/drills/<uuid:drill_id>/report.md", drills.DrillMarkdownPage.as_view(), name="drill-markdown"
    ),
    path("on-call/<uuid:schedule_id>/drill/", drills.StartDrillPage.as_view(), name="drill-start"),
    path("on-call/holes/", HolesPage.as_view(), name="holes"),
    path("on-call/<uuid:schedule_id>/", SchedulePage.as_view(), name="schedule"),
    path(
        "on-call/overrides/<uuid:override_id>/remove/", OverrideRemovePage.as_view(), name="override-remove"
    ),
    path("on-call/<uuid:schedule_id>/ask/", on_call.AskPage.as_view(), name="cover-ask"),
    *(
        path(
            f"on-call/covers/<uuid:cover_id>/{name}/",
            on_call.AnswerPage.as_view(act=staticmethod(act), done=done),
            name=f"cover-{name}",
        )
        for name, act, done in (
            ("accept", covers.cover_accept, gettext_lazy("You stand in.")),
            ("decline", covers.cover_decline, gettext_lazy("You have said no.")),
            ("withdraw", covers.cover_withdraw, gettext_lazy("Withdrawn.")),
        )
    ),
    path("groups/", groups.GroupsPage.as_view(), name="groups"),
    path("groups/<uuid:group_id>/", groups.GroupPage.as_view(), name="group"),
    path(
        "groups/<uuid:group_id>/acknowledge/", groups.GroupAcknowledgePage.as_view(), name="group-acknowledge"
    ),
    path("groups/<uuid:group_id>/resolve/", groups.GroupResolvePage.as_view(), name="group-resolve"),
    path("groups/<uuid:group_id>/snooze/", groups.GroupSnoozePage.as_view(), name="group-snooze"),
    path("groups/<uuid:group_id>/notes/", groups.GroupNotesPage.as_view(), name="group-notes"),
    path("groups/<uuid:group_id>/timeline.md", groups.GroupMarkdownPage.as_view(), name="group-markdown"),
    path("silences/", SilencesPage.as_view(), name="silences"),
    path("silences/new/", NewSilencePage.as_view(), name="silence-new"),
    path("silences/<uuid:silence_id>/end/", EndSilencePage.as_view(), name="silence-end"),
]
