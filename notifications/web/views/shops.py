"""Shops and who works there, for those who manage them."""

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from accounts import selectors
from accounts.models import Invitation, Membership, Shop
from accounts.ranks import people_below
from accounts.services.invitations import invitation_send_again
from accounts.services.memberships import membership_end, membership_set_manager
from accounts.services.shops import shop_make
from config import clock
from config.rest.exceptions import Conflict, TooMany
from notifications.models import ContactPoint
from notifications.services.delivery_actions import contact_points_try
from notifications.web import limits
from notifications.web.console import done
from notifications.web.form_page import FormPage
from notifications.web.forms.shops import InviteForm, ShopForm
from notifications.web.page import Page
from notifications.web.tried import ShownPoint, remember, shown_to_staff
from notifications.web.views.trying import TryPage

PAGE_SIZE: Final = 50
SHOWN: Final = 200
#: Of invitations that are shown, and of contact points that one press tests.
MOST: Final = 100


class ShopsPage(FormPage):
    """Those that somebody manages; the staff see all, and make more."""

    template_name = "web/shops.html"
    form_class = ShopForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        text = self.request.GET.get("q", "").replace("\x00", "").strip()
        working = Count("memberships", filter=Q(memberships__left_at=None))
        shops = selectors.shops_managed_by(self.person).annotate(working=working)
        if text:
            shops = shops.filter(Q(name__icontains=text) | Q(slug__icontains=text))
        found = list(shops.order_by("name")[: SHOWN + 1])
        context = {"shops": found[:SHOWN], "are_more": len(found) > SHOWN, "text": text}
        return super().get_context_data(**kwargs) | context

    def act(self, form: ShopForm) -> HttpResponse:
        with transaction.atomic():
            shop = shop_make(name=form.cleaned_data["name"])
            done.note(self.person, shop, is_new=True)
        return HttpResponseRedirect(reverse("web:shop", args=[shop.slug]))


class OfShop(Page):
    """Something of a shop that whoever asks manages; others learn nothing of it."""

    @property
    def shop(self) -> Shop:
        return get_object_or_404(selectors.shops_managed_by(self.person), slug=self.kwargs["shop"])

    def to_shop(self, shop: Shop, anchor: str = "") -> HttpResponse:
        return HttpResponseRedirect(f"{reverse('web:shop', args=[shop.slug])}{anchor}")


class ShopPage(OfShop):
    def get(self, request: HttpRequest, shop: str) -> HttpResponse:
        found, now = self.shop, clock.now()
        page = Paginator(selectors.members_of(found), PAGE_SIZE).get_page(request.GET.get("page"))
        members = list(page)
        points: dict[UUID, list[ShownPoint]] = {}
        for shown in shown_to_staff(request, self.person, points_of(members)):
            points.setdefault(shown.point.user_id, []).append(shown)
        invitations = list(selectors.invitations_to(found)[: MOST + 1])
        context = {
            "shop": found,
            "members": [(each, points.get(each.user_id, [])) for each in members],
            "page": page,
            "invitations": [(each, each.expires_at <= now) for each in invitations[:MOST]],
            "are_more": len(invitations) > MOST,
            "invite": InviteForm(by=self.person, initial={"shop": found.slug}),
        }
        return render(request, "web/shop.html", context)


def points_of(members: list[Membership]) -> list[ContactPoint]:
    people = [each.user_id for each in members]
    points = ContactPoint.objects.filter(user__in=people, deleted_at=None).select_related("user")
    return list(points.order_by("channel", "pk"))


class MemberPage(OfShop):
    """Somebody who works at a shop."""

    def membership(self) -> Membership:
        return get_object_or_404(selectors.members_of(self.shop), user=self.kwargs["user_id"])


class MemberRemove(MemberPage):
    def get(self, request: HttpRequest, shop: str, user_id: UUID) -> HttpResponse:
        return render(request, "web/shop_remove.html", {"membership": self.membership()})

    def post(self, request: HttpRequest, shop: str, user_id: UUID) -> HttpResponse:
        membership = self.membership()
        with transaction.atomic():
            if membership_end(membership=membership):
                done.note(self.person, membership, changed=["Left at"])
        messages.success(request, gettext("They are no longer told what happens here."))
        if not selectors.shops_managed_by(self.person).filter(pk=membership.shop_id).exists():
            return HttpResponseRedirect(reverse("web:shops"))  # they have removed themselves
        return self.to_shop(membership.shop, "#members")


