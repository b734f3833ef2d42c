"""The routes of tracing, below /api/v1/."""

from config.rest.api import slash_optional
from tracing.api.views.cases import CasesView, CaseView, ExposuresView
from tracing.api.views.devices import DeviceView, SourcesView
from tracing.api.views.filters import FiltersView, FilterView, WhatIfView
from tracing.api.views.interactions import InteractionsView
from tracing.api.views.statuses import StatusesView

urlpatterns = [
    *slash_optional("tracing/interactions", InteractionsView.as_view(), name="tracing-interactions"),
    *slash_optional("tracing/statuses", StatusesView.as_view(), name="tracing-statuses"),
    *slash_optional("tracing/devices/<int:device_id>", DeviceView.as_view(), name="tracing-device"),
    *slash_optional(
        "tracing/devices/<int:device_id>/sources", SourcesView.as_view(), name="tracing-device-sources"
    ),
    *slash_optional("tracing/cases", CasesView.as_view(), name="tracing-cases"),
    *slash_optional("tracing/cases/<uuid:case_id>", CaseView.as_view(), name="tracing-case"),
    *slash_optional(
        "tracing/cases/<uuid:case_id>/exposures", ExposuresView.as_view(), name="tracing-exposures"
    ),
    *slash_optional("tracing/filters", FiltersView.as_view(), name="tracing-filters"),
    *slash_optional("tracing/filters/<uuid:filter_id>", FilterView.as_view(), name="tracing-filter"),
    *slash_optional(
        "tracing/filters/<uuid:filter_id>/what-if", WhatIfView.as_view(), name="tracing-filter-what-if"
    ),
]
