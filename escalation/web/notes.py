"""The form by which people note something on an escalation or an alert group."""

from datetime import datetime
from typing import Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from accounts.models import User
from config.rest.exceptions import Conflict
from escalation.models import AlertGroup, EscalationProcess
from escalation.timelines.entries import NOTE_MAX_LENGTH, note_add
from notifications.web.form_page import refuse

#: Statuses of a page that shows a refused form again.
INVALID: Final = 422
FULL: Final = 409


class NoteForm(forms.Form):
    text = forms.CharField(
        max_length=NOTE_MAX_LENGTH,
        label=gettext_lazy("Note"),
        help_text=gettext_lazy(
            "Whoever sees this page sees it, with your name and the time. It stays as it is."
        ),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


def note_from(form: NoteForm, about: EscalationProcess | AlertGroup, *, by: User, now: datetime) -> int:
    """Store what a form says; returns 0, or the status with which it is shown again."""
    if not form.is_valid():
        return INVALID
    try:
        note_add(about=about, text=form.cleaned_data["text"], by=str(by), via="web", user=by, now=now)
    except ValidationError as error:
        refuse(form, error)
        return INVALID
    except Conflict as error:
        form.add_error(None, str(error))
        return FULL
    return 0
