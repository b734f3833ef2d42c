"""A saved alert becomes one job, and is not lost where the queue is."""

import django_rq
from django.db import connection, transaction
from pytest_django import Settings

from accounts.models import Shop, User
from notifications.engine import jobs
from notifications.engine.fanout import alerts_fan_out
from notifications.models import Alert, Delivery
from tests.factories import AlertFactory


def queued() -> list[tuple[str, tuple[object, ...]]]:
    """What waits on the queue, but for the events that making the cast has made."""
    jobs = [(job.func_name, job.args) for job in django_rq.get_queue("urgent").jobs]
    return [job for job in jobs if job[0] != "notifications.events.jobs.event_handle"]


def test_saving_an_alert_enqueues_one_job_on_commit(transactional_db: None, shop: Shop) -> None:
    with transaction.atomic():
        alert = AlertFactory(shop=shop)
        assert queued() == []
    assert queued() == [("notifications.engine.jobs.alert_fan_out", (str(alert.pk),))]


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
    alerts_fan_out()
    assert Delivery.objects.get().user == owner
    assert Alert.objects.get(pk=alert.pk).fanned_out_at is not None


def test_while_a_job_waits_it_serves_the_alerts_that_come_after_it(
    transactional_db: None, owner: User, shop: Shop
) -> None:
    alerts = AlertFactory.create_batch(5, shop=shop)
    assert queued() == [("notifications.engine.jobs.alert_fan_out", (str(alerts[0].pk),))]
    jobs.alert_fan_out(str(alerts[0].pk))
    assert Delivery.objects.count() == 5


def test_an_alert_that_can_not_be_fanned_out_keeps_no_other_from_it(
    transactional_db: None, owner: User, shop: Shop
) -> None:
    broken, *others = AlertFactory.create_batch(3, shop=shop)
    with connection.cursor() as cursor:  # as a fault in its data would
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF NEW.dedup_key = TG_ARGV[0] THEN RAISE 'refused'; END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER refuse BEFORE INSERT ON notifications_notification FOR EACH ROW "
            f"EXECUTE FUNCTION refuse('alert:{broken.pk}')"
        )
    try:
        alerts_fan_out()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION refuse CASCADE")
    assert Delivery.objects.count() == len(others)
    assert list(Alert.objects.filter(fanned_out_at=None)) == [broken]
