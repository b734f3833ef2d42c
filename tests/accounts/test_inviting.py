"""Inviting many at once: what is read out of pasted text, what becomes of each address, and who may."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts import rate_limits
from accounts.models import Invitation, Membership, Role, Shop, User
from accounts.services.invitations import invitation_of, invitation_take
from accounts.services.inviting import Verdict, Wish, addresses_in, people_foreseen, people_invite
from accounts.services.memberships import membership_begin, membership_end
from accounts.services.registration import user_register
from accounts.verification import token_of
from config import clock
from config.rest.exceptions import Conflict
from notifications.models import ContactPoint, Delivery
from tests.factories import ShopFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mail(settings: Any) -> None:
    settings.SMTP_HOST = "127.0.0.1"


@pytest.fixture
def manager(shop: Shop) -> User:
    user = UserFactory(email="boss@example.com")
    membership_begin(shop=shop, user=user, manages=True)
    return user


def foreseen(text: str, wish: Wish) -> dict[str, Verdict]:
    return {each.pasted: each.verdict for each in people_foreseen(text=text, wish=wish)}


def mailed() -> list[str]:
    return sorted(Delivery.objects.filter(channel="email").values_list("address", flat=True))


def token_for(email: str) -> str:
    return token_of(Invitation.objects.get(email=email).pk)


def registered(email: str, **fields: str) -> User:
    details = {"first_name": "Zoe", "last_name": "Martin", "role": "", "password": "SecurePass123!"}
    return user_register(email=email, **details | fields)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a@b.org\nc@d.org\r\n\r\ne@f.org", ["a@b.org", "c@d.org", "e@f.org"]),
        ("a@b.org, c@d.org;e@f.org,", ["a@b.org", "c@d.org", "e@f.org"]),
        ('"Moreau, Ana" <ana@b.org>, Bo Li <bo@b.org>', ["ana@b.org", "bo@b.org"]),
        ("Ana Moreau\tana@b.org\tbo@b.org", ["ana@b.org", "bo@b.org"]),
        ("mailto:a@b.org", ["a@b.org"]),
        ('Ana "the boss <ana@b.org>', ["ana@b.org"]),
        ("Ana Moreau", ["Ana Moreau"]),
        (" \n,;\n", []),
    ],
)
def test_addresses_are_read_as_people_paste_them(text: str, found: list[str]) -> None:
    assert addresses_in(text) == found


def test_each_address_gets_its_verdict_before_anything_is_sent(operator: User, shop: Shop) -> None:
    known = UserFactory(email="known@example.com", email_verified_at=clock.now())
    UserFactory(email="unproven@example.com")
    UserFactory(email="locked@example.com", is_active=False)
    membership_begin(shop=shop, user=UserFactory(email="here@example.com"))
    wish = Wish(by=operator, shop=shop)
    people_invite(text="open@example.com", wish=wish)
    before = mailed()
    text = (
        "New@Example.com, new@example.com, known@example.com, unproven@example.com, locked@example.com,"
        "here@example.com, open@example.com, not an address, é@example.com, a@b@c"
    )
    assert foreseen(text, wish) == {
        "New@Example.com": Verdict.INVITE,
        "new@example.com": Verdict.TWICE,
        "known@example.com": Verdict.ADD,
        # Whoever made it may not be the one who is meant.
        "unproven@example.com": Verdict.INVITE,
        "locked@example.com": Verdict.LOCKED,
        "here@example.com": Verdict.MEMBER,
        "open@example.com": Verdict.OPEN,
        "not an address": Verdict.WRONG,
        "é@example.com": Verdict.WRONG,
        "a@b@c": Verdict.WRONG,
    }
    assert mailed() == before
    assert Invitation.objects.count() == 1
    invited = people_invite(text=text, wish=wish)
    assert str(invited) == "2 invited, 1 added, 7 left out."
    assert mailed() == ["new@example.com", "open@example.com", "unproven@example.com"]
    assert known.memberships.get().shop == shop


def test_the_staff_invite_to_a_role_without_a_shop(operator: User) -> None:
    UserFactory(email="known@example.com")
    wish = Wish(by=operator, shop=None, role=Role.STUDENT)
    assert foreseen("known@example.com", wish) == {"known@example.com": Verdict.KNOWN}
    people_invite(text="new@example.com", wish=wish)
    assert registered(
        "new@example.com", role="student", invitation=token_for("new@example.com")
    ).email_verified_at
    assert not Membership.objects.exists()
    with pytest.raises(ValidationError):
        people_invite(text="other@example.com", wish=Wish(by=operator, shop=None))


def test_others_never_learn_who_has_an_account(manager: User, shop: Shop) -> None:
    UserFactory(email="known@example.com", email_verified_at=clock.now())
    UserFactory(email="locked@example.com", is_active=False)
    verdicts = foreseen("known@example.com, locked@example.com, new@example.com", Wish(by=manager, shop=shop))
    assert set(verdicts.values()) == {Verdict.INVITE}


@pytest.mark.parametrize("more", [{"role": "student"}, {"role": "admin"}, {"manages": True}])
def test_whoever_manages_a_shop_gives_no_role_and_makes_no_managers(
    manager: User, shop: Shop, more: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        people_invite(text="new@example.com", wish=Wish(by=manager, shop=shop, **more))
    assert not Invitation.objects.exists()


def test_nobody_at_all_invites_an_administrator(operator: User, shop: Shop) -> None:
    with pytest.raises(ValidationError):
        people_invite(text="new@example.com", wish=Wish(by=operator, shop=shop, role=Role.ADMIN))


def test_whoever_registers_by_the_link_works_at_the_shop_and_is_told_by_mail(
    manager: User, shop: Shop, settings: Any
) -> None:
    settings.REGISTRATION = "invitation"
    people_invite(text="zoe@example.com", wish=Wish(by=manager, shop=shop))
    user = registered("zoe@example.com", invitation=token_for("zoe@example.com"))
    membership = user.memberships.get()
    assert (membership.shop, membership.manages, membership.left_at) == (shop, False, None)
    assert user.email_verified_at
    point = ContactPoint.objects.get(user=user)
    assert (point.channel, point.address, bool(point.confirmed_at)) == ("email", user.email, True)
    assert Invitation.objects.get().used_at


def test_an_invitation_to_a_shop_gives_no_role(manager: User, shop: Shop, settings: Any) -> None:
    settings.REGISTRATION = "invitation"
    people_invite(text="zoe@example.com", wish=Wish(by=manager, shop=shop))
    with pytest.raises(ValidationError, match="register by its link"):
        registered("zoe@example.com", role="student", invitation=token_for("zoe@example.com"))
    assert not User.objects.filter(email="zoe@example.com").exists()


def test_whoever_has_an_account_agrees_first(manager: User, shop: Shop, stranger: User) -> None:
    ana = UserFactory(email="ana@example.com")
    people_invite(text=ana.email, wish=Wish(by=manager, shop=shop))
    assert not ana.memberships.exists()
    invitation = Invitation.objects.get()
    with pytest.raises(Conflict):
        invitation_take(invitation=invitation, user=stranger)
    assert invitation_take(invitation=invitation, user=ana).shop == shop
    ana.refresh_from_db()
    assert ana.email_verified_at
    with pytest.raises(Conflict):
        invitation_take(invitation=invitation, user=ana)


def test_the_link_is_sent_again_and_not_another_one(operator: User, shop: Shop) -> None:
    wish = Wish(by=operator, shop=shop)
    people_invite(text="zoe@example.com", wish=wish)
    invitation = Invitation.objects.get()
    Invitation.objects.update(expires_at=clock.now() - timedelta(hours=1))
    assert invitation_of(token_of(invitation.pk)) is None
    # One that has expired is as good as none.
    assert foreseen("zoe@example.com", wish) == {"zoe@example.com": Verdict.INVITE}
    people_invite(text="zoe@example.com", wish=wish)
    assert invitation_of(token_of(invitation.pk)) == invitation
    again = Wish(by=operator, shop=shop, again=True)
    assert foreseen("zoe@example.com", wish) == {"zoe@example.com": Verdict.OPEN}
    assert foreseen("zoe@example.com", again) == {"zoe@example.com": Verdict.AGAIN}
    assert Invitation.objects.count() == 1
    assert len(mailed()) == 2


def test_what_the_staff_invite_to_stands_whoever_sends_it_again(
    operator: User, manager: User, shop: Shop
) -> None:
    people_invite(text="zoe@example.com", wish=Wish(by=operator, shop=shop, role="student", manages=True))
    people_invite(text="zoe@example.com", wish=Wish(by=manager, shop=shop, again=True))
    invitation = Invitation.objects.get()
    assert (invitation.role, invitation.manages, invitation.invited_by) == ("student", True, operator)
    people_invite(text="zoe@example.com", wish=Wish(by=operator, shop=shop, again=True))
    invitation.refresh_from_db()
    assert (invitation.role, invitation.manages) == ("", False)
    assert len(mailed()) == 3


def test_who_left_may_be_invited_again(operator: User, shop: Shop) -> None:
    ana = UserFactory(email="ana@example.com", email_verified_at=clock.now())
    wish = Wish(by=operator, shop=shop)
    people_invite(text=ana.email, wish=wish)
    assert membership_end(membership=ana.memberships.get())
    assert not membership_end(membership=ana.memberships.get())
    people_invite(text=ana.email, wish=wish)
    assert [bool(each.left_at) for each in ana.memberships.order_by("pk")] == [True, False]


def test_five_hundred_at_most(operator: User, shop: Shop) -> None:
    text = "\n".join(f"p{number}@example.com" for number in range(501))
    with pytest.raises(ValidationError, match="501"):
        people_foreseen(text=text, wish=Wish(by=operator, shop=shop))
    with pytest.raises(ValidationError, match="at least one"):
        people_foreseen(text=" , ", wish=Wish(by=operator, shop=shop))


def test_asking_what_would_become_of_many_takes_as_few_questions_as_of_one(
    operator: User, shop: Shop, django_assert_num_queries: Any
) -> None:
    text = "\n".join(f"p{number}@example.com" for number in range(500))
    with django_assert_num_queries(3):
        people_foreseen(text=text, wish=Wish(by=operator, shop=shop))


def test_inviting_many_takes_as_few_statements_as_inviting_one(
    operator: User, shop: Shop, django_assert_max_num_queries: Any
) -> None:
    text = "\n".join(f"p{number}@example.com" for number in range(100))
    for again in (False, True):
        with django_assert_max_num_queries(20):
            people_invite(text=text, wish=Wish(by=operator, shop=shop, again=again))
    assert len(mailed()) == 200


def test_whoever_manages_a_shop_invites_so_many_a_day(
    manager: User, operator: User, shop: Shop, settings: Any
) -> None:
    settings.RATES = settings.RATES | {"invite": "2/day"}
    text = "a@example.com, b@example.com, c@example.com"
    invited = people_invite(text=text, wish=Wish(by=manager, shop=shop))
    assert str(invited) == "2 invited, 1 left for tomorrow, since you have invited so many today."
    assert rate_limits.attempt_take(scope="invite", who=str(manager.pk), now=clock.now())
    other = ShopFactory()
    assert len(people_invite(text=text, wish=Wish(by=operator, shop=other)).invitations) == 3


def test_nothing_is_kept_where_no_mail_can_be_sent(operator: User, shop: Shop, settings: Any) -> None:
    settings.SMTP_HOST = ""
    UserFactory(email="known@example.com", email_verified_at=clock.now())
    with pytest.raises(Conflict):
        people_invite(text="new@example.com, known@example.com", wish=Wish(by=operator, shop=shop))
    assert not Invitation.objects.exists()
    assert not Membership.objects.filter(user__email="known@example.com").exists()
    # Adding somebody sends nothing.
    people_invite(text="known@example.com", wish=Wish(by=operator, shop=shop))
