"""The way from an evening in the admin to the page on which it is run."""

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dating.models import Event


def run_sheet_link(event: Event) -> SafeString:
    return format_html(
        '<a class="underline" href="{}">Run-sheet</a>', reverse("dating:runsheet", args=[event.pk])
    )
