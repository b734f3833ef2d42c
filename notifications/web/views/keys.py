"""Keys of services: made and shown once, with the line that sends a first alert, and revoked."""

from typing import Any, Final
from uuid import UUID, uuid4

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.generic import TemplateView

from accounts.models import ApiKey, Scope, Shop, User
from accounts.rights import scopes_of
from accounts.services.api_keys import api_key_create, api_key_revoke
from config import clock
from notifications.models import Alert
from notifications.web.console.done import note
from notifications.web.form_page import FormPage
from notifications.web.page import Page
from notifications.web.snippets import VERIFY

#: So many keys are shown, the newest first.
MOST_SHOWN: Final = 200
#: What a key may do, in words; ``Scope`` has the API's own.
SAID: Final = {
    Scope.ALERTS_WRITE: gettext_lazy("Post alerts"),
    Scope.ALERTS_READ: gettext_lazy("Read alerts"),
    Scope.PREFERENCES_WRITE: gettext_lazy("Read and change preferences"),
    Scope.DELIVERIES_READ: gettext_lazy("Read deliveries"),
    Scope.DELIVERIES_WRITE: gettext_lazy("Replay and cancel deliveries"),
    Scope.METRICS_READ: gettext_lazy("Read readiness and metrics"),
    Scope.ESCALATIONS_WRITE: gettext_lazy("Start and stop escalations"),
    Scope.ESCALATIONS_READ: gettext_lazy("Read escalations"),
    Scope.TRACING_WRITE: gettext_lazy("Upload contacts and statuses"),
    Scope.TRACING_READ: gettext_lazy("Read cases"),
    Scope.TRACING_FILTERS: gettext_lazy("Read and set filters"),
    Scope.DATING_WRITE: gettext_lazy("Create dating evenings, and register people"),
    Scope.DATING_READ: gettext_lazy("Read dating evenings"),
    Scope.EVENTS_WRITE: gettext_lazy("Publish events"),
    Scope.EVENTS_READ: gettext_lazy("Read events and dead letters"),
    Scope.MESSAGES_WRITE: gettext_lazy("Replay and discard brokers' dead letters"),
    Scope.MESSAGES_READ: gettext_lazy("Read brokers' dead letters"),
}


class KeyForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=100, help_text=gettext_lazy("Which service uses it.")
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        allowed = scopes_of(by)
        choices = [(scope.value, said) for scope, said in SAID.items() if scope in allowed]
        self.fields["scopes"].choices = choices  # type: ignore[attr-defined]


class KeysPage(FormPage):
    """For staff. Those who may add keys in the admin make them here, with no more rights than they have."""

    template_name = "web/console/keys.html"
    form_class = KeyForm

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"by": self.person}

    def get_initial(self) -> dict[str, Any]:
        name = gettext("First key") if not ApiKey.objects.exists() else ""
        return {"name": name, "scopes": [Scope.ALERTS_WRITE]}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        keys = ApiKey.objects.order_by("-created_at", "-pk")[:MOST_SHOWN]
        return super().get_context_data(**kwargs) | {
            "keys": [(each, _words(each), _may_revoke(self.person, each)) for each in keys],
            "can_add": self.person.has_perm("accounts.add_apikey"),
            "now": clock.now(),
        }

    def act(self, form: KeyForm) -> HttpResponse:
        if not self.person.has_perm("accounts.add_apikey"):
            raise PermissionDenied
        api_key, key = api_key_create(**form.cleaned_data)
        note(self.person, api_key, is_new=True)
        # Not kept anywhere, not even for a redirect.
        return render(self.request, "web/console/key.html", {"made": key, **_shown(api_key, uuid4())})


class KeyPage(Page):
    """For staff: whether a key has been used yet, and whether the alert of its line has come."""

    def get(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        api_key = get_object_or_404(ApiKey, pk=key_id)
        try:
            alert = UUID(request.GET.get("alert", ""))
        except ValueError:
            alert = uuid4()
        return render(request, "web/console/key.html", _shown(api_key, alert))


class ArrivalPage(Page):
    """The part of a key's page that turns once something has come."""

    def get(self, request: HttpRequest, key_id: UUID, alert_uuid: UUID) -> HttpResponse:
        context = _shown(get_object_or_404(ApiKey, pk=key_id), alert_uuid)
        return render(request, "web/console/_arrival.html", context)


class RevokePage(Page):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, key_id: UUID) -> HttpResponse:
        api_key = get_object_or_404(ApiKey, pk=key_id)
        may = self.person.has_perm("accounts.change_apikey") and scopes_of(self.person).issuperset(
            api_key.scopes
        )
        if not may:
            raise PermissionDenied
        if api_key_revoke(api_key=api_key, now=clock.now()):
            note(self.person, api_key, changed=["revoked_at"])
        messages.success(request, gettext("Revoked. Whatever uses it is refused from now on."))
        return HttpResponseRedirect(reverse("web:keys"))


class VerifyPage(Page, TemplateView):
    """How to verify that a webhook is ours, in a few languages."""

    template_name = "web/verify_webhooks.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"snippets": VERIFY.items()}


def _may_revoke(person: User, api_key: ApiKey) -> bool:
    """Whether somebody may take a key away, as in the admin: its scopes must be theirs to give."""
    return person.has_perm("accounts.change_apikey") and scopes_of(person).issuperset(api_key.scopes)


def _words(api_key: ApiKey) -> list[str]:
    return [str(SAID.get(Scope(scope), scope)) if scope in Scope else scope for scope in api_key.scopes]


def _shown(api_key: ApiKey, alert: UUID) -> dict[str, Any]:
    return {
        "key": api_key,
        "words": _words(api_key),
        "posts_alerts": Scope.ALERTS_WRITE in api_key.scopes,
        "base": settings.PUBLIC_URL,
        "shop": Shop.objects.order_by("pk").values_list("slug", flat=True).first(),
        "uuid": alert,
        "at": int(clock.timestamp()),
        "has_come": Alert.objects.filter(alert_uuid=alert).exists(),
    }
