"""The operator issues and revokes API keys."""

from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey
from tests.notifications.admin.desk import meanwhile, url


def test_a_key_is_shown_once_and_its_digest_never(desk: Client) -> None:
    made = desk.post(url("accounts_apikey_add"), {"name": "camera", "scopes": ["alerts:write"]}, follow=True)
    key = made.content.decode().split("be shown again: ")[1].split("<")[0].strip()
    record = ApiKey.objects.get()
    assert ApiKey.digest_of(key) == record.digest
    for path in (url("accounts_apikey_change", record.pk), url("accounts_apikey_changelist")):
        page = desk.get(path).content.decode()
        assert key not in page
        assert record.digest not in page


def test_a_key_keeps_working_when_its_record_is_changed(desk: Client) -> None:
    record = ApiKey(name="camera", scopes=["alerts:write"])
    record.set_new_key()
    record.save()
    desk.post(url("accounts_apikey_change", record.pk), {"name": "gate", "scopes": ["alerts:read"]})
    digest = record.digest
    record.refresh_from_db()
    assert (record.name, record.scopes, record.digest) == ("gate", ["alerts:read"], digest)


def test_keys_are_revoked(desk: Client) -> None:
    record = ApiKey.objects.create(name="camera", digest="x", hint="tsn_", scopes=["alerts:write"])
    chosen = {"action": "revoke", "_selected_action": [str(record.pk)]}
    page = desk.post(url("accounts_apikey_changelist"), chosen, follow=True).content.decode()
    assert "1 revoked. They no longer work." in page
    record.refresh_from_db()
    assert record.revoked_at


def test_a_key_with_an_unknown_scope_is_refused(desk: Client) -> None:
    desk.post(url("accounts_apikey_add"), {"name": "camera", "scopes": ["everything"]})
    assert not ApiKey.objects.exists()


def test_a_key_that_is_revoked_while_it_is_changed_stays_revoked(desk: Client) -> None:
    key = ApiKey.objects.create(name="camera", digest="x", hint="tsn_", scopes=["alerts:write"])
    with meanwhile(key, revoked_at=timezone.now()):
        desk.post(url("accounts_apikey_change", key.pk), {"name": "gate", "scopes": key.scopes})
    assert key.name == "gate"
    assert key.revoked_at
