"""Starting an escalation by hand: choose a policy, see who would be told, then start exactly that."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core import signing
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from accounts.ids import uuid7
from accounts.models import User
from config import clock
from escalation.models import Policy, PolicyVersion
from escalation.policies import selectors
from escalation.policies.words import shown_rows
from escalation.requests import DETAILS_MAX_LENGTH, ID_MAX_LENGTH, Request, request_of
from escalation.services.requests import STARTED, request_run
from notifications.models import Severity
from notifications.web.form_page import FormPage

#: For so long what was shown can be started; the plan of a later time may be another.
SHOWN_FOR: Final = timedelta(minutes=15)
STARTS: Final = gettext_lazy("Started. People are told until somebody stops or acknowledges it.")
WAS_UNDER_WAY: Final = gettext_lazy("One of this title was under way already: this one. Nothing was started.")
LATE: Final = gettext_lazy("Some time has passed: look at who would be told now, then start it.")
CHANGED: Final = gettext_lazy("Something has changed: look at who would be told now, then start it.")
_SALT: Final = "escalation.start"
# What the form calls the fields of a request.
_NAMES: Final = {"process-id": "title"}


class StartForm(forms.Form):
    policy = forms.ChoiceField(label=gettext_lazy("Policy"))
    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=ID_MAX_LENGTH,
        help_text=gettext_lazy("What it is about. One of this title can be under way at a time."),
    )
    details = forms.CharField(
        label=gettext_lazy("Details"),
        max_length=DETAILS_MAX_LENGTH,
        required=False,
        widget=forms.Textarea({"rows": 4}),
        help_text=gettext_lazy(
            "Optional: what the messages say besides. Text messages and calls leave it out."
        ),
    )
    severity = forms.ChoiceField(
        label=gettext_lazy("Severity"),
        choices=[("", gettext_lazy("As the policy says")), *Severity.choices],
        required=False,
        help_text=gettext_lazy("Critical messages are sent in quiet hours too."),
    )
    shown = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = Policy.objects.filter(deleted_at=None).order_by("name").values_list("name", flat=True)
        self.fields["policy"].choices = [("", gettext("Choose one")), *((name, name) for name in names)]  # type: ignore[attr-defined]

    def request(self) -> Request:
        """Return what the API would be asked.

        Raises:
            ValidationError: it would refuse it; by the form's fields.
        """
        given = self.cleaned_data
        body = {"process-id": given["title"], "action": "start"}
        body |= {name: given[name] for name in ("policy", "severity", "details") if given[name]}
        try:
            return request_of(body)
        except ValidationError as error:
            raise ValidationError({_NAMES.get(name, name): said for name, said in error.message_dict.items()})


@dataclass(frozen=True, slots=True)
class Shown:
    """A dry run that somebody was shown; ``run`` is the id of what its button starts."""

    run: UUID
    version: PolicyVersion
    request: Request

    def token(self, person: User) -> str:
        return signing.dumps([str(self.run), *self._said(person)], salt=_SALT)

    def _said(self, person: User) -> list[str]:
        asked = self.request
        return [str(person.pk), str(self.version.pk), asked.process_id, asked.severity, asked.details]

    @classmethod
    def again(cls, token: str, version: PolicyVersion, request: Request, person: User) -> "Shown":
        """Return what this person was shown, if it is what they ask for.

        Raises:
            signing.BadSignature: it is another, or too old.
        """
        run, *said = signing.loads(token, salt=_SALT, max_age=SHOWN_FOR)
        found = cls(UUID(run), version, request)
        if said != found._said(person):
            raise signing.BadSignature
        return found


class StartPage(FormPage):
    """For staff. Pressing the button twice starts one process; so does a page that was left open."""

    template_name = "escalation/start.html"
    form_class = StartForm

    def get_initial(self) -> dict[str, Any]:
        return {"policy": self.request.GET.get("policy", "")}

    def act(self, form: StartForm) -> HttpResponse:
        request = form.request()
        version = selectors.version_named(request.policy)
        if "start" in self.request.POST:
            try:
                shown = Shown.again(form.cleaned_data["shown"], version, request, self.person)
            except signing.SignatureExpired:
                return self._dry_run(form, request, version, str(LATE))
            except signing.BadSignature:
                return self._dry_run(form, request, version, str(CHANGED))
            return self._started(shown)
        return self._dry_run(form, request, version)

    def _dry_run(
        self, form: StartForm, request: Request, version: PolicyVersion, problem: str = ""
    ) -> HttpResponse:
        now = clock.now()
        recipients = selectors.simulated(version, at=now, severity=request.severity)
        rows = shown_rows(recipients, started_at=now)
        context = self.get_context_data(
            form=form,
            severity=Severity(request.severity or version.severity).label,
            rows=rows,
            tells_nobody=not any(row["recipient"].is_told for row in rows),
            version=version,
            token=Shown(uuid7(), version, request).token(self.person),
            problem=problem,
        )
        return self.render_to_response(context, status=409 if problem else 200)

    def _started(self, shown: Shown) -> HttpResponse:
        answer = request_run(shown.request, now=clock.now(), started_by=self.person, run=shown.run)
        process = answer.process
        assert process is not None  # a start has one, its own or that which was active
        if answer.result == STARTED or process.pk == shown.run:
            messages.success(self.request, STARTS)
        else:
            messages.info(self.request, WAS_UNDER_WAY)
        return HttpResponseRedirect(reverse("escalation:timeline", args=[process.pk]))
