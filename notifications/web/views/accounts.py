"""Making an account, and getting back into it."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language_from_request, gettext

from accounts import rate_limits
from accounts.models import Door, User
from accounts.services.invitations import (
    CLOSED,
    INVITED_ONLY,
    NotAdmitted,
    anybody_may_register,
    invitation_of,
)
from accounts.services.passwords import password_reset_confirm, password_reset_request
from accounts.services.registration import user_register
from config import clock
from config.rest.exceptions import Conflict
from notifications.channels import registry
from notifications.web import limits
from notifications.web.form_page import FormPage
from notifications.web.forms.accounts import RegisterForm, ResetForm, ResetRequestForm


class RegisterPage(FormPage):
    template_name = "web/register.html"
    form_class = RegisterForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Shown to whoever may, that they don't fill it in for nothing. It is the service that lets them in.
        token = request.POST.get("invitation") or request.GET.get("invitation", "")
        self.invitation = invitation_of(token) if token and settings.REGISTRATION != Door.CLOSED else None
        self.token = token if self.invitation else ""
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.refusal() or self.has_account() or super().get(request, *args, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.refusal() or super().post(request, *args, **kwargs)

    def refusal(self) -> HttpResponse | None:
        if self.invitation is not None or anybody_may_register():
            return None
        reason = CLOSED if settings.REGISTRATION == Door.CLOSED else INVITED_ONLY
        outcome = {"heading": gettext("You can't register here"), "text": reason}
        return render(self.request, "web/outcome.html", outcome, status=403)

    def has_account(self) -> HttpResponse | None:
        """Lead whoever has an account already to where they come to the shop with it."""
        invited = self.invitation
        if invited is None or invited.shop_id is None:
            return None
        if not User.objects.filter(email=invited.email).exists():
            return None
        return HttpResponseRedirect(f"{reverse('web:join')}?{urlencode({'invitation': self.token})}")

    def get_form(self, form_class: Any = None) -> RegisterForm:
        form: RegisterForm = super().get_form(form_class)
        if self.invitation is not None and not self.invitation.role:
            del form.fields["role"]
        return form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"invited": self.invitation}

    def get_initial(self) -> dict[str, Any]:
        if self.invitation is None:
            return {}
        return {"invitation": self.token, "email": self.invitation.email, "role": self.invitation.role}

    def act(self, form: RegisterForm) -> HttpResponse:
        limits.take_registration(self.request, email=form.cleaned_data["email"])
        language = get_language_from_request(self.request)
        try:
            user = user_register(**{"role": "", **form.cleaned_data, "language": language})
        except NotAdmitted as error:
            raise ValidationError({error.field: str(error)}) from error
        login(self.request, user)
        rate_limits.address_remember(
            account=rate_limits.account_of(user.email), address=rate_limits.address_of(self.request.META)
        )
        return HttpResponseRedirect(reverse("web:inbox"))


class ForgottenPage(FormPage):
    """Have a link mailed. The answer is the same, and as quick, where there is no such account."""

    template_name = "web/forgotten.html"
    form_class = ResetRequestForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"is_mail_sent": registry.is_offered("email")}

    def act(self, form: ResetRequestForm) -> HttpResponse:
        if not registry.is_offered("email"):
            raise Conflict(gettext("This installation sends no mail."))
        email = form.cleaned_data["email"]
        limits.take_reset(self.request, email=email)
        password_reset_request(email=email, now=clock.now())
        outcome = {
            "heading": gettext("Check your mail"),
            "text": gettext("If there is an account with this address, a link is on its way to it."),
        }
        return render(self.request, "web/outcome.html", outcome)


class ResetPage(FormPage):
    """Set a new password by the link that was mailed. Looking at the page does not use it up."""

    template_name = "web/reset.html"
    form_class = ResetForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.GET.get("token"):
            return HttpResponseRedirect(reverse("web:forgotten"))
        return super().get(request, *args, **kwargs)

    def get_initial(self) -> dict[str, Any]:
        return {"token": self.request.GET.get("token", "")}

    def act(self, form: ResetForm) -> HttpResponse:
        address = rate_limits.address_of(self.request.META)
        with rate_limits.failures_counted(ValidationError, scope="reset", who=address):
            password_reset_confirm(now=clock.now(), **form.cleaned_data)
        messages.success(self.request, gettext("Your new password is set. Log in with it."))
        return HttpResponseRedirect(reverse("web:login"))
