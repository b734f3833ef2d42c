"""A saved alert becomes one job, and is not lost where the queue is."""

import django_rq
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Shop, User
from notifications.engine.sweep import alerts_recover
from notifications.models import Alert, Delivery
from tests.factories import AlertFactory


def queued() -> list[tuple[str, tuple[object, ...]]]:
    return [(job.func_name, job.args) for job in django_rq.get_queue().jobs]


def test_saving_an_alert_enqueues_one_job_on_commit(transactional_db: None, shop: Shop) -> None:
    with transaction.atomic():
        alert = AlertFactory(shop=shop)
        assert queued() == []
    assert queued() == [("notifications.jobs.alert_fan_out", (str(alert.pk),))]


def test_an_alert_that_is_rolled_back_enqueues_nothing(transactional_db: None, shop: Shop) -> None:
    with transaction.atomic():
        AlertFactory(shop=shop)
        transaction.set_rollback(True)
    assert queued() == []


def test_changing_an_alert_enqueues_nothing(transactional_db: None, shop: Shop) -> None:
    alert = AlertFactory(shop=shop)
    before = queued()
    alert.save()
    assert queued() == before


def test_an_alert_is_accepted_while_redis_is_away_and_found_by_the_sweep(
    transactional_db: None, owner: User, shop: Shop, settings: Settings
) -> None:
    reachable, settings.REDIS_URL = settings.REDIS_URL, "unix:///nowhere/redis.sock"
    alert = AlertFactory(shop=shop)
    settings.REDIS_URL = reachable
    assert queued() == []
    settings.FANOUT_GRACE_S = 0
    assert alerts_recover(timezone.now()) == 1
    assert Delivery.objects.get().user == owner
    assert Alert.objects.get(pk=alert.pk).fanned_out_at is not None


def test_the_sweep_leaves_fresh_alerts_to_their_jobs(transactional_db: None, owner: User, shop: Shop) -> None:
    AlertFactory(shop=shop)
    assert alerts_recover(timezone.now()) == 0
    assert not Delivery.objects.exists()
