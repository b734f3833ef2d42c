"""Cases and filters as pages. Whoever reads a case here is noted, as over the API."""

import csv
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext
from django.views.generic import TemplateView

from accounts import rate_limits
from accounts.rights import SET_FILTERS, may
from config import clock
from config.digits import whole
from config.rest.exceptions import Conflict
from notifications.web.page import Page, is_htmx
from tracing import selectors
from tracing.intake.checking import DEVICE_MAX
from tracing.models import Case, CaseReading, Device, Exposure, Filter, FilterVersion
from tracing.services.readings import reading_log
from tracing.services.statuses import status_mark
from tracing.web.filter_forms import shown_values
from tracing.web.histogram import histogram_of
from tracing.web.tree import Person, tree_of

PAGE_SIZE: Final = 30
EXPOSURES_PER_PAGE: Final = 200
#: What htmx takes for "stop asking".
STOP_POLLING: Final = 286


class TracingPage(Page, TemplateView):
    """For those who may look at cases."""

    def log(self, what: CaseReading.What, case: Case | None = None) -> None:
        reading_log(
            what=what,
            user=self.person,
            now=clock.now(),
            case_id=case.pk if case else None,
            device_id=case.device_id if case else None,
        )

    def number(self, name: str, default: int, most: int) -> int:
        """Return a number of the query; whatever is none counts as not given."""
        return whole(self.request.GET.get(name, ""), most=most) or default


class CasesPage(TracingPage):
    template_name = "tracing/cases.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        chosen = selectors.cases().order_by("-pk")
        state = self.request.GET.get("state", "")
        if state == Case.State.OPEN:
            chosen = chosen.filter(state=state)
        if device := self.number("device", 0, DEVICE_MAX):
            chosen = chosen.filter(device_id=device)
        page = self.number("page", 1, 10_000)
        shown = list(chosen[(page - 1) * PAGE_SIZE : page * PAGE_SIZE + 1])
        self.log(CaseReading.What.LIST)
        return super().get_context_data(
            cases=shown[:PAGE_SIZE],
            state=state,
            device=device or "",
            newer=page - 1,
            older=page + 1 if len(shown) > PAGE_SIZE else 0,
            statuses=Device.Status.choices,
            **kwargs,
        )


