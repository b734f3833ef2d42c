"""Addresses are erased from the history long before it ends; what is live keeps its own."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User
from config import slices
from config.slices import Run
from notifications.engine import replay
from notifications.engine.erasing import addresses_erase
from notifications.ids import first_id
from notifications.models import AttemptRow, Delivery, Erasure, Outgoing
from tests.factories import ContactPointFactory, NotificationFactory
from tests.queued import stored

ADDRESS = "ana@example.com"


def id_of(age: timedelta) -> UUID:
    return UUID(int=first_id(timezone.now() - age).int | secrets.randbits(62))


def delivery(user: User | None = None, *, days: float, **fields: Any) -> Delivery:
    """Make a delivery of that age; by mail, and sent, if nothing else is said."""
    at = timezone.now() - timedelta(days=days)
    values = {
        "channel": "email",
        "address": ADDRESS,
        "status": "sent",
        "due_at": at,
        "expires_at": at,
        "created_at": at,
        **fields,
    }
    made = Delivery(id=id_of(timedelta(days=days)), notification=NotificationFactory(), user=user, **values)
    return stored([made])[0]


def erase(now: datetime | None = None) -> int:
    return addresses_erase(Run(now=now or timezone.now()))


def address_of(delivery: Delivery) -> str:
    return Delivery.objects.values_list("address", flat=True).get(pk=delivery.pk)


class Killed(BaseException):
    """As a process ends: nothing catches it."""


@pytest.mark.django_db
class TestWhatIsErased:
    @pytest.mark.parametrize("status", ["sent", "failed", "cancelled", "suppressed", "expired"])
    def test_what_has_ended_loses_its_address_at_90_days(self, status: str) -> None:
        old, young = delivery(days=90.1, status=status), delivery(days=89.9, status=status)
        assert erase() == 1
        assert (address_of(old), address_of(young)) == ("", ADDRESS)

    def test_how_long_is_a_setting_and_0_is_as_long_as_the_history(self, settings: Settings) -> None:
        old = delivery(days=399)
        settings.ADDRESS_RETENTION_DAYS = 0
        assert erase() == 0
        assert address_of(old) == ADDRESS
        settings.ADDRESS_RETENTION_DAYS = 398
        assert erase() == 1

    def test_what_is_still_to_be_sent_keeps_it_until_it_has_ended(self) -> None:
        waiting = delivery(days=100, status="pending")
        delivery(days=95)
        assert erase() == 1
        assert address_of(waiting) == ADDRESS
        assert Erasure.objects.get().unfinished == [waiting.pk]
        Outgoing.objects.all().delete()
        Delivery.objects.filter(pk=waiting.pk).update(status="sent")
        assert erase() == 1
        assert address_of(waiting) == ""
        assert Erasure.objects.get().unfinished == []

    def test_what_has_gone_meanwhile_is_forgotten(self) -> None:
        waiting = delivery(days=100, status="pending")
        erase()
        waiting.delete()
        assert erase() == 0
        assert Erasure.objects.get().unfinished == []

    @pytest.mark.parametrize(
        ("error", "kept"),
        [
            (f"550 5.1.1 <{ADDRESS}>: user unknown", "550 5.1.1 <…>: user unknown"),
            ("mailbox Ana.B+x@mail.example.org is full", "mailbox …@… is full"),
            ("To number +33 6 12 34 56 78 is no mobile", "To number +… is no mobile"),
            ("timeout after 10 s", "timeout after 10 s"),
        ],
    )
    def test_what_attempts_quote_of_it_is_masked(self, error: str, kept: str) -> None:
        old, young = delivery(days=91, status="failed"), delivery(days=1, status="failed")
        for each in (old, young):
            AttemptRow.objects.create(
                delivery=each,
                number=1,
                started_at=each.created_at,
                duration_ms=1,
                outcome="rejected",
                error=error,
            )
        erase()
        assert old.attempt_set.get().error == kept
        assert young.attempt_set.get().error == error

    def test_a_token_is_masked_wherever_it_is_quoted(self) -> None:
        push = delivery(days=91, channel="push", address="fcm-token-123", status="failed")
        AttemptRow.objects.create(
            delivery=push,
            number=1,
            started_at=push.created_at,
            duration_ms=1,
            outcome="rejected",
            error="token fcm-token-123 is not registered",
        )
        erase()
        assert push.attempt_set.get().error == "token … is not registered"

    def test_a_run_reads_only_what_has_become_old_since_the_one_before(self) -> None:
        first = delivery(days=100)
        erase()
        Delivery.objects.filter(pk=first.pk).update(address="left alone")
        second = delivery(days=95)
        assert erase() == 1
        assert (address_of(first), address_of(second)) == ("left alone", "")
        assert Erasure.objects.get().up_to == second.pk


class TestManyAtATime:
    @pytest.fixture(autouse=True)
    def _many(self, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        """20,000 deliveries, a minute apart, of which the oldest half is too old."""
        monkeypatch.setattr(slices, "PAUSE_S", 0.0)
        told, newest = NotificationFactory(), timezone.now() - timedelta(days=90, minutes=-10_000)
        with connection.cursor() as cursor:
            cursor.execute(
                """
