"""Where one starts, coming in and going out."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView

from accounts import rate_limits
from accounts.services.invitations import anybody_may_register
from notifications import troubles
from notifications.web.form_page import FormPage
from notifications.web.forms.accounts import LoginForm
from notifications.web.page import Page, page_behind

# The same for an address that nobody has, a wrong password and an account that is switched off.
NO_MATCH = gettext_lazy("No account matches this email address and password.")


class StartPage(Page, TemplateView):
    """Leads people to their inbox, and staff to the admin too."""

    template_name = "web/start.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown = self.request.user.is_authenticated and self.request.user.is_staff
        return super().get_context_data(
            may_register=anybody_may_register(), troubles=troubles.known() if shown else [], **kwargs
        )


class LoginPage(FormPage):
    template_name = "web/login.html"
    form_class = LoginForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return HttpResponseRedirect(self.wanted())
        return super().get(request, *args, **kwargs)

    def act(self, form: LoginForm) -> HttpResponse:
        email = form.cleaned_data["email"]
        account, address = rate_limits.account_of(email), rate_limits.address_of(self.request.META)
        with rate_limits.log_in_counted(ValidationError, account=account, address=address):
            # Hashes the password for an unknown address too, so that the time does not tell.
            user = authenticate(self.request, username=email, password=form.cleaned_data["password"])
            if user is None:
                raise ValidationError(NO_MATCH)
        login(self.request, user)
        return HttpResponseRedirect(self.wanted())

    def wanted(self) -> str:
        """Return where somebody was going: a path here and never another site; else the inbox."""
        wanted = self.request.POST.get("next") or self.request.GET.get("next") or ""
        is_local = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
        if is_local and not wanted.startswith(self.request.path):
            return wanted
        return reverse("web:inbox")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(next=self.wanted(), may_register=anybody_may_register(), **kwargs)


class LanguagePage(Page):
    """Speak another language from now on, to whoever is not logged in: others choose it in their account."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        wanted, back = request.POST.get("language", ""), page_behind(request) or reverse("web:start")
        response = HttpResponseRedirect(back)
        if wanted in dict(settings.LANGUAGES):
            response.set_cookie(
                settings.LANGUAGE_COOKIE_NAME,
                wanted,
                max_age=timedelta(days=365),
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response


class LogoutPage(Page):
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        logout(request)
        return HttpResponseRedirect(reverse("web:login"))