class CasePage(TracingPage):
    """A case with its tree. While it is being searched, htmx asks for the part that moves."""

    def get_template_names(self) -> list[str]:
        return ["tracing/_case.html" if is_htmx(self.request) else "tracing/case.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        case = get_object_or_404(selectors.with_searches(selectors.cases()), pk=kwargs["case_id"])
        self.log(CaseReading.What.CASE, case)
        searches = list(case.searches.all())
        given = self.request.GET.get("filter", "")
        named = [search for search in searches if str(search.filter_id) == given]
        if given and not named:
            raise Http404
        search = next(iter(named or searches), None)
        told = selectors.devices_told(case)
        context: dict[str, Any] = {"case": case, "searches": searches, "search": search, "told": told}
        if search is not None:
            rows = list(selectors.exposures_of(case).filter(filter=search.filter_id))
            pages = Paginator(rows, EXPOSURES_PER_PAGE)
            vias = {(row.filter_id, row.device_id): row.via_device_id for row in rows}
            page = pages.get_page(self.request.GET.get("page"))
            shown = [
                (row, selectors.path_to(vias, row.filter_id, row.device_id, case.device_id))
                for row in page.object_list
            ]
            people = [
                Person(
                    device=row.device_id,
                    via=row.via_device_id,
                    degree=row.degree,
                    onset=row.onset,
                    seconds=row.seconds,
                    is_told=row.told_at is not None,
                )
                for row in rows
            ]
            context |= {
                "tree": tree_of(case.device_id, people),
                "histogram": histogram_of(selectors.exposures_by_day(case, search.filter_id)),
                "page": page,
                "shown": shown,
                "notices": selectors.notices_by_status(case),
            }
        is_searching = any(search.searched_at is None and not search.failures for search in searches)
        return super().get_context_data(**context, is_searching=is_searching, **kwargs)

    def render_to_response(self, context: dict[str, Any], **options: Any) -> Any:
        if is_htmx(self.request) and not context["is_searching"]:
            options["status"] = STOP_POLLING
        return super().render_to_response(context, **options)


class CaseFile(TracingPage):
    """A case's exposures as CSV: numbers and times, so nothing that a table program takes for a formula."""

    def get(self, request: HttpRequest, case_id: UUID) -> HttpResponse:
        case = get_object_or_404(Case, pk=case_id)
        self.log(CaseReading.What.CASE, case)
        rows = selectors.exposures_of(case).order_by("filter_id", "degree", "onset", "device_id", "id")
        vias = selectors.vias_of(case)
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="case-{case.pk}.csv"'
        writer = csv.writer(response)
        writer.writerow(_COLUMNS)
        writer.writerows(_cells(row, case, vias) for row in rows)
        return response


_COLUMNS: Final = (
    "filter_id", "version", "device", "degree", "path", "from", "seconds", "metres", "told_at",
)  # fmt: skip


def _cells(row: Exposure, case: Case, vias: selectors.Vias) -> list[object]:
    path = selectors.path_to(vias, row.filter_id, row.device_id, case.device_id)
    return [
        row.filter_id,
        row.filter_version.number,
        row.device_id,
        row.degree,
        " > ".join(map(str, path)),
        row.onset.isoformat(),
        row.seconds,
        row.distance_m,
        row.told_at.isoformat() if row.told_at else None,
    ]


class MarkPage(Page):
    """Marks a device, as a health service does over the API; leads to its case."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        given = MarkForm(request.POST)
        if not given.is_valid():
            messages.error(
                request, gettext("Enter a device number and choose a status. Nothing was changed.")
            )
            return redirect("tracing:cases")
        now, wanted = clock.now(), given.cleaned_data
        if rate_limits.attempt_take(scope="tracing-mark", who=str(self.person.pk), now=now):
            messages.error(
                request, gettext("You have marked too many devices in the last minute. Try again soon.")
            )
            return redirect("tracing:cases")
        try:
            marked = status_mark(
                device_id=wanted["device"], status=wanted["status"], now=now, user=self.person
            )
        except Conflict as error:
            messages.error(request, str(error))
            return redirect("tracing:cases")
        said = gettext("Device %(device)s is marked as %(status)s.")
        status = marked.device.get_status_display().lower()
        messages.success(request, said % {"device": marked.device.pk, "status": status})
        return redirect("tracing:case", marked.case.pk) if marked.case else redirect("tracing:cases")


class MarkForm(forms.Form):
    device = forms.RegexField(r"^[0-9]{1,10}\Z")
    status = forms.TypedChoiceField(choices=Device.Status.choices, coerce=int)

    def clean_device(self) -> int:
        if not 0 < (number := int(self.cleaned_data["device"])) <= DEVICE_MAX:
            raise forms.ValidationError(gettext("Enter a device number."))
        return number


class FiltersPage(TracingPage):
    template_name = "tracing/filters.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            filters=list(Filter.objects.all()), may_set=may(self.person, SET_FILTERS), **kwargs
        )


class FilterPage(TracingPage):
    """A filter with its versions."""

    template_name = "tracing/filter.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = get_object_or_404(Filter, pk=kwargs["filter_id"])
        return super().get_context_data(
            filter=found,
            versions=[(version, link_to(version)) for version in found.versions.all()],
            may_set=may(self.person, SET_FILTERS),
            **kwargs,
        )


def link_to(version: FilterVersion) -> str:
    """Return the query that tries a version's values."""
    return urlencode({name: "" if value is None else value for name, value in shown_values(version).items()})