INSERT INTO notifications_delivery
       (id, notification_id, channel, address, language, status, reason, revocable, due_at, expires_at,
        attempts, replays, created_at)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '80008000000000000000')::uuid,
       %(told)s, 'email', 'ana@example.com', 'en', 'sent', '', false, at, at, 1, 0, at
  FROM (SELECT %(newest)s::timestamptz - number * interval '1 minute' AS at
          FROM generate_series(1, 20000) AS number) AS moment""",
                {"told": told.pk, "newest": newest},
            )

    def with_address(self) -> int:
        return Delivery.objects.exclude(address="").count()

    def test_they_are_erased_in_slices(self) -> None:
        with CaptureQueriesContext(connection) as queries:
            assert erase() == pytest.approx(10_000, abs=2)
        statements = [each["sql"] for each in queries if "WITH passed" in each["sql"]]
        assert len(statements) == 10_000 // slices.MOST + 1
        assert all("LIMIT 2000" in each for each in statements)
        assert self.with_address() == pytest.approx(10_000, abs=2)

    @pytest.mark.slow
    def test_a_run_that_is_killed_between_two_slices_has_done_the_first_and_the_next_does_the_rest(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def kill(seconds: float) -> None:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(slices.time, "sleep", kill)
            with pytest.raises(Killed):
                erase()
        connection.close()
        assert self.with_address() == 20_000 - slices.MOST
        with CaptureQueriesContext(connection) as queries:
            erase()
        assert sum("WITH passed" in each["sql"] for each in queries) == 10_000 // slices.MOST
        assert self.with_address() == pytest.approx(10_000, abs=2)

    def test_one_that_comes_while_another_is_at_it_does_nothing(self) -> None:
        Erasure.objects.create()
        held, done = Event(), Event()

        def hold() -> None:
            with transaction.atomic():
                Erasure.objects.select_for_update().get()
                held.set()
                done.wait(30)
            connection.close()

        thread = Thread(target=hold)
        thread.start()
        assert held.wait(10)
        try:
            assert erase() == 0
            assert self.with_address() == 20_000
        finally:
            done.set()
            thread.join(10)

    @pytest.mark.slow
    def test_one_that_is_being_changed_is_passed_over_and_erased_the_next_time(self) -> None:
        oldest = Delivery.objects.order_by("pk").first()
        held, done = Event(), Event()

        def hold() -> None:
            with transaction.atomic():
                Delivery.objects.select_for_update(no_key=True).get(pk=oldest.pk)
                held.set()
                done.wait(30)
            connection.close()

        thread = Thread(target=hold)
        thread.start()
        assert held.wait(10)
        try:
            erase()
            assert address_of(oldest) == ADDRESS
        finally:
            done.set()
            thread.join(10)
        assert erase() == 1
        assert address_of(oldest) == ""


@pytest.mark.django_db
class TestReplay:
    @pytest.fixture
    def old(self, owner: User) -> Delivery:
        """Failed, to a contact point that is still there."""
        point = ContactPointFactory(user=owner, channel="email", address=ADDRESS)
        return delivery(owner, days=91, status="failed", reason="exhausted", contact_point=point)

    @pytest.mark.parametrize("is_erased", [True, False])
    def test_what_is_so_old_is_not_replayed_erased_yet_or_not(self, old: Delivery, is_erased: bool) -> None:
        if is_erased:
            erase()
        of = Delivery.objects.filter(pk=old.pk)
        assert replay.left_out(of) == replay.LeftOut(erased=1)
        assert str(replay.left_out(of)) == "1 so old that their addresses have been erased"
        assert replay.replay(of) == 0
        assert Delivery.objects.get().status == "failed"

    def test_where_addresses_are_kept_it_is(self, old: Delivery, settings: Settings) -> None:
        settings.ADDRESS_RETENTION_DAYS = 0
        assert replay.replay(Delivery.objects.all()) == 1

    def test_the_api_says_why(self, old: Delivery, as_machine: Callable[..., APIClient]) -> None:
        erase()
        client = as_machine("deliveries:read", "deliveries:write")
        seen = client.get(f"/api/v1/deliveries/{old.pk}/").json()
        assert (seen["address"], seen["address_is_erased"]) == ("", True)
        answer = client.post(f"/api/v1/deliveries/{old.pk}/replay/")
        assert answer.status_code == 409
        assert "its address has been erased" in answer.json()["detail"]
        many = client.post("/api/v1/deliveries/replay/", {"channel": "email"})
        assert many.json() == {"replayed": 0, "left_out": {"over": 0, "unreachable": 0, "erased": 1}}

    @pytest.mark.slow
    def test_the_admin_says_so_and_offers_none(self, old: Delivery, operator: User) -> None:
        erase()
        desk = Client()
        desk.force_login(operator)
        page = desk.get(f"/admin/notifications/delivery/{old.pk}/change/").content.decode()
        assert "erased" in page
        assert "/replay/" not in page
        answer = desk.post(f"/admin/notifications/delivery/{old.pk}/replay/", follow=True)
        assert "1 so old that their addresses have been erased" in answer.content.decode()

    def test_what_has_no_address_by_its_channel_is_not_called_erased(self, owner: User) -> None:
        assert not delivery(owner, days=200, channel="inbox", address="").address_is_erased
        assert not delivery(owner, days=1, channel="email").address_is_erased
