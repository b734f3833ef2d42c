"""Inviting people by pasting their addresses, and coming to a shop that one is invited to."""

import hashlib
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from accounts.models import Invitation
from accounts.selectors import shops_managed_by
from accounts.services.invitations import invitation_of, invitation_take
from accounts.services.inviting import MAILED, Line, Verdict, Wish, people_foreseen, people_invite
from config.rest.exceptions import Conflict
from notifications.channels import registry
from notifications.web.console import done
from notifications.web.form_page import FormPage
from notifications.web.forms.shops import InviteForm
from notifications.web.page import Page


class InvitePage(FormPage):
    """For the staff, and whoever manages a shop. First it says what would become of each address."""

    template_name = "web/invite.html"
    form_class = InviteForm

    def get_initial(self) -> dict[str, Any]:
        return {"shop": self.request.GET.get("shop", "")}

    def get_form_kwargs(self) -> dict[str, Any]:
        # The staff invite people to no shop too.
        if not (self.person.is_staff or shops_managed_by(self.person).exists()):
            raise Http404
        return super().get_form_kwargs() | {"by": self.person}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"is_mail_sent": registry.is_offered("email")}

    def act(self, form: InviteForm) -> HttpResponse:
        wish, text = form.wish(), form.cleaned_data["addresses"]
        lines = people_foreseen(text=text, wish=wish)
        shown = _digest(lines, wish)
        if self.request.POST.get("step") != "send":
            return self.foreseen(form, lines, shown)
        if self.request.POST.get("shown") != shown:
            return self.foreseen(form, lines, shown, is_other=True)
        with transaction.atomic():
            invited = people_invite(text=text, wish=wish)
            done.note(self.person, *invited.invitations, *invited.memberships, is_new=True)
        messages.success(self.request, str(invited))
        back = reverse("web:shop", args=[wish.shop.slug]) if wish.shop else reverse("web:invite")
        return HttpResponseRedirect(back)

    def foreseen(self, form: InviteForm, lines: list[Line], shown: str, **context: Any) -> HttpResponse:
        mailed = sum(each.verdict in MAILED for each in lines)
        added = sum(each.verdict is Verdict.ADD for each in lines)
        context |= {
            # What needs a look comes first.
            "lines": sorted(lines, key=lambda each: each.verdict in (*MAILED, Verdict.ADD)),
            "mailed": mailed,
            "added": added,
            "left_out": len(lines) - mailed - added,
            "shown": shown,
        }
        return self.render_to_response(self.get_context_data(form=form, **context))


def _digest(lines: list[Line], wish: Wish) -> str:
    """Name what somebody is shown before it is done, so that nothing else is."""
    what = [(each.email, each.verdict.value) for each in lines]
    said = repr((what, wish.shop and wish.shop.slug, wish.role, wish.manages))
    return hashlib.sha256(said.encode()).hexdigest()


class JoinPage(Page):
    """Who has an account comes to the shop that they are invited to, once they have said so."""

    def get(self, request: HttpRequest) -> HttpResponse:
        invitation = self._invitation()
        if invitation is None:
            return self._refusal()
        return render(request, "web/join.html", {"invitation": invitation, "token": self._token})

    def post(self, request: HttpRequest) -> HttpResponse:
        invitation = self._invitation()
        if invitation is None:
            return self._refusal()
        try:
            with transaction.atomic():
                membership = invitation_take(invitation=invitation, user=self.person)
                done.note(self.person, membership, is_new=True)
        except Conflict:  # it was used, or withdrawn, in this moment
            return self._refusal()
        said = gettext("You are told what happens at %(shop)s from now on.")
        messages.success(request, said % {"shop": membership.shop.name})
        return HttpResponseRedirect(reverse("web:inbox"))

    @property
    def _token(self) -> str:
        return self.request.POST.get("invitation") or self.request.GET.get("invitation", "")

    def _invitation(self) -> Invitation | None:
        found = invitation_of(self._token)
        is_theirs = found is not None and found.shop_id is not None and found.email == self.person.email
        return found if is_theirs else None

    def _refusal(self) -> HttpResponse:
        outcome = {
            "heading": gettext("This invitation isn't for you"),
            "text": gettext(
                "It was used, was withdrawn or has expired, or it is for another address than your account's."
            ),
        }
        return render(self.request, "web/outcome.html", outcome, status=404)