class MemberManager(MemberPage):
    """Let somebody manage the shop, or no longer; for the staff."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, shop: str, user_id: UUID) -> HttpResponse:
        membership = self.membership()
        with transaction.atomic():
            membership_set_manager(membership=membership, manages=request.POST.get("manages") == "on")
            done.note(self.person, membership, changed=["Manages"])
        messages.success(request, gettext("Saved."))
        return self.to_shop(membership.shop, "#members")


class InvitationPage(OfShop):
    def invitation(self) -> Invitation:
        return get_object_or_404(selectors.invitations_to(self.shop), pk=self.kwargs["invitation_id"])


class InvitationWithdraw(InvitationPage):
    def get(self, request: HttpRequest, shop: str, invitation_id: UUID) -> HttpResponse:
        return render(request, "web/shop_withdraw.html", {"invitation": self.invitation()})

    def post(self, request: HttpRequest, shop: str, invitation_id: UUID) -> HttpResponse:
        found, invitation = self.shop, self.invitation()
        with transaction.atomic():
            done.note(self.person, invitation, is_gone=True)
            invitation.delete()
        messages.success(request, gettext("Withdrawn: its link no longer works."))
        return self.to_shop(found, "#invitations")


class InvitationAgain(InvitationPage):
    http_method_names = ["post"]

    def post(self, request: HttpRequest, shop: str, invitation_id: UUID) -> HttpResponse:
        found, invitation = self.shop, self.invitation()
        try:
            if not self.person.is_staff:
                limits.take(scope="invite", who=str(self.person.pk))
            with transaction.atomic():
                invitation_send_again(invitation=invitation)
                done.note(self.person, invitation, changed=["Expires at"])
            messages.success(request, gettext("The link is on its way again."))
        except (Conflict, TooMany) as error:
            messages.error(request, str(error))
        return self.to_shop(found, "#invitations")


class MemberTry(TryPage, OfShop):
    """Test one contact point of somebody who works at a shop; its address is not shown."""

    part = "web/_member_tried.html"

    def point(self, point_id: UUID) -> ContactPoint:
        points = ContactPoint.objects.filter(deleted_at=None).select_related("user")
        return get_object_or_404(
            points, pk=point_id, user__in=selectors.members_of(self.shop).order_by().values("user")
        )

    def home(self, point: ContactPoint) -> str:
        return reverse("web:shop", args=[self.kwargs["shop"]])

    def context(self) -> dict[str, Any]:
        return {"shop": self.shop}


class ShopTest(OfShop):
    """Send a test to everybody who works at a shop, or to oneself, after saying to how many."""

    def get(self, request: HttpRequest, shop: str) -> HttpResponse:
        found = self.shop
        members = list(selectors.members_of(found))
        theirs = self.testable(points_of(members))
        reached = {each.user_id for each in theirs}
        context = {
            "shop": found,
            "points": len(theirs),
            "people": len(reached),
            "unreached": [each for each in members if each.user_id not in reached][:MOST],
            "own": len(self.own()),
            "most": MOST,
        }
        return render(request, "web/shop_test.html", context)

    def post(self, request: HttpRequest, shop: str) -> HttpResponse:
        found = self.shop
        if request.POST.get("whom") == "me":
            points = self.own()
        else:
            points = self.testable(points_of(list(selectors.members_of(found))))
        if not points or len(points) > MOST:
            return HttpResponseRedirect(reverse("web:shop-test", args=[found.slug]))
        try:
            limits.take(scope="test-send", who=str(self.person.pk))
            for delivery in contact_points_try(contact_points=points, by=self.person, via="web"):
                remember(request, delivery)
        except (Conflict, TooMany) as error:
            messages.error(request, str(error))
        else:
            count = len(points)
            said = ngettext(
                "%(count)d test message is on its way.", "%(count)d test messages are on their way.", count
            )
            messages.success(request, said % {"count": count})
        return self.to_shop(found, "#members")

    def testable(self, points: list[ContactPoint]) -> list[ContactPoint]:
        """Return those that can be told, of people whose account may be acted on by whoever asks."""
        usable = [
            each
            for each in points
            if each.confirmed_at and each.is_enabled and not each.gone_at and each.user.is_active
        ]
        people = people_below(self.person).filter(pk__in={each.user_id for each in usable})
        below = set(people.values_list("pk", flat=True))
        return [each for each in usable if each.user_id in below]

    def own(self) -> list[ContactPoint]:
        return self.testable(
            list(ContactPoint.objects.filter(user=self.person, deleted_at=None).select_related("user"))
        )
