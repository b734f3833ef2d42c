"""Evenings of an organiser who is deleted or locked out go on, and the staff hear that they run them now."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.services.users import user_delete, user_update
from dating import services
from dating.models import Event
from dating.services.reminding import longest_pause
from notifications.models import Delivery, Notification
from tests.dating.cast import DAY, EIGHT, HOUR, MINUTE, Evening, event, person, told
from tests.dating.test_api import EVENTS
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], APIClient]


def deleted(user: User) -> None:
    user_delete(user=user)


def locked_out(user: User) -> None:
    user_update(user=user, is_active=False)


LEAVE = pytest.mark.parametrize("leave", [deleted, locked_out])


def said(user: User) -> list[Notification]:
    found = Delivery.objects.filter(user=user, channel="inbox", notification__kind="dating.no_organiser")
    return [each.notification for each in found.select_related("notification")]


@pytest.mark.slow
@LEAVE
def test_it_takes_place_and_the_staff_hear_that_it_is_theirs_to_run(
    leave: Callable[[User], None], as_user: LogIn, operator: User
) -> None:
    olga, people = person("Olga"), [person("Ana"), person("Bob"), person("Tom")]
    User.objects.filter(pk=operator.pk).update(time_zone="Asia/Tokyo")
    evening = Evening(event(organiser=olga)).registered(*people).confirmed()
    gone, colleague = UserFactory(is_staff=True, is_active=False), UserFactory(is_staff=True)
    leave(olga)
    (notice,) = said(operator)
    assert (notice.data["count"], notice.data["more"]) == (1, 0)
    at = EIGHT + 9 * HOUR
    assert f"Friday at eight, {at:%Y-%m-%d %H:%M} (Asia/Tokyo)" in notice.body
    assert len(said(colleague)) == 1
    assert [said(each) for each in (gone, *people)] == [[]] * 4
    assert as_user(operator).get(f"{EVENTS}{evening.event.pk}/run-sheet/").status_code == 200
    evening.at(EIGHT - HOUR)
    assert evening.step == "closed"
    assert [told(each)[-1] for each in people] == ["taking_part"] * 3


@pytest.mark.slow
def test_of_many_the_first_are_named_and_what_is_over_is_not(operator: User) -> None:
    olga = person("Olga")
    for number in range(13):
        event(organiser=olga, title=f"Evening {number}", starts_at=EIGHT + number * DAY)
    services.event_end(event=Event.objects.get(title="Evening 0"), now=EIGHT - 9 * DAY)
    event(organiser=operator, title="Another's")
    deleted(olga)
    (notice,) = said(operator)
    titles = [f"Evening {number}" for number in range(1, 11)]
    assert [each.split(",")[0] for each in notice.data["evenings"]] == titles
    assert "And 2 more." in notice.body


def test_whoever_runs_nothing_leaves_without_a_word(operator: User) -> None:
    deleted(person("Olga"))
    assert said(operator) == []


@pytest.mark.slow
@LEAVE
def test_of_one_that_is_paused_the_staff_are_reminded(leave: Callable[[User], None], operator: User) -> None:
    olga, people = person("Olga"), [person("Ana"), person("Bob")]
    evening = Evening(event(organiser=olga)).registered(*people).confirmed()
    evening.at(EIGHT - HOUR)
    evening.at(EIGHT - 5 * MINUTE)
    services.event_pause(event=evening.event, now=EIGHT)
    reminders = Delivery.objects.filter(notification__kind="dating.still_paused", channel="inbox")
    assert [each.user for each in reminders] == [olga]
    leave(olga)
    (reminder,) = reminders.filter(user=operator)
    assert (reminder.status, reminder.due_at) == ("pending", EIGHT + longest_pause() / 2)
    services.event_resume(event=evening.event, now=EIGHT + timedelta(minutes=30))
    reminder.refresh_from_db()
    assert (reminder.status, reminder.reason) == ("cancelled", "overtaken")
    services.event_pause(event=evening.event, now=EIGHT + HOUR)
    assert [each.user for each in reminders.filter(status="pending")] == [operator]
