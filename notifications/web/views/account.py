"""Somebody's own account: name, language, phone, password, and whether their addresses are theirs."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.generic import TemplateView

from accounts import rate_limits
from accounts.models import User, Verification
from accounts.services.passwords import password_change, password_check
from accounts.services.users import links_renew, user_update
from accounts.services.verifications import verification_confirm, verification_send
from accounts.verification import code_of, id_of_token
from config import clock
from notifications.web import limits
from notifications.web.form_page import FormPage, Section
from notifications.web.forms.accounts import CodeForm, DetailsForm, EmailForm, PasswordForm
from notifications.web.page import Page

Purpose = Verification.Purpose
CONFIRMED: Final = gettext_lazy("Thank you, this is confirmed.")
DEAD_LINK: Final = gettext_lazy("This link was used or has expired. Ask for a new one on your account page.")


def everything(user: User) -> dict[str, Any]:
    names = ("first_name", "last_name", "phone", "language")
    return {
        "details": DetailsForm(initial={name: getattr(user, name) for name in names}, auto_id="details_%s"),
        "email": EmailForm(initial={"email": user.email}, auto_id="email_%s"),
        "password": PasswordForm(auto_id="password_%s"),
        "email_code": CodeForm(auto_id="email_code_%s"),
        "phone_code": CodeForm(auto_id="phone_code_%s"),
    }


class AccountPage(Page, TemplateView):
    template_name = "web/account.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | everything(self.person)


class _AccountSection(Section):
    template_name = "web/account.html"
    page = "web:account"

    def everything(self) -> dict[str, Any]:
        # As it is in the database, whatever a form that is refused has made of the one in memory.
        return everything(User.objects.get(pk=self.person.pk))


class DetailsSection(_AccountSection):
    name = "details"
    form_class = DetailsForm

    def act(self, form: DetailsForm) -> HttpResponse:
        limits.take_act(self.person)
        user_update(user=User.objects.get(pk=self.person.pk), **form.cleaned_data)
        return self.done(gettext("Your changes are saved."))


class EmailSection(_AccountSection):
    """Another address to log in with; it is not confirmed until its owner shows that they read it."""

    name = "email"
    form_class = EmailForm

    def act(self, form: EmailForm) -> HttpResponse:
        limits.take_act(self.person)
        password = form.cleaned_data["current_password"]
        password_check(user=self.person, password=password, field="current_password")
        user_update(user=User.objects.get(pk=self.person.pk), email=form.cleaned_data["email"])
        return self.done(gettext("Your email address has been changed. Confirm it below."))


class PasswordSection(_AccountSection):
    name = "password"
    form_class = PasswordForm

    def act(self, form: PasswordForm) -> HttpResponse:
        limits.take_act(self.person)
        password_change(user=self.person, now=clock.now(), **form.cleaned_data)
        # Every other session ends.
        update_session_auth_hash(self.request, self.person)
        return self.done(gettext("Your password has been changed."))


class LinksSection(_AccountSection):
    """End the links that were given out and work without logging in."""

    name = "links"
    form_class = Form

    def act(self, form: Form) -> HttpResponse:
        links_renew(user=self.person)
        return self.done(gettext("Your links have been renewed. The old ones no longer work."))


class SendCodeSection(_AccountSection):
    """Have a code, and for email a link, sent to an address that is to be shown to be one's own."""

    name = "email_code"
    form_class = CodeForm
    purpose = Purpose.EMAIL
    is_sent = False

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"is_sent": self.is_sent}

    def act(self, form: Form) -> HttpResponse:
        limits.take(scope="verify", who=rate_limits.address_of(self.request.META))
        limits.take(scope="verify-account", who=str(self.person.pk))
        verification_send(user=self.person, purpose=self.purpose, now=clock.now())
        return self.done(gettext("A code is on its way. Enter it below."))


class ConfirmSection(SendCodeSection):
    """Enter the code that came."""

    is_sent = True

    def act(self, form: Form) -> HttpResponse:
        code = form.cleaned_data["code"].strip()
        verification_confirm(user=self.person, purpose=self.purpose, code=code, now=clock.now())
        return self.done(str(CONFIRMED))


class VerifyLinkPage(FormPage):
    """The link of a mail, for who is logged in. Mail programs open links too: only the button confirms."""

    template_name = "web/verify.html"
    form_class = Form
    purpose = Purpose.EMAIL

    def act(self, form: Form) -> HttpResponse:
        token = self.request.GET.get("token", "")
        verification_id = id_of_token(token)
        theirs = Verification.objects.filter(user=self.person, purpose=self.purpose)
        newest = theirs.order_by("-created_at", "-id").first()
        if verification_id is None or newest is None or newest.pk != verification_id:
            raise ValidationError(DEAD_LINK)
        verification_confirm(
            user=self.person, purpose=self.purpose, code=code_of(verification_id), now=clock.now()
        )
        messages.success(self.request, str(CONFIRMED))
        return HttpResponseRedirect(reverse("web:account"))
