"""Taking one's data along, and deleting one's account."""

from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from accounts import personal_data
from accounts.models import User
from accounts.services.passwords import password_check
from accounts.services.users import user_delete
from config.rest.exceptions import TooMany
from notifications.web import limits
from notifications.web.form_page import FormPage
from notifications.web.forms.accounts import LeaveForm
from notifications.web.page import Page


class ExportPage(Page):
    """All that is stored about who is logged in, as a file."""

    def get(self, request: HttpRequest) -> HttpResponse:
        try:
            limits.take(scope="export", who=str(self.person.pk))
        except TooMany as error:
            context = {"heading": gettext("Too many downloads"), "text": str(error)}
            response = render(request, "web/outcome.html", context, status=429)
            response["Retry-After"] = str(error.seconds)
            return response
        return personal_data.download(self.person)


class LeavePage(FormPage):
    """Says what goes and what stays, and deletes the account for its password."""

    template_name = "web/leave.html"
    form_class = LeaveForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {
            "history_days": settings.HISTORY_RETENTION_DAYS,
            "event_days": settings.EVENT_RETENTION_DAYS,
            "escalation_days": settings.ESCALATION_RETENTION_DAYS,
            "is_archived": bool(settings.ARCHIVE_URL),
        }

    def act(self, form: LeaveForm) -> HttpResponse:
        password_check(user=self.person, password=form.cleaned_data["password"], field="password")
        user_delete(user=User.objects.get(pk=self.person.pk))
        logout(self.request)
        context = {
            "heading": gettext("Your account has been deleted"),
            "text": gettext("We are now erasing your name and addresses from messages and logs."),
        }
        return render(self.request, "web/outcome.html", context)
