"""What people say of themselves, saved by two at the same time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from django.db import connection, transaction

from accounts.models import User
from dating.models import DatingProfile
from dating.services.profiles import profile_set
from tests.factories import UserFactory
from tests.notifications.engine.test_notify import someone_waits_for_a_lock

pytestmark = pytest.mark.django_db(transaction=True)


def save(user: User) -> None:
    try:
        profile_set(user=user, birthday=date(1999, 5, 1), city="Lyon", seeks="men")
    finally:
        connection.close()


def now_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # which a transaction else keeps
    return someone_waits_for_a_lock()


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "again"])
def test_what_others_store_of_somebody_meanwhile_stays(is_first: bool) -> None:
    """The score that an organiser gives, beside what the person says: for the first time, or once more."""
    user = UserFactory()
    if not is_first:
        DatingProfile.objects.create(user=user, manual_score=2)
    with ThreadPoolExecutor(1) as elsewhere:
        with transaction.atomic():
            DatingProfile.objects.update_or_create(user=user, defaults={"manual_score": 3})
            saving = elsewhere.submit(save, user)
            while not now_waits_for_a_lock():
                assert not saving.done()
        saving.result(30)
    profile = DatingProfile.objects.get()
    assert (profile.city, profile.seeks, profile.manual_score) == ("Lyon", "men", 3)
