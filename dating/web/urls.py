"""The routes of the pages about dating."""

from django.urls import path

from dating.web import console
from dating.web.views import (
    calendars,
    calls,
    evening,
    events,
    planning,
    profile,
    reports,
    results,
    rooms,
    rules,
    runsheet,
)
from notifications.web.console import finding, panels

finding.register(console.found)
panels.register(console.PANEL)

app_name = "dating"
urlpatterns = [
    path("dating/", events.EventsPage.as_view(), name="events"),
    path("dating/profile/", profile.ProfilePage.as_view(), name="profile"),
    path("dating/profile/bot-code/", profile.BotCodePage.as_view(), name="bot-code"),
    path("dating/new/", planning.NewEveningPage.as_view(), name="new"),
    path("dating/rules/", rules.RulesPage.as_view(), name="rules"),
    path("dating/rules/new/", rules.RulePage.as_view(), name="rule-new"),
    path("dating/rules/<uuid:rule_id>/", rules.RulePage.as_view(), name="rule"),
    # What messages link to: dating.links.
    path("dating/join/<str:token>/", calls.JoinPage.as_view(), name="join"),
    path("dating/room/<str:token>/", rooms.RoomPage.as_view(), name="room"),
    path("dating/room/<str:token>/signals/", rooms.SignalsPage.as_view(), name="signals"),
    path("dating/invitations/<str:token>.ics", calendars.InvitationFile.as_view(), name="invitation"),
    path("dating/calendars/<str:token>.ics", calendars.CalendarFile.as_view(), name="calendar"),
    path("dating/<uuid:event_id>/", evening.EveningPage.as_view(), name="evening"),
    path("dating/<uuid:event_id>/change/", planning.ChangePage.as_view(), name="change"),
    path("dating/<uuid:event_id>/now/", evening.NowPage.as_view(), name="now"),
    path("dating/<uuid:event_id>/register/", evening.RegisterChange.as_view(), name="register"),
    path("dating/<uuid:event_id>/confirm/", evening.ConfirmChange.as_view(), name="confirm"),
    path("dating/<uuid:event_id>/cancel/", evening.CancelChange.as_view(), name="cancel"),
    path("dating/<uuid:event_id>/ready/", evening.ReadyChange.as_view(), name="ready"),
    path("dating/<uuid:event_id>/opinions/", evening.OpinionChange.as_view(), name="opinion"),
    path("dating/<uuid:event_id>/report/<uuid:about_id>/", reports.ReportPage.as_view(), name="report"),
    path("dating/<uuid:event_id>/run-sheet/", runsheet.RunSheetPage.as_view(), name="runsheet"),
    path("dating/<uuid:event_id>/results/", results.ResultsPage.as_view(), name="results"),
    path("dating/<uuid:event_id>/run-sheet/now/", runsheet.NowPage.as_view(), name="runsheet-now"),
    path("dating/<uuid:event_id>/run-sheet/pause/", runsheet.PauseChange.as_view(), name="pause"),
    path("dating/<uuid:event_id>/run-sheet/resume/", runsheet.ResumeChange.as_view(), name="resume"),
    path("dating/<uuid:event_id>/run-sheet/extend/", runsheet.ExtendChange.as_view(), name="extend"),
    path("dating/<uuid:event_id>/run-sheet/drop/", runsheet.DropChange.as_view(), name="drop"),
    path("dating/<uuid:event_id>/run-sheet/end/", runsheet.EndChange.as_view(), name="end"),
]
