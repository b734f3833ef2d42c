"""The operator finds a person, sees what they were or were not told, and changes what is known of them."""

from datetime import time

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Shop, User
from notifications.models import (
    Preference,
)
from tests.factories import (
    ContactPointFactory,
    PreferenceFactory,
)
from tests.notifications.admin.desk import Make, form_data, meanwhile, url


@pytest.mark.slow
@pytest.mark.parametrize("key", ["email", "first_name", "phone", "uuid"])
def test_a_person_is_found(desk: Client, stranger: User, owner: User, key: str) -> None:
    User.objects.filter(pk=owner.pk).update(first_name="Zoé", phone="+33612345678")
    owner.refresh_from_db()
    page = desk.get(url("accounts_user_changelist"), {"q": str(getattr(owner, key))}).content.decode()
    assert owner.email in page
    assert stranger.email not in page


@pytest.mark.slow
def test_a_persons_page_says_what_they_were_told_and_why(
    desk: Client, owner: User, make_delivery: Make
) -> None:
    PreferenceFactory(user=owner, level="CRITICAL")
    contact_point = ContactPointFactory(user=owner, label="Back office")
    told = make_delivery(owner, status="sent", contact_point=contact_point, attempts=1)
    make_delivery(owner, status="suppressed", reason="level", contact_point=contact_point)
    page = desk.get(url("accounts_user_change", owner.pk)).content.decode()
    for text in (
        "Auchan La Rochelle",
        "Back office",
        "Told by webhook.",
        "Not told: prefers critical alerts only.",
        url("notifications_delivery_change", told.pk),
    ):
        assert text in page


@pytest.mark.slow
def test_a_persons_page_takes_the_same_number_of_queries_for_any_number_of_deliveries(
    desk: Client, owner: User, make_delivery: Make
) -> None:
    path = url("accounts_user_change", owner.pk)
    make_delivery(owner)
    desk.get(path)
    with CaptureQueriesContext(connection) as few:
        desk.get(path)
    for _ in range(10):
        make_delivery(owner)
    with CaptureQueriesContext(connection) as many:
        desk.get(path)
    assert len(many) == len(few)


@pytest.mark.slow
def test_a_persons_page_shows_the_newest_hundred(desk: Client, owner: User, make_delivery: Make) -> None:
    contact_point = ContactPointFactory(user=owner)
    for _ in range(101):
        make_delivery(owner, contact_point=contact_point)
    page = desk.get(url("accounts_user_change", owner.pk)).content.decode()
    assert page.count("Waiting to be sent.") == 100
    assert "All of them" in page


@pytest.mark.slow
def test_a_change_to_a_person_does_not_let_them_back_in(desk: Client, owner: User) -> None:
    person = url("accounts_user_change", owner.pk)
    posted = form_data(desk.get(person)) | {"last_name": "Lima", "preference-TOTAL_FORMS": "0"}
    with meanwhile(owner, is_active=False):
        assert desk.post(person, posted).status_code == 302
    assert (owner.last_name, owner.is_active) == ("Lima", False)


def test_a_new_password_writes_nothing_else_back(desk: Client, owner: User) -> None:
    password = {"password1": "a long enough one", "password2": "a long enough one"}
    with meanwhile(owner, phone="+33612345678"):
        assert desk.post(f"/admin/accounts/user/{owner.pk}/password/", password).status_code == 302
    assert owner.check_password("a long enough one")
    assert owner.phone == "+33612345678"


def test_ones_own_new_password_writes_nothing_else_back(desk: Client, operator: User) -> None:
    password = {"new_password1": "a long enough one", "new_password2": "a long enough one"}
    operator.set_password("the one before")
    operator.save(update_fields=["password"])
    desk.force_login(operator)
    assert "old_password" in desk.get("/admin/password_change/").content.decode()
    with meanwhile(operator, phone="+33612345678", last_name="Lima"):
        answer = desk.post("/admin/password_change/", {"old_password": "the one before", **password})
    assert answer.status_code == 302, answer.context["form"].errors
    assert operator.check_password("a long enough one")
    assert (operator.phone, operator.last_name) == ("+33612345678", "Lima")
    assert desk.get("/admin/").status_code == 200, "one's own session goes on"


def test_a_person_is_added_and_changed(desk: Client, shop: Shop) -> None:
    password = "a long enough one"
    added = desk.post(
        url("accounts_user_add"),
        {
            "email": "New@Example.com",
            "first_name": "Ana",
            "last_name": "",
            "password1": password,
            "password2": password,
        },
    )
    assert added.status_code == 302, added.context["errors"]
    assert User.objects.get(email="new@example.com").check_password(password)


@pytest.mark.slow
def test_a_persons_name_level_and_membership_are_changed(desk: Client, owner: User, stranger: User) -> None:
    page = desk.get(url("accounts_user_change", owner.pk))
    changes = {
        "last_name": "Lima",
        "phone": "+33 6 12 34 56 78",
        "preference-TOTAL_FORMS": "1",
        "preference-0-user": str(owner.pk),
        "preference-0-level": "CRITICAL",
    }
    answer = desk.post(url("accounts_user_change", owner.pk), {**form_data(page), **changes})
    assert answer.status_code == 302, answer.context["errors"]
    owner.refresh_from_db()
    assert (owner.last_name, owner.phone, owner.preference.level) == ("Lima", "+33612345678", "CRITICAL")


@pytest.mark.slow
def test_a_persons_quiet_hours_and_rules_are_changed(desk: Client, owner: User) -> None:
    def save(**changes: str) -> HttpResponse:
        page = desk.get(url("accounts_user_change", owner.pk))
        person = {"preference-TOTAL_FORMS": "1", "preference-0-user": str(owner.pk)}
        rule = {"subscriptions-TOTAL_FORMS": "1", "subscriptions-0-user": str(owner.pk)}
        given = {name.replace("__", "-"): value for name, value in changes.items()}
        return desk.post(
            url("accounts_user_change", owner.pk), {**form_data(page), **person, **rule, **given}
        )

    quiet = {
        "preference__0__level": "STANDARD",
        "preference__0__quiet_from": "22:00",
        "preference__0__quiet_until": "07:00",
        "preference__0__digest": "on",
    }
    rule = {"subscriptions__0__channel": "email", "subscriptions__0__kind": "stage.*"}
    for wrong, message in [
        ({"preference__0__quiet_until": ""}, "give both, or neither"),
        ({"preference__0__quiet_until": "22:00"}, "end when they begin"),
        ({"subscriptions__0__kind": "stage.*.x"}, "Expected a kind"),
        ({"subscriptions__0__kind": "account.*"}, "always sent"),
        ({"subscriptions__0__channel": "pigeon"}, "Choose one of"),
    ]:
        refused = save(**{**quiet, **rule, **wrong})
        assert refused.status_code == 200
        assert message in refused.content.decode().replace("&#x27;", "'")
    assert not Preference.objects.exists()
    assert save(**quiet, **rule).status_code == 302
    assert (owner.preference.quiet_from, owner.preference.digest) == (time(22), True)
    assert list(owner.subscriptions.values_list("channel", "kind", "is_enabled")) == [
        ("email", "stage.*", False)
    ]
