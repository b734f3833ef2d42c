"""The routes of the pages of tracing."""

from django.urls import path

from notifications.web.console import finding
from tracing.web import console, views, what_if

finding.register(console.found)

app_name = "tracing"
urlpatterns = [
    path("tracing/", views.CasesPage.as_view(), name="cases"),
    path("tracing/cases/<uuid:case_id>/", views.CasePage.as_view(), name="case"),
    path("tracing/cases/<uuid:case_id>/export/", views.CaseFile.as_view(), name="case-file"),
    path("tracing/marks/", views.MarkPage.as_view(), name="mark"),
    path("tracing/filters/", views.FiltersPage.as_view(), name="filters"),
    path("tracing/filters/new/", what_if.NewFilterPage.as_view(), name="filter-new"),
    path("tracing/what-if/", what_if.AnyWhatIfPage.as_view(), name="any-what-if"),
    path("tracing/filters/<uuid:filter_id>/", views.FilterPage.as_view(), name="filter"),
    path("tracing/filters/<uuid:filter_id>/what-if/", what_if.WhatIfPage.as_view(), name="what-if"),
    path("tracing/filters/<uuid:filter_id>/texts/", what_if.TextsPage.as_view(), name="texts"),
    path("tracing/filters/<uuid:filter_id>/switch/", what_if.SwitchPage.as_view(), name="switch"),
]
