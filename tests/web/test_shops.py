"""The pages of shops: for those who manage them, and nobody else."""

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.models import Invitation, Membership, Shop, User
from accounts.services.inviting import Wish, people_invite
from accounts.services.memberships import membership_begin
from accounts.verification import token_of
from config import clock
from notifications.models import ContactPoint, Delivery, DeliveryAction
from tests.factories import ContactPointFactory, ShopFactory, UserFactory

Browse = Callable[..., Client]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mail(settings: Any) -> None:
    settings.SMTP_HOST = "127.0.0.1"


@pytest.fixture
def manager(shop: Shop) -> User:
    user = UserFactory(email="boss@example.com", first_name="Bea")
    membership_begin(shop=shop, user=user, manages=True)
    return user


@pytest.fixture
def desk(browse: Browse, manager: User) -> Client:
    return browse(manager)


def text_of(answer: Any) -> str:
    page = answer.content.decode().partition('<main id="main"')[2].partition("</main>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def at(shop: Shop, *parts: object) -> str:
    return "/shops/" + "/".join(map(str, (shop.slug, *parts))) + "/"


def tried() -> list[str]:
    sent = Delivery.objects.filter(notification__kind="test").values_list("user__email", flat=True)
    return sorted(map(str, sent))


# --- Who sees what ---------------------------------------------------------------------------------------


def test_the_list_has_what_somebody_manages_and_for_staff_all(
    browse: Browse, desk: Client, operator: User, owner: User, shop: Shop
) -> None:
    ShopFactory(name="Far away")
    assert shop.name in text_of(desk.get("/shops/"))
    assert "Far away" not in text_of(desk.get("/shops/"))
    for name in (shop.name, "Far away"):
        assert name in text_of(browse(operator).get("/shops/"))
    assert text_of(browse(operator).get("/shops/?q=far")).count("member") == 1
    # Works there, and manages nothing.
    assert "You manage no shop." in text_of(browse(owner).get("/shops/"))


def test_the_bar_leads_there_for_whoever_manages_a_shop(browse: Browse, desk: Client, owner: User) -> None:
    def bar(client: Client) -> str:
        return client.get("/inbox/").content.decode().partition("</nav>")[0]

    assert 'href="/shops/"' in bar(desk)
    assert 'href="/shops/"' not in bar(browse(owner))


def test_a_second_organisation_sees_nothing_of_the_first(
    browse: Browse, shop: Shop, owner: User, manager: User
) -> None:
    other = ShopFactory(name="Elsewhere")
    rival = UserFactory(email="rival@example.com")
    membership_begin(shop=other, user=rival, manages=True)
    point = ContactPointFactory(user=owner)
    people_invite(text="zoe@example.com", wish=Wish(by=manager, shop=shop))
    invitation = Invitation.objects.get()
    page = browse(rival)
    paths = [
        at(shop),
        at(shop, "test"),
        at(shop, "members", owner.pk, "remove"),
        at(shop, "points", point.pk, "test"),
        at(shop, "invitations", invitation.pk, "withdraw"),
        # Theirs is another shop, where none of this is.
        at(other, "members", owner.pk, "remove"),
        at(other, "points", point.pk, "test"),
        at(other, "invitations", invitation.pk, "withdraw"),
    ]
    assert [page.get(path).status_code for path in paths] == [404] * len(paths)
    paths += [
        at(shop, "invitations", invitation.pk, "again"),
        at(other, "invitations", invitation.pk, "again"),
    ]
    assert [page.post(path).status_code for path in paths[1:]] == [404] * len(paths[1:])
    assert page.post(at(other, "members", rival.pk, "manager")).status_code == 403
    assert page.post("/shops/", {"name": "Mine"}).status_code == 403
    answer = page.post("/invite/", {"addresses": f"{owner.email}\nzoe@example.com", "shop": shop.slug})
    assert answer.status_code == 422
    shown = "".join(text_of(each) for each in (page.get("/shops/"), page.get(at(other)), answer))
    for theirs in (shop.name, "Zoe", manager.email):
        assert theirs not in shown
    asked = {"addresses": f"{owner.email}\nzoe@example.com", "shop": other.slug}
    # Not that one has an account, or that the other is invited there.
    assert {each.verdict for each in page.post("/invite/", asked).context["lines"]} == {"invite"}
    assert owner.memberships.get().left_at is None
    assert tried() == []
    assert Invitation.objects.get() == invitation


@pytest.mark.parametrize("lost", ["left_at", "manages"])
def test_whoever_manages_no_longer_is_out(desk: Client, manager: User, shop: Shop, lost: str) -> None:
    assert desk.get(at(shop)).status_code == 200
    Membership.objects.filter(user=manager).update(
        **({"left_at": clock.now()} if lost == "left_at" else {"manages": False})
    )
    assert [desk.get(path).status_code for path in (at(shop), "/invite/")] == [404, 404]


def test_the_page_says_who_works_there_and_how_they_are_told_but_not_where(
    desk: Client, owner: User, shop: Shop
) -> None:
    ContactPointFactory(user=owner, channel="sms", address="+33612345678", label="Secret")
    ContactPointFactory(user=owner, channel="email", address="home@example.org", confirmed_at=None)
    gone = UserFactory(first_name="Longgone")
    Membership.objects.create(shop=shop, user=gone, left_at=clock.now())
    said = text_of(desk.get(at(shop)))
    assert "Text message: confirmed" in said
    assert "Email: not confirmed" in said
    assert owner.email in said
    for hidden in ("+33612345678", "5678", "home@example.org", "Secret", "Longgone"):
        assert hidden not in said


def test_a_page_of_members_asks_as_much_for_many_as_for_one(
    desk: Client, shop: Shop, django_assert_max_num_queries: Any
) -> None:
    for _ in range(60):
        user = UserFactory()
        membership_begin(shop=shop, user=user)
        ContactPointFactory(user=user)
    people_invite(
        text="\n".join(f"p{number}@example.com" for number in range(20)),
        wish=Wish(by=User.objects.get(email="boss@example.com"), shop=shop),
    )
    with django_assert_max_num_queries(14):
        first = desk.get(at(shop))
    assert first.content.decode().count('id="member-') == 50
    assert desk.get(f"{at(shop)}?page=2").content.decode().count('id="member-') == 11
    assert desk.get(f"{at(shop)}?page=x").status_code == 200


# --- Inviting --------------------------------------------------------------------------------------------


def test_people_are_invited_after_a_look(desk: Client, manager: User, owner: User, shop: Shop) -> None:
    asked = {"addresses": f"Zoe <Zoe@Example.com>, {owner.email}\nzoe@example.com; x", "shop": shop.slug}
    look = desk.post("/invite/", asked)
    said = text_of(look)
    assert "1 person gets a mail with a link." in said
    assert "3 are left out." in said
    assert "Send 1 invitation" in said
    for verdict in ("is a member already", "stands there more than once", "is no email address"):
        assert verdict in said
    assert not Invitation.objects.exists()
    shown = look.context["shown"]
    # What was not looked at is not sent.
    other = desk.post("/invite/", {**asked, "addresses": "a@b.org", "step": "send", "shown": shown})
    assert "Look again before you send." in text_of(other)
    assert desk.post("/invite/", {**asked, "step": "send"}).status_code == 200
    assert not Invitation.objects.exists()
    done = desk.post("/invite/", {**asked, "step": "send", "shown": shown}, follow=True)
    assert done.redirect_chain == [(at(shop), 302)]
    assert "1 invited, 3 left out." in text_of(done)
    assert "Open invitations zoe@example.com" in text_of(done)
    invitation = Invitation.objects.get()
    assert (invitation.invited_by, invitation.shop) == (manager, shop)
    (noted,) = LogEntry.objects.all()
    assert (noted.user, noted.object_id) == (manager, str(invitation.pk))


def test_a_form_that_is_refused_says_why(desk: Client, browse: Browse, operator: User, shop: Shop) -> None:
    assert "Paste at least one address." in text_of(
        desk.post("/invite/", {"addresses": ",", "shop": shop.slug})
    )
    answer = browse(operator).post("/invite/", {"addresses": "a@b.org"})
    assert answer.status_code == 422
    assert "Choose a role, or a shop." in text_of(answer)


def test_where_no_mail_goes_out_that_is_said(desk: Client, shop: Shop, settings: Any) -> None:
    settings.SMTP_HOST = ""
    asked = {"addresses": "a@b.org", "shop": shop.slug}
    look = desk.post("/invite/", asked)
    assert "nobody can be invited" in text_of(look)
    answer = desk.post("/invite/", {**asked, "step": "send", "shown": look.context["shown"]})
    assert answer.status_code == 409


def test_an_invitation_is_sent_again_and_withdrawn(desk: Client, manager: User, shop: Shop) -> None:
    people_invite(text="zoe@example.com", wish=Wish(by=manager, shop=shop))
    invitation = Invitation.objects.get()
    link = f"/register/?invitation={token_of(invitation.pk)}"
    answer = desk.post(at(shop, "invitations", invitation.pk, "again"), follow=True)
    assert "The link is on its way again." in text_of(answer)
    assert Delivery.objects.filter(address="zoe@example.com").count() == 2
    assert Client().get(link).status_code == 200
    withdraw = at(shop, "invitations", invitation.pk, "withdraw")
    assert "zoe@example.com" in text_of(desk.get(withdraw))
    assert Invitation.objects.exists()
    answer = desk.post(withdraw, follow=True)
    assert "Open invitations" not in text_of(answer)
    assert "You are invited" not in text_of(Client().get(link))
    noted = LogEntry.objects.order_by("pk")
    assert [(each.get_change_message(), each.get_action_flag_display()) for each in noted] == [
        ("Changed Expires at.", "Change"),
        ("", "Deletion"),
    ]
    assert {each.object_repr for each in noted} == {"zoe@example.com"}


def test_somebody_registers_by_the_link_without_saying_what_they_are(manager: User, shop: Shop) -> None:
    people_invite(text="zoe@example.com", wish=Wish(by=manager, shop=shop))
    token = token_of(Invitation.objects.get().pk)
    browser = Client(headers={"accept": "text/html"})
    page = browser.get(f"/register/?invitation={token}")
    assert f"You are invited to {shop.name}." in text_of(page)
    assert "role" not in page.context["form"].fields
    fields = {"first_name": "Zoe", "last_name": "Martin", "email": "zoe@example.com", "invitation": token}
    answer = browser.post("/register/", fields | {"password": "SecurePass123!", "time_zone": "UTC"})
    assert answer.status_code == 302, answer.content
    user = User.objects.get(email="zoe@example.com")
    assert (user.role, user.memberships.get().shop) == ("", shop)
    assert ContactPoint.objects.get(user=user).confirmed_at


def test_without_an_invitation_to_a_shop_everybody_says_what_they_are(db: None) -> None:
    fields = {"first_name": "Zoe", "last_name": "Martin", "email": "zoe@example.com", "role": ""}
    answer = Client().post("/register/", fields | {"password": "SecurePass123!", "time_zone": "UTC"})
    assert answer.status_code == 422
    assert not User.objects.filter(email="zoe@example.com").exists()


def test_whoever_has_an_account_joins_with_it(
    browse: Browse, manager: User, stranger: User, shop: Shop
) -> None:
    people_invite(text=stranger.email, wish=Wish(by=manager, shop=shop))
    token = token_of(Invitation.objects.get().pk)
    link, join = f"/register/?invitation={token}", f"/join/?invitation={token}"
    assert browse().get(link)["Location"] == join
    assert browse().get(join)["Location"].startswith("/login/?next=")
    wrong = browse(manager).post("/join/", {"invitation": token})
    assert wrong.status_code == 404
    assert "This invitation isn't for you" in html.unescape(text_of(wrong))
    page = browse(stranger)
    assert f"You are invited to {shop.name}." in text_of(page.get(join))
    assert not stranger.memberships.exists()
    answer = page.post("/join/", {"invitation": token}, follow=True)
    assert f"You are told what happens at {shop.name} from now on." in text_of(answer)
    assert stranger.memberships.get().shop == shop
    assert page.get(join).status_code == 404


def test_an_invitation_without_a_shop_is_nothing_to_join(browse: Browse, stranger: User) -> None:
    until = clock.now() + timedelta(days=1)
    invitation = Invitation.objects.create(email=stranger.email, role="student", expires_at=until)
    page = browse(stranger)
    for token in (token_of(invitation.pk), "x", ""):
        assert page.get(f"/join/?invitation={token}").status_code == 404
        assert page.post("/join/", {"invitation": token}).status_code == 404


# --- Shops and members -----------------------------------------------------------------------------------


def test_the_staff_add_a_shop(browse: Browse, operator: User) -> None:
    page = browse(operator)
    assert page.post("/shops/", {"name": "Épicerie du Port"})["Location"] == "/shops/epicerie-du-port/"
    assert "Nobody works here yet." in text_of(page.get("/shops/epicerie-du-port/"))
    for name in ("Épicerie du Port", "epicerie du port", "—"):
        assert page.post("/shops/", {"name": name}).status_code == 422
    assert Shop.objects.count() == 1
    assert LogEntry.objects.get().object_repr == "Épicerie du Port"


def test_a_member_is_removed_after_a_question(desk: Client, owner: User, shop: Shop) -> None:
    path = at(shop, "members", owner.pk, "remove")
    assert f"Remove {owner.first_name}" in text_of(desk.get(path))
    assert owner.memberships.get().left_at is None
    assert desk.post(path).status_code == 302
    assert owner.memberships.get().left_at
    assert desk.post(path).status_code == 404
    assert LogEntry.objects.get().object_repr == f"{owner} at {shop}"


def test_whoever_removes_themselves_is_led_away(desk: Client, manager: User, shop: Shop) -> None:
    answer = desk.post(at(shop, "members", manager.pk, "remove"))
    assert answer["Location"] == "/shops/"


def test_the_staff_say_who_manages_a_shop(browse: Browse, operator: User, owner: User, shop: Shop) -> None:
    path = at(shop, "members", owner.pk, "manager")
    for given, manages in (({"manages": "on"}, True), ({}, False)):
        assert browse(operator).post(path, given).status_code == 302
        assert owner.memberships.get().manages is manages
        assert (browse(owner).get(at(shop)).status_code == 200) is manages


# --- Tests -----------------------------------------------------------------------------------------------


def test_everybody_is_sent_a_test_after_a_question(
    desk: Client, manager: User, owner: User, operator: User, shop: Shop
) -> None:
    ContactPointFactory(user=owner), ContactPointFactory(user=owner)
    ContactPointFactory(user=owner, confirmed_at=None)
    ContactPointFactory(user=owner, is_enabled=False)
    ContactPointFactory(user=manager)
    silent = UserFactory(first_name="Silent", last_name="Sam")
    membership_begin(shop=shop, user=silent)
    locked = UserFactory(is_active=False)
    membership_begin(shop=shop, user=locked)
    ContactPointFactory(user=locked)
    # Of the staff, and so above whoever manages a shop.
    membership_begin(shop=shop, user=operator)
    ContactPointFactory(user=operator)
    said = text_of(desk.get(at(shop, "test")))
    assert f"2 members of {shop.name} get a test message" in said
    assert "Send 3 test messages" in said
    assert "To me alone: 1 message" in said
    assert "Silent Sam" in said
    assert tried() == []
    answer = desk.post(at(shop, "test"), {"whom": "staff"}, follow=True)
    assert "3 test messages are on their way." in text_of(answer)
    assert "A test message is on its way." in text_of(answer)
    assert tried() == sorted([owner.email, owner.email, manager.email])
    noted = DeliveryAction.objects.get()
    assert (noted.action, noted.count, noted.by) == ("test", 2, manager.email)


def test_one_tries_it_on_oneself_alone(desk: Client, manager: User, owner: User, shop: Shop) -> None:
    ContactPointFactory(user=owner), ContactPointFactory(user=manager)
    desk.post(at(shop, "test"), {"whom": "me"})
    assert tried() == [manager.email]
    assert not DeliveryAction.objects.exists()


def test_a_single_contact_point_is_tested_and_what_came_of_it_is_shown(
    desk: Client, owner: User, shop: Shop
) -> None:
    point = ContactPointFactory(user=owner)
    path = at(shop, "points", point.pk, "test")
    answer = desk.post(path)
    assert answer["Location"] == f"{at(shop)}#try-{point.pk}"
    assert tried() == [owner.email]
    polled = desk.get(path, headers={"HX-Request": "true"}).content.decode()
    assert "A test message is on its way." in polled
    assert f'hx-get="{path}"' in polled
    assert desk.get(path)["Location"] == at(shop)


def test_tests_are_limited(desk: Client, owner: User, shop: Shop, settings: Any) -> None:
    ContactPointFactory(user=owner)
    settings.RATES = settings.RATES | {"test-send": "1/hour"}
    desk.post(at(shop, "test"), {"whom": "staff"})
    answer = desk.post(at(shop, "test"), {"whom": "staff"}, follow=True)
    assert 'class="message error"' in answer.content.decode()
    assert len(tried()) == 1
