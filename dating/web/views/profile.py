"""What somebody says of themselves, so that people can be found whom they may like."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy, ngettext

from accounts.verification import code_of
from config import clock
from dating.ages import validate_birthday
from dating.models import DatingProfile
from dating.services.bot import CHANNEL, bot_code_make
from dating.services.profiles import profile_set
from notifications.channels import registry
from notifications.web.form_page import FormPage
from notifications.web.page import Page


class ProfileForm(forms.Form):
    birthday = forms.DateField(
        label=gettext_lazy("Birthday"),
        validators=[validate_birthday],
        widget=forms.DateInput({"type": "date", "autocomplete": "bday"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("Nobody else sees it. We match people of similar ages."),
    )
    city = forms.CharField(
        label=gettext_lazy("City"),
        max_length=100,
        required=False,
        widget=forms.TextInput({"autocomplete": "address-level2"}),
    )
    seeks = forms.ChoiceField(
        label=gettext_lazy("I would like to meet"),
        choices=DatingProfile.Seeks.choices,
        widget=forms.RadioSelect,
    )


class BotCodePage(Page):
    """A code for the dating bot, shown on the page of one's profile."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        code = code_of(bot_code_make(user=self.person, now=clock.now()).pk)
        minutes = max(1, round(settings.CODE_EXPIRES_S / 60))
        said = ngettext(
            "Your code for the dating bot is %(code)s. It works once, for %(count)d minute.",
            "Your code for the dating bot is %(code)s. It works once, for %(count)d minutes.",
            minutes,
        )
        messages.success(request, said % {"code": code, "count": minutes})
        return HttpResponseRedirect(reverse("dating:profile"))


class ProfilePage(FormPage):
    template_name = "dating/profile.html"
    form_class = ProfileForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"has_bot": registry.is_offered(CHANNEL)}

    def get_initial(self) -> dict[str, Any]:
        profile = DatingProfile.objects.filter(user=self.person).first() or DatingProfile()
        return {"birthday": profile.birthday, "city": profile.city, "seeks": profile.seeks}

    def act(self, form: ProfileForm) -> HttpResponse:
        profile_set(user=self.person, **form.cleaned_data)
        messages.success(self.request, gettext("Saved."))
        return HttpResponseRedirect(reverse("dating:events"))
