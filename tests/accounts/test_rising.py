"""Nobody rises by a permission that does not say so: each way up by the admin and the API is shut."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.models import ApiKey, User
from dating.models import BotAccount
from notifications.models import ContactPoint, Delivery, MessageTemplate, Preference, Subscription
from tests.factories import ContactPointFactory, UserFactory

LogIn = Callable[[User], APIClient]
pytestmark = pytest.mark.django_db


def url(page: str, *args: object) -> str:
    return reverse(f"admin:{page}", args=args)


def clerk_with(*permissions: str, **fields: Any) -> User:
    """Somebody on the staff who has these permissions, and no others."""
    clerk = UserFactory(**{"is_staff": True, **fields})
    wanted = [each.split(".") for each in permissions]
    for app, codename in wanted:
        clerk.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return clerk


def with_a_permission() -> User:
    return clerk_with("tracing.view_case", is_staff=False)


def in_a_group() -> User:
    user = UserFactory()
    user.groups.add(Group.objects.create(name="doctors"))
    return user


#: Those who have something that an ordinary person has not.
ABOVE: dict[str, Callable[[], User]] = {
    "a superuser": lambda: UserFactory(is_staff=True, is_superuser=True),
    "an administrator": lambda: UserFactory(is_staff=True, role="admin"),
    "staff": lambda: UserFactory(is_staff=True),
    "a superuser without the admin": lambda: UserFactory(is_superuser=True),
    "somebody with a permission": with_a_permission,
    "somebody in a group": in_a_group,
}


def form_of(client: APIClient, path: str) -> dict[str, Any]:
    """Return what the form of a page would post, as it stands."""
    page = client.get(path)
    assert page.status_code == 200
    form = page.context["adminform"].form
    fields = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    for inline in page.context["inline_admin_formsets"]:
        management = inline.formset.management_form
        fields |= {management.add_prefix(name): management[name].value() for name in management.fields}
        fields[management.add_prefix("TOTAL_FORMS")] = inline.formset.initial_form_count()
        for each in inline.formset.initial_forms:
            fields |= {each.add_prefix(name): each[name].value() for name in each.fields}
    return {name: value for name, value in fields.items() if value is not None and name != "password"}


def post(client: APIClient, path: str, fields: dict[str, Any]) -> Any:
    return client.post(path, fields, format="multipart")


# --- The permissions of accounts ---------------------------------------------------------------------------


@pytest.mark.slow
def test_who_can_change_users_makes_nobody_more_than_they_are(as_user: LogIn, owner: User) -> None:
    clerk = clerk_with("accounts.change_user")
    permission = Permission.objects.get(codename="delete_user").pk
    more = {"is_staff": "on", "is_superuser": "on", "role": "admin", "user_permissions": [permission]}
    for user in (clerk, owner):
        path, client = url("accounts_user_change", user.pk), as_user(clerk)
        saved = post(client, path, {**form_of(client, path), **more, "first_name": "Eva"})
        assert saved.status_code == 302, saved.context and saved.context["errors"]
        before = (user.is_staff, user.role)
        user.refresh_from_db()
        assert user.first_name == "Eva"
        assert (user.is_staff, user.role, user.is_superuser) == (*before, False)
        assert not user.has_perm("accounts.delete_user")


@pytest.mark.slow
def test_a_superuser_is_offered_to_give_them(as_user: LogIn, operator: User, owner: User) -> None:
    page = as_user(operator).get(url("accounts_user_change", owner.pk))
    offered = set(page.context["adminform"].form.fields)
    assert {"role", "is_staff", "is_superuser", "user_permissions"} <= offered


@pytest.mark.slow
@pytest.mark.parametrize("who", ABOVE)
def test_who_has_more_rights_is_neither_changed_nor_deleted_nor_given_a_password(
    as_user: LogIn, who: str
) -> None:
    above, client = ABOVE[who](), as_user(clerk_with("accounts.change_user", "accounts.delete_user"))
    before = User.objects.filter(pk=above.pk).values().get()
    fields = {
        "email": "mine@example.com",
        "is_active": "on",
        "password1": "an0ther one",
        "password2": "an0ther one",
    }
    for path in (
        url("accounts_user_change", above.pk),
        url("accounts_user_delete", above.pk),
        url("auth_user_password_change", above.pk),
    ):
        assert post(client, path, {**fields, "post": "yes"}).status_code == 403, path
    chosen = {"action": "delete_selected", "_selected_action": [str(above.pk)], "post": "yes"}
    assert post(client, url("accounts_user_changelist"), chosen).status_code == 403
    assert User.objects.filter(pk=above.pk).values().get() == before


def test_an_ordinary_person_is_still_theirs_to_change_and_to_delete(as_user: LogIn, owner: User) -> None:
    client = as_user(clerk_with("accounts.change_user", "accounts.delete_user"))
    assert client.get(url("auth_user_password_change", owner.pk)).status_code == 200
    assert post(client, url("accounts_user_delete", owner.pk), {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=owner.pk).exists()


@pytest.mark.parametrize("role", ["admin", "student"])
def test_who_can_add_users_adds_no_administrator(as_user: LogIn, role: str) -> None:
    client = as_user(clerk_with("accounts.change_user", "accounts.add_user"))
    password = {"password1": "correct horse battery", "password2": "correct horse battery"}
    fields = {"email": "new@example.com", "role": role, "is_staff": "on", "is_superuser": "on", **password}
    post(client, url("accounts_user_add"), fields)
    made = User.objects.filter(email="new@example.com").values_list("role", "is_staff", "is_superuser")
    assert list(made) == ([] if role == "admin" else [("student", False, False)])


@pytest.mark.parametrize(("scopes", "made"), [(["tracing:read"], 0), (["alerts:read"], 1)])
def test_who_can_make_keys_gives_them_no_scope_above_their_own(
    as_user: LogIn, scopes: list[str], made: int
) -> None:
    client = as_user(clerk_with("accounts.add_apikey", "notifications.view_alert"))
    post(client, url("accounts_apikey_add"), {"name": "mine", "scopes": scopes})
    assert ApiKey.objects.count() == made


def test_nor_are_scopes_added_to_a_key_or_a_greater_key_changed(as_user: LogIn) -> None:
    client = as_user(clerk_with("accounts.change_apikey", "notifications.view_alert"))
    small = ApiKey.objects.create(name="small", digest="a", hint="tsn_a", scopes=["alerts:read"])
    great = ApiKey.objects.create(name="great", digest="b", hint="tsn_b", scopes=["tracing:read"])
    more = {"name": "small", "scopes": ["alerts:read", "tracing:read"]}
    assert post(client, url("accounts_apikey_change", small.pk), more).status_code == 200  # with an error
    late = {"name": "great", "scopes": ["alerts:read"]}
    assert post(client, url("accounts_apikey_change", great.pk), late).status_code == 403
    assert [each.scopes for each in ApiKey.objects.order_by("digest")] == [["alerts:read"], ["tracing:read"]]


# --- What is a person's: where they are told, and who speaks for them ---------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("who", ABOVE)
def test_where_they_are_told_is_not_for_others_to_change(as_user: LogIn, who: str) -> None:
    point = ContactPointFactory(user=ABOVE[who](), channel="email", address="theirs@example.com")
    clerk = clerk_with("notifications.change_contactpoint", "notifications.add_contactpoint")
    desk, page = as_user(clerk), url("notifications_contactpoint_change", point.pk)
    assert post(desk, page, {"address": "mine@example.com", "is_enabled": "on"}).status_code == 403
    added = {
        "user": point.user_id,
        "channel": "email",
        "address": "mine@example.com",
        "batch": 1,
        "linger_ms": 0,
    }
    added |= {"batch_format": "cloudevents", "is_enabled": "on"}
    post(desk, url("notifications_contactpoint_add"), added)
    for action in ("remove", "test_send"):
        chosen = {"action": action, "_selected_action": [str(point.pk)]}
        post(desk, url("notifications_contactpoint_changelist"), chosen)

    api, path = as_user(clerk), f"/api/v1/contact-points/{point.pk}/"
    body = {"channel": "email", "address": "mine@example.com", "user_id": str(point.user_id)}
    assert api.patch(path, {"address": "mine@example.com"}).status_code == 403
    assert api.delete(path).status_code == api.post(f"{path}test/").status_code == 403
    assert api.post("/api/v1/contact-points/", body).status_code == 403
    left = ContactPoint.objects.filter(user=point.user_id, deleted_at=None)
    assert list(left.values_list("address", flat=True)) == ["theirs@example.com"]
    assert not Delivery.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize("who", ABOVE)
def test_whether_they_are_told_is_not_for_others_to_change(as_user: LogIn, who: str) -> None:
    above, owner = ABOVE[who](), UserFactory()
    clerk = as_user(clerk_with("notifications.change_preference", "notifications.change_subscription"))
    rule = {"channel": "email", "kind": "alert", "is_enabled": False}
    for user, status in ((above, 403), (owner, 200)):
        api = f"/api/v1/preferences/{user.pk}/"
        rules = f"/api/v1/subscriptions/?user_id={user.pk}"
        assert clerk.get(api).status_code == clerk.get(rules).status_code == 200
        assert clerk.patch(api, {"level": "CRITICAL"}).status_code == status
        body = {"user_id": str(user.pk), "level": "CRITICAL"}
        assert clerk.put("/preferences", body).status_code == status
        assert clerk.put(rules, rule).status_code == status
        removed = clerk.delete(f"{rules}&channel=email&kind=alert")
        assert removed.status_code == (403 if user is above else 204)
    assert not Preference.objects.filter(user=above).exists()
    assert not Subscription.objects.filter(user=above).exists()


def test_a_test_message_from_the_admin_needs_the_permission(as_user: LogIn, owner: User) -> None:
    point = ContactPointFactory(user=owner)
    chosen = {"action": "test_send", "_selected_action": [str(point.pk)]}
    post(as_user(clerk_with()), url("notifications_contactpoint_changelist"), chosen)
    assert not Delivery.objects.exists()
    clerk = clerk_with("notifications.change_contactpoint")
    post(as_user(clerk), url("notifications_contactpoint_changelist"), chosen)
    assert Delivery.objects.count() == 1


def test_the_bot_is_not_made_to_speak_for_a_superuser(as_user: LogIn, operator: User, owner: User) -> None:
    desk = as_user(clerk_with("dating.add_botaccount"))
    for user in (operator, owner):
        post(desk, url("dating_botaccount_add"), {"number": 4242, "user": user.pk})
    assert list(BotAccount.objects.values_list("user", flat=True)) == [owner.pk]


def test_texts_that_hold_links_to_log_in_with_are_not_for_others_to_word(as_user: LogIn) -> None:
    rights = [f"notifications.{verb}_messagetemplate" for verb in ("add", "change", "delete")]
    desk = as_user(clerk_with(*rights))
    text = {"kind": "account.password_reset", "language": "en", "title": "New password", "is_active": "on"}
    text["body"] = "https://evil.example/?to={{ link }} {{ minutes }}"
    post(desk, url("notifications_messagetemplate_add"), text)
    assert not MessageTemplate.objects.exists()
    kept = MessageTemplate.objects.create(**{**text, "is_active": True, "body": "{{ link }} {{ minutes }}"})
    for page in ("change", "delete"):
        path = url(f"notifications_messagetemplate_{page}", kept.pk)
        assert post(desk, path, {**text, "post": "yes"}).status_code == 403
    kept.refresh_from_db()
    assert kept.body == "{{ link }} {{ minutes }}"


# --- The API -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"role": "admin"}, {"role": "student"}, {"is_active": False}, {}])
def test_mere_staff_change_and_delete_nobody(as_user: LogIn, owner: User, changes: dict[str, object]) -> None:
    clerk = clerk_with("accounts.change_user", "accounts.delete_user")
    before = User.objects.filter(pk=owner.pk).values().get()
    for user in (owner, clerk):
        path = f"/api/v1/users/{user.pk}/"
        assert as_user(clerk).get(path).status_code == 200
        assert as_user(clerk).patch(path, changes).status_code == 403
        assert as_user(clerk).delete(path).status_code == 403
    assert User.objects.filter(pk=owner.pk).values().get() == before


def test_mere_staff_register_no_administrator(as_user: LogIn) -> None:
    ana = {
        "email": "ana@example.com",
        "password": "correct horse battery",
        "first_name": "Ana",
        "last_name": "L",
    }
    refused = as_user(clerk_with("accounts.add_user")).post(
        "/api/v1/auth/register/", {**ana, "role": "admin"}
    )
    assert refused.status_code == 403
    assert not User.objects.filter(email="ana@example.com").exists()


@pytest.mark.slow
@pytest.mark.parametrize("who", ABOVE)
def test_an_administrator_acts_on_nobody_who_has_rights(as_user: LogIn, who: str) -> None:
    above, client = ABOVE[who](), as_user(UserFactory(is_staff=True, role="admin"))
    path = f"/api/v1/users/{above.pk}/"
    for changes in ({"role": "student"}, {"is_active": False}, {"first_name": "Eva"}):
        assert client.patch(path, changes).status_code == 403
    assert client.delete(path).status_code == 403


def test_an_administrator_makes_an_administrator_and_locks_ordinary_people_out(
    as_user: LogIn, owner: User, stranger: User
) -> None:
    client = as_user(UserFactory(is_staff=True, role="admin"))
    assert client.patch(f"/api/v1/users/{stranger.pk}/", {"is_active": False}).status_code == 200
    assert client.patch(f"/api/v1/users/{owner.pk}/", {"role": "admin"}).json()["is_staff"] is True
    assert client.delete(f"/api/v1/users/{stranger.pk}/").status_code == 204
