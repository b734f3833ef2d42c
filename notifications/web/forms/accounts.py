"""Logging in, registering and passwords."""

from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext, gettext_lazy

from accounts.models import Role
from accounts.validators import validate_time_zone

# What AUTH_PASSWORD_VALIDATORS come to, in fewer words than theirs.
RULES: Final = gettext_lazy(
    "At least 8 characters and not only digits. Don't use a common password, or your name or email address."
)
FIRST_NAME: Final = gettext_lazy("First name")
LAST_NAME: Final = gettext_lazy("Last name")
NEW_PASSWORD: Final = gettext_lazy("New password")
PASSWORD: Final = gettext_lazy("Password")
EMAIL: Final = {"autocomplete": "email", "autocapitalize": "none", "spellcheck": "false"}


def email_field() -> forms.EmailField:
    return forms.EmailField(label=gettext("Email address"), max_length=254, widget=forms.EmailInput(EMAIL))


def password_field(*, label: Any = PASSWORD, autocomplete: str, help_text: Any = "") -> forms.CharField:
    widget = forms.PasswordInput({"autocomplete": autocomplete})
    return forms.CharField(label=label, strip=False, max_length=4096, widget=widget, help_text=help_text)


def name_field(label: Any, autocomplete: str, *, required: bool = True) -> forms.CharField:
    widget = forms.TextInput({"autocomplete": autocomplete})
    return forms.CharField(label=label, max_length=150, required=required, widget=widget)


def new_password_field(label: Any = NEW_PASSWORD) -> forms.CharField:
    return password_field(label=label, autocomplete="new-password", help_text=RULES)


class LoginForm(forms.Form):
    email = email_field()
    password = password_field(autocomplete="current-password")


class RegisterForm(forms.Form):
    """Whether the values will do is the service's to say, here and in the other forms."""

    first_name = name_field(FIRST_NAME, "given-name")
    last_name = name_field(LAST_NAME, "family-name")
    role = forms.ChoiceField(
        label=gettext_lazy("You are"),
        choices=[
            (Role.STUDENT.value, gettext_lazy("A student")),
            (Role.ENCADRANT.value, gettext_lazy("A supervisor")),
        ],
    )
    email = email_field()
    password = new_password_field(PASSWORD)
    # The token of an invitation, by whose link somebody comes.
    invitation = forms.CharField(max_length=200, required=False, widget=forms.HiddenInput)
    # Filled in by the script.
    time_zone = forms.CharField(
        max_length=64, required=False, widget=forms.HiddenInput({"data-time-zone": ""})
    )

    def clean_time_zone(self) -> str:
        """Take what the browser says; what it says wrongly is no fault of who fills in the form."""
        time_zone: str = self.cleaned_data["time_zone"]
        try:
            validate_time_zone(time_zone)
        except ValidationError:
            return "UTC"
        return time_zone


class ResetRequestForm(forms.Form):
    email = email_field()


class ResetForm(forms.Form):
    """By the token of a mailed link."""

    token = forms.CharField(max_length=200, widget=forms.HiddenInput)
    new_password = new_password_field()


class PasswordForm(forms.Form):
    """By the present password."""

    current_password = password_field(label=gettext_lazy("Current password"), autocomplete="current-password")
    new_password = new_password_field()


class EmailForm(forms.Form):
    """Another email address, by the password."""

    email = email_field()
    current_password = password_field(label=gettext_lazy("Current password"), autocomplete="current-password")


class LeaveForm(forms.Form):
    password = password_field(autocomplete="current-password")


class DetailsForm(forms.Form):
    """What people may change about themselves with nothing but their session."""

    first_name = name_field(FIRST_NAME, "given-name", required=False)
    last_name = name_field(LAST_NAME, "family-name", required=False)
    phone = forms.CharField(
        label=gettext_lazy("Phone number"),
        max_length=40,
        required=False,
        help_text=gettext_lazy("With its country code, such as +33546000000."),
        widget=forms.TextInput({"autocomplete": "tel", "inputmode": "tel"}),
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language of your pages and messages"), choices=settings.LANGUAGES
    )


class CodeForm(forms.Form):
    """The code that came; to have one sent, none is asked for."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=10,
        widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, is_sent: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].required = is_sent
