"""Shops, and inviting people to them."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from accounts.models import Role, Shop, User
from accounts.selectors import shops_managed_by
from accounts.services.inviting import Wish


class InviteForm(forms.Form):
    """Addresses as they are pasted, and to what these people are invited. The last three are the staff's."""

    addresses = forms.CharField(
        label=gettext_lazy("Email addresses"),
        max_length=60_000,
        help_text=gettext_lazy(
            "One a line, or with commas; names may stay: Ana Moreau <ana@example.com>. At most 500."
        ),
        widget=forms.Textarea({"rows": 6, "autocapitalize": "none", "spellcheck": "false"}),
    )
    shop = forms.ModelChoiceField(
        label=gettext_lazy("Shop"),
        queryset=Shop.objects.none(),
        to_field_name="slug",
        required=False,
        empty_label=gettext_lazy("No shop"),
    )
    role = forms.ChoiceField(
        label=gettext_lazy("They are"),
        required=False,
        choices=[
            ("", gettext_lazy("Staff of the shop, and nothing else")),
            (Role.STUDENT.value, gettext_lazy("Students")),
            (Role.ENCADRANT.value, gettext_lazy("Supervisors")),
        ],
    )
    manages = forms.BooleanField(label=gettext_lazy("They manage the shop"), required=False)
    again = forms.BooleanField(
        label=gettext_lazy("Send the link again to whoever is invited already"), required=False
    )

    def __init__(self, *args: Any, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by = by
        shop = self.fields["shop"]
        assert isinstance(shop, forms.ModelChoiceField)
        shop.queryset = shops_managed_by(by)
        if not by.is_staff:
            del self.fields["role"], self.fields["manages"]
            shop.required, shop.empty_label = True, None

    def wish(self) -> Wish:
        given = self.cleaned_data
        return Wish(
            by=self.by,
            shop=given["shop"],
            role=given.get("role", ""),
            manages=given.get("manages", False) and given["shop"] is not None,
            again=given["again"],
        )


class ShopForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
