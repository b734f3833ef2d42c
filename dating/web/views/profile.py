"""What somebody says of themselves, so that people can be found whom they may like."""

from datetime import date
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from dating.models import DatingProfile
from dating.services.profiles import profile_set
from notifications.web.form_page import FormPage


class ProfileForm(forms.Form):
    birthday = forms.DateField(
        widget=forms.DateInput({"type": "date", "autocomplete": "bday"}, format="%Y-%m-%d"),
        help_text="Nobody sees it. People of a similar age are brought together.",
    )
    city = forms.CharField(
        max_length=100, required=False, widget=forms.TextInput({"autocomplete": "address-level2"})
    )
    seeks = forms.ChoiceField(
        label="I would like to meet", choices=DatingProfile.Seeks.choices, widget=forms.RadioSelect
    )

    def clean_birthday(self) -> date:
        birthday: date = self.cleaned_data["birthday"]
        if not date(1900, 1, 1) <= birthday <= date.today():  # noqa: DTZ011 - a day more or less is all the same
            raise forms.ValidationError("Enter the day on which you were born.")
        return birthday


class ProfilePage(FormPage):
    template_name = "dating/profile.html"
    form_class = ProfileForm

    def get_initial(self) -> dict[str, Any]:
        profile = DatingProfile.objects.filter(user=self.person).first() or DatingProfile()
        return {"birthday": profile.birthday, "city": profile.city, "seeks": profile.seeks}

    def act(self, form: ProfileForm) -> HttpResponse:
        profile_set(user=self.person, **form.cleaned_data)
        messages.success(self.request, "Saved.")
        return HttpResponseRedirect(reverse("dating:events"))
