"""The routes of the pages of tracing."""

from django.urls import path

from notifications.web.console import finding
from tracing.web import console, views

finding.register(console.found)

app_name = "tracing"
urlpatterns = [
    path("tracing/", views.CasesPage.as_view(), name="cases"),
    path("tracing/cases/<uuid:case_id>/", views.CasePage.as_view(), name="case"),
    path("tracing/marks/", views.MarkPage.as_view(), name="mark"),
    path("tracing/filters/", views.FiltersPage.as_view(), name="filters"),
    path("tracing/filters/<uuid:filter_id>/", views.FilterPage.as_view(), name="filter"),
]
