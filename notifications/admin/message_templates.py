"""Texts of messages: which there are, and putting others in the place of those in the files."""

from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.validators import RegexValidator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.admin import StaffViews
from accounts.models import User
from accounts.ranks import Rank, rank_of
from notifications.channels import registry
from notifications.messages import catalogue, vocabulary
from notifications.messages.states import kind_states
from notifications.messages.validation import preview, sample_of
from notifications.models import MessageTemplate

KIND: Final = RegexValidator(
    r"\A[a-z0-9_-]+(\.[a-z0-9_-]+)*\Z", "Enter small letters, digits, - and _, with dots between words."
)
PREVIEWED: Final = ("kind", "language", "channel", "title", "body")
CHOICES: Final = [("", "all channels"), *((name, name) for name in sorted(registry.CHANNELS))]


def may_word(by: User, kind: str) -> bool:
    """Whether somebody may change texts of a kind: a link to log in with could be led elsewhere by them."""
    return not kind.startswith("account.") or rank_of(by) is Rank.SUPERUSER


class MessageTemplateForm(forms.ModelForm):
    channel = forms.ChoiceField(choices=CHOICES, required=False, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = MessageTemplate
        fields = ("kind", "language", "channel", "title", "body", "is_active")
        widgets = {
            "kind": UnfoldAdminTextInputWidget(attrs={"spellcheck": "false"}),
            "title": UnfoldAdminTextInputWidget,
            "body": UnfoldAdminTextareaWidget(attrs={"rows": 12}),
        }

    #: Whoever writes the text.
    by: User

    def clean_kind(self) -> str:
        kind: str = self.cleaned_data["kind"]
        KIND(kind)
        if not may_word(self.by, kind):
            raise forms.ValidationError(
                "Only a superuser can change texts that hold codes and links to log in with."
            )
        return kind

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        asked = {name: cleaned.get(name, getattr(self.instance, name)) for name in PREVIEWED}
        if asked["kind"] and asked["language"]:
            for field, problems in preview(**asked).faults.items():
                if field in self.fields and field not in self.errors:
                    self.add_error(field, problems)
        return cleaned


@admin.register(MessageTemplate)
class MessageTemplateAdmin(StaffViews, ModelAdmin):
    """The list shows all texts, not only those overridden; to reset one is to delete its override."""

    form = MessageTemplateForm
    fields = ("kind", ("language", "channel"), "title", "body", "is_active", ("updated_at", "updated_by"))
    readonly_fields = ("updated_at", "updated_by")
    change_form_after_template = "notifications/admin/message_template_help.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.preview_view))
        return [path("preview/", view, name="notifications_messagetemplate_preview"), *super().get_urls()]

    def get_form(self, request: HttpRequest, obj: MessageTemplate | None = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        return type(form.__name__, (form,), {"by": request.user})

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        by: User = request.user  # type: ignore[assignment]
        return super().has_change_permission(request, obj) and (obj is None or may_word(by, obj.kind))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        by: User = request.user  # type: ignore[assignment]
        return super().has_delete_permission(request, obj) and (obj is None or may_word(by, obj.kind))

    def get_fields(self, request: HttpRequest, obj: MessageTemplate | None = None) -> Any:
        return self.fields if obj else self.fields[:-1]

    def get_readonly_fields(self, request: HttpRequest, obj: MessageTemplate | None = None) -> Any:
        return (*self.readonly_fields, "kind", "language", "channel") if obj else self.readonly_fields

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "Message texts",
            "opts": self.opts,
            "kinds": kind_states(),
            "languages": [name for _, name in settings.LANGUAGES],
            "may_add": self.has_add_permission(request),
            "may_delete": self.has_delete_permission(request),
        }
        return TemplateResponse(request, "notifications/admin/message_templates.html", context)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Start from the text that is used now."""
        asked = super().get_changeform_initial_data(request)
        texts = catalogue.texts_of(asked.get("kind", ""))
        language, channel = asked.get("language", ""), asked.get("channel", "")
        text = texts.get((language, channel)) or texts.get((language, ""))
        return {**(text.source._asdict() if text else {}), **asked}

    def save_model(self, request: HttpRequest, obj: MessageTemplate, form: Any, change: bool) -> None:
        obj.updated_by = request.user if request.user.is_authenticated else None
        super().save_model(request, obj, form, change)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        override = self.get_object(request, object_id) if object_id else None
        kind = override.kind if override else request.POST.get("kind") or request.GET.get("kind", "")
        # The names that a kind's texts may use have a meaning and an example.
        described = catalogue.kinds().get(kind)
        meanings = {**(described.variables if described else {}), **catalogue.COMMON}
        help_context = {
            "known": [
                (name, meanings.get(name, ""), value) for name, value in sorted(sample_of(kind).items())
            ],
            "kind": described,
            "override": override,
            "show_save_and_add_another": False,
            "filters": sorted(vocabulary.register.filters),
        }
        return super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), **help_context}
        )

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Show what the text in the form makes of the example."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        shown = preview(**{name: request.POST.get(name, "") for name in PREVIEWED})
        return TemplateResponse(request, "notifications/admin/message_preview.html", {"preview": shown})
