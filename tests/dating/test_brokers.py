"""The dating bot's commands do what HTTP's do, and are answered with the headers that they came with."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import User, Verification
from accounts.verification import code_of
from config import clock
from config.rest.exceptions import Conflict
from dating import services
from dating.brokers import FORMAT
from dating.brokers.aliases import number_of
from dating.brokers.commands import Command
from dating.models import BotAccount, Reaction, Registration
from notifications.brokers import formats, sources
from notifications.brokers.messages import Answer, Malformed
from notifications.brokers.outbox import messages_send
from notifications.models import ContactPoint, Delivery, OutgoingMessage
from tests.dating.cast import DAY, EIGHT, SECOND, Evening, event, person
from tests.factories import UserFactory
from tests.samples import message_of, samples

URL = "amqp://guest:guest@localhost:5672//"
NUMBER = 77001234


@pytest.fixture(autouse=True)
def _broker(settings: Settings) -> None:
    settings.SOURCES = {**settings.SOURCES, "dating": {**settings.SOURCES["dating"], "url": URL}}
    settings.DATING_QUEUE, settings.DATING_REPLY_QUEUE = "date_maker_dev", "tg_bot_dev"


def linked(user: User, number: int = NUMBER) -> User:
    shown = services.bot_code_make(user=user, now=clock.now())
    services.bot_account_link(number=number, user=user, code=code_of(shown.pk), now=clock.now())
    return user


def asked(body: str, *, at: datetime = EIGHT - 10 * DAY, **headers: Any) -> Any:
    """Send one command, and return what it is answered."""
    sent = {"user_id": NUMBER, "chat_id": NUMBER, "message_id": 12, **headers}
    (answer,) = FORMAT.apply([FORMAT.translate(message_of({"body": body, "headers": sent}, delivered_at=at))])
    assert answer == Answer(
        exchange="chathub_direct_main", routing_key="tg_bot_dev", body=answer.body, headers=sent
    )
    return answer.body


def expected(command: dict[str, Any], headers: dict[str, Any]) -> dict[str, Any]:
    unsaid = {"chat": None, "event": None, "partner": None, "message_id": None}
    whole = {**unsaid, "headers": headers, "source": "test", **command}
    return {
        key: UUID(value) if isinstance(value, str) and len(value) == 36 else value
        for key, value in whole.items()
    }


@pytest.mark.parametrize("sample", samples("dating"))
def test_samples(sample: dict[str, Any]) -> None:
    message = message_of(sample)
    if "reason" in sample:
        with pytest.raises(Malformed) as malformed:
            FORMAT.translate(message)
        assert sample["reason"] in str(malformed.value)
        told = [(each.body, each.headers) for each in malformed.value.answers]
        assert told == ([({"success": False}, sample["headers"])] if sample["answered"] else [])
        return
    command = FORMAT.translate(message)
    assert isinstance(command, Command)
    found = asdict(command)
    assert found.pop("at") == message.delivered_at
    assert found == expected(sample["command"], sample["headers"])


def test_the_format_is_known_by_its_name() -> None:
    assert formats.get("dating") is FORMAT


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("number", [3, "3"])
def test_registering_confirming_and_cancelling_are_answered_as_by_the_original(number: Any) -> None:
    evening = Evening(event())
    user = linked(person())
    event_id = type(number)(evening.event.number)
    assert asked("register_event", event_id=event_id) == {"user_registered": True}
    assert asked("register_event", event_id=event_id) == {"user_registered": True}
    assert asked("confirm_registration", event_id=event_id) == {"registration_confirmed": False}
    evening.at(EIGHT - DAY)
    assert asked("confirm_registration", at=EIGHT - DAY + SECOND, event_id=event_id) == {
        "registration_confirmed": True
    }
    assert Registration.objects.get(user=user).state == "confirmed"
    assert asked("cancel_registration", at=EIGHT - DAY + SECOND, event_id=event_id) == {
        "registration_cancelled": True
    }
    assert Registration.objects.get(user=user).state == "cancelled"


@pytest.mark.django_db
def test_event_0_cancels_all_in_one_answer() -> None:
    user = linked(person())
    for title in ("Friday", "Saturday"):
        services.registration_create(event=event(title=title), user=user, now=EIGHT - 10 * DAY)
    assert asked("cancel_registration", event_id=0) == {"registration_cancelled": True}
    assert set(Registration.objects.values_list("state", flat=True)) == {"cancelled"}
    assert asked("cancel_registration", event_id="0") == {"registration_cancelled": True}


@pytest.mark.django_db
def test_the_list_holds_what_one_can_register_for_in_the_bots_own_time_zone(settings: Settings) -> None:
    linked(person())
    settings.DATING_BOT_TIME_ZONE = "Europe/Moscow"
    later, sooner = event(starts_at=EIGHT + DAY, users_limit=8), event()
    over = Evening(event(title="closed"))
    over.at(EIGHT)
    over.event.refresh_from_db()
    assert over.event.state == 5
    start = f"{EIGHT.date()} 23:00:00"  # 20:00 in UTC
    assert asked("list_events") == [
        {str(sooner.number): {"start_time": start, "users_limit": 20}},
        {str(later.number): {"start_time": f"{(EIGHT + DAY).date()} 23:00:00", "users_limit": 8}},
    ]
    assert asked("list_events", at=EIGHT + 2 * DAY) == []


@pytest.mark.django_db
def test_ids_do_in_place_of_numbers() -> None:
    user, evening = person(), event()
    BotAccount.objects.create(number=4242, user=user)
    assert asked("register_event", user_id=str(user.pk), event_id=str(evening.pk)) == {
        "user_registered": True
    }
    assert Registration.objects.get().user == user


@pytest.mark.django_db
def test_nobody_is_spoken_for_whom_the_bot_does_not_know(operator: User) -> None:
    """Neither does the chat of whoever sent the message become a place where they are told things."""
    evening = event()
    for user in (person(), operator):
        for command in ("register_event", "cancel_registration", "list_events"):
            sent = {"user_id": str(user.pk), "chat_id": "666", "event_id": evening.number}
            assert asked(command, **sent) == {"success": False}
    assert not Registration.objects.exists()
    assert not ContactPoint.objects.exists()


@pytest.mark.django_db
def test_whom_and_what_nobody_knows_is_answered_as_the_original_did() -> None:
    evening = event()
    assert asked("register_event", event_id=evening.number) == {"success": False}
    user = linked(person())
    assert asked("register_event", event_id=evening.number + 1) == {"success": False}
    assert asked("register_event", event_id=str(uuid4())) == {"success": False}
    user.is_active = False
    user.save()
    assert asked("register_event", event_id=evening.number) == {"success": False}
    assert not Registration.objects.exists()


@pytest.mark.django_db
def test_one_that_is_refused_harms_no_neighbour() -> None:
    linked(person())
    evening, closed = event(), Evening(event())
    closed.at(EIGHT)
    commands = [
        FORMAT.translate(
            message_of(
                {"body": "register_event", "headers": {"user_id": NUMBER, "event_id": number}},
                delivered_at=EIGHT - 10 * DAY,
            )
        )
        for number in (closed.event.number, evening.number, 999)
    ]
    assert [answer.body for answer in FORMAT.apply(commands)] == [
        {"user_registered": False},
        {"user_registered": True},
        {"success": False},
    ]
    assert Registration.objects.get().event == evening


@pytest.mark.django_db
def test_the_same_again_tells_nobody_again() -> None:
    user = linked(person())
    number = event().number
    asked("register_event", event_id=number)
    told = Delivery.objects.filter(user=user).count()
    asked("register_event", event_id=number)
    assert Delivery.objects.filter(user=user).count() == told > 0


@pytest.mark.django_db
def test_headers_of_any_type_come_back() -> None:
    linked(person())
    odd = {
        "user_id": NUMBER,
        "sent": EIGHT,
        "raw": b"\x00\xff",
        "nested": {"hops": [1, None, 2.5]},
        "nul": "\0",
    }
    command = FORMAT.translate(message_of({"body": "list_events", "headers": odd}))
    source = sources.get("dating")
    messages_send(source=source, answers=FORMAT.apply([command]))
    headers = OutgoingMessage.objects.get().headers
    assert headers == {**odd, "sent": EIGHT.isoformat(), "raw": "AP8=", "nul": "�"}


@pytest.mark.django_db
def test_what_is_delivered_again_under_its_id_is_done_and_answered_once() -> None:
    linked(person())
    headers = {"user_id": NUMBER, "event_id": event().number}
    commands = [
        FORMAT.translate(
            message_of({"body": body, "headers": headers}, message_id=body, delivered_at=EIGHT - 10 * DAY)
        )
        for body in ("register_event", "cancel_registration")
    ]
    assert len(FORMAT.apply(commands)) == 2
    told = Delivery.objects.count()
    assert FORMAT.apply(commands) == []
    assert Registration.objects.get().state == "cancelled"
    assert Delivery.objects.count() == told


@pytest.mark.slow
@pytest.mark.django_db
def test_an_evening_can_be_lived_through_by_the_bot_alone() -> None:
    ana, ben = linked(person("Ana"), 1), linked(person("Ben"), 2)
    evening = Evening(event()).registered(ana, ben).confirmed()
    number = evening.event.number
    for moment in ("close_at", "rules_at"):
        evening.at(getattr(evening.event, moment))
    now = evening.event.rules_at + SECOND
    for user_id in (1, 2):
        assert asked("ready_for_event", at=now, user_id=user_id, event_id=number) == {"user_ready": True}
    partner = number_of(evening.member(ben).pk)
    assert asked("like_partner", at=now, user_id=1, event_id=number, partner_id=partner + 1) == {
        "success": False
    }
    evening.at(now)
    evening.join(ana, ben)
    assert asked("like_partner", at=now, user_id=1, event_id=number, partner_id=partner) == {
        "reaction_recorded": True
    }
    assert asked("dislike_partner", at=now, user_id=1, event_id=number, partner_id=str(partner)) == {
        "reaction_recorded": False
    }
    assert asked("report_partner", at=now, user_id=1, event_id=number, partner_id=partner) == {
        "reaction_recorded": True
    }
    assert sorted(Reaction.objects.values_list("kind", flat=True)) == ["like", "report"]


# --- who is who ---


@pytest.mark.django_db
def test_whoever_writes_to_the_bot_is_told_by_it_until_they_end_that() -> None:
    user, evening = person(), event()
    BotAccount.objects.create(user=user, number=NUMBER)  # as staff may, who know no chat
    asked("register_event", user_id=str(user.pk), chat_id="-5005", event_id=evening.number)
    point = ContactPoint.objects.get(user=user)
    assert (point.channel, point.address) == ("bot", "-5005")
    assert Delivery.objects.filter(contact_point=point).exists()
    point.deleted_at = datetime.now(UTC)
    point.save()
    asked("list_events", user_id=str(user.pk), chat_id=-5005)
    assert not ContactPoint.objects.filter(deleted_at=None).exists()


@pytest.mark.django_db
def test_a_number_is_one_persons_only() -> None:
    linked(UserFactory())
    other = UserFactory()
    with pytest.raises(Conflict, match="somebody else"):
        services.bot_account_link(number=NUMBER, user=other, now=clock.now())
    assert BotAccount.objects.count() == 1


@pytest.mark.django_db
def test_the_bot_says_who_somebody_is_and_they_take_part_with_that(
    as_machine: Callable[..., APIClient],
) -> None:
    client, path = as_machine("dating:write", "dating:read"), f"/api/v1/dating/bot-accounts/{NUMBER}/"
    about = {"first_name": "Ana", "birthday": "1999-05-01", "seeks": "men", "language": "fr"}
    made = client.put(path, about)
    assert (made.status_code, made.json()["number"]) == (201, NUMBER)
    assert client.put(path, {**about, "city": "Lyon"}).status_code == 200
    assert client.get(path).json() == made.json()
    user = User.objects.get(pk=made.json()["user_id"])
    assert (user.first_name, user.language, user.has_usable_password()) == ("Ana", "fr", False)
    assert (user.dating_profile.city, user.dating_profile.seeks) == ("Lyon", "men")
    assert list(user.contact_points.values_list("channel", "address")) == [("bot", str(NUMBER))]
    assert services.profile_lacks(user) == []
    assert asked("register_event", event_id=event().number) == {"user_registered": True}


@pytest.mark.django_db
def test_a_chat_that_is_named_for_somebody_whom_the_bot_does_not_speak_for_is_told_nothing() -> None:
    user, evening = person(), event()
    done = asked("register_event", user_id=str(user.pk), chat_id=666000666, event_id=evening.number)
    assert done == {"success": False}
    assert not ContactPoint.objects.exists()


@pytest.mark.django_db
def test_a_number_can_be_given_to_somebody_with_an_account_who_says_the_rest_themselves(
    as_machine: Callable[..., APIClient], as_user: Callable[[User], APIClient], owner: User, stranger: User
) -> None:
    client, path = as_machine("dating:write"), f"/api/v1/dating/bot-accounts/{NUMBER}/"
    linked_to = {"user_id": str(owner.pk)}
    assert client.put(path, {**linked_to, "first_name": "X"}).status_code == 409
    assert not BotAccount.objects.exists()
    code = as_user(owner).post("/api/v1/dating/bot-code/").json()["code"]
    assert client.put(path, {**linked_to, "chat_id": -5005, "code": code}).status_code == 201
    assert client.put(path, linked_to).status_code == 200
    assert client.put(path, {**linked_to, "chat_id": -5005}).status_code == 200
    assert client.put(path, {"user_id": str(stranger.pk)}).status_code == 409
    other = client.put(f"/api/v1/dating/bot-accounts/{NUMBER + 1}/", linked_to)
    assert other.status_code == 409
    assert list(owner.contact_points.values_list("channel", "address")) == [("bot", "-5005")]


@pytest.mark.django_db
def test_nobody_with_an_account_is_linked_or_told_in_another_chat_without_a_code_of_theirs(
    as_machine: Callable[..., APIClient],
    as_user: Callable[[User], APIClient],
    owner: User,
    stranger: User,
    operator: User,
) -> None:
    client, path = as_machine("dating:write"), f"/api/v1/dating/bot-accounts/{NUMBER}/"
    theirs = {"user_id": str(operator.pk), "chat_id": 666000666}
    others = as_user(stranger).post("/api/v1/dating/bot-code/").json()["code"]
    for body in (theirs, {**theirs, "code": others}, {**theirs, "code": "x"}):
        refused = client.put(path, body)
        assert (refused.status_code, list(refused.json())) == (400, ["code"])
    # Nor by staff, who may have less to read than whom they would link.
    staff = UserFactory(is_staff=True)
    assert as_user(staff).put(path, theirs).status_code == 400
    assert not BotAccount.objects.exists()
    assert not ContactPoint.objects.exists()

    assert as_user(operator).put(path, {"user_id": str(operator.pk)}).status_code == 201
    for body in ({"chat_id": 666000666}, theirs):
        assert client.put(path, body).status_code == 400
    assert list(operator.contact_points.values_list("address", flat=True)) == [str(NUMBER)]


@pytest.mark.slow
@pytest.mark.django_db
def test_a_code_for_the_bot_is_void_after_five_guesses_and_works_once(
    as_machine: Callable[..., APIClient], as_user: Callable[[User], APIClient], owner: User
) -> None:
    client, path = as_machine("dating:write"), f"/api/v1/dating/bot-accounts/{NUMBER}/"
    first = as_user(owner).post("/api/v1/dating/bot-code/").json()["code"]
    wrong = f"{(int(first) + 1) % 10**6:06}"
    for _ in range(5):
        client.put(path, {"user_id": str(owner.pk), "code": wrong})
    assert client.put(path, {"user_id": str(owner.pk), "code": first}).status_code == 400
    second = as_user(owner).post("/api/v1/dating/bot-code/").json()["code"]
    assert client.put(path, {"user_id": str(owner.pk), "code": second}).status_code == 201
    assert client.delete(path).status_code == 204
    assert client.put(path, {"user_id": str(owner.pk), "code": second}).status_code == 400


@pytest.mark.django_db
def test_a_code_for_the_bot_is_shown_on_the_page_of_ones_profile(owner: User, client: Client) -> None:
    client.force_login(owner)
    assert "Show a code" in client.get("/dating/profile/").content.decode()
    page = client.post("/dating/profile/bot-code/", follow=True).content.decode()
    code = code_of(Verification.objects.get(user=owner, purpose="bot").pk)
    assert f"is {code}." in page


@pytest.mark.django_db
def test_another_persons_chat_with_the_bot_is_told_nothing_but_a_code(
    as_user: Callable[[User], APIClient], owner: User
) -> None:
    added = as_user(owner).post("/api/v1/contact-points/", {"channel": "bot", "address": "4242"})
    assert added.json()["confirmed_at"] is None
    registration = services.registration_create(event=event(), user=owner, now=EIGHT - 10 * DAY)
    assert registration
    kinds = Delivery.objects.filter(channel="bot").values_list("notification__kind", flat=True)
    assert list(kinds) == ["account.confirm_contact_point"]


@pytest.mark.django_db
def test_ending_it_ends_what_they_are_told_by_it(as_machine: Callable[..., APIClient], owner: User) -> None:
    client, path = as_machine("dating:write", "dating:read"), f"/api/v1/dating/bot-accounts/{NUMBER}"
    linked(owner)
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert not owner.contact_points.filter(deleted_at=None).exists()
    assert User.objects.filter(pk=owner.pk).exists()
    assert asked("list_events") == {"success": False}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user_id": "33cbb18c-3e9d-4acc-9667-2fbe7bf29137"}, "user_id"),
        ({"user_id": 5}, "user_id"),
        ({"chat_id": "5"}, "chat_id"),
        ({"chat_id": 0}, "chat_id"),
        ({"chat_id": 2**60}, "chat_id"),
        ({"birthday": "yesterday"}, "birthday"),
        ({"language": "xx"}, "language"),
        ({"time_zone": "Mars"}, "time_zone"),
        ({"first_name": 5}, "first_name"),
    ],
)
def test_bad_input_is_refused_and_makes_nobody(
    as_machine: Callable[..., APIClient], body: dict[str, Any], field: str
) -> None:
    answer = as_machine("dating:write").put(f"/api/v1/dating/bot-accounts/{NUMBER}/", body)
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not User.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("number", [0, 2**63, 10**30])
def test_what_is_no_number_of_anybody_is_not_found(as_machine: Callable[..., APIClient], number: int) -> None:
    assert as_machine("dating:write").put(f"/api/v1/dating/bot-accounts/{number}/", {}).status_code == 404


@pytest.mark.slow
@pytest.mark.django_db
def test_only_the_bot_and_the_staff_say_who_is_who(
    as_user: Callable[[User], APIClient],
    as_machine: Callable[..., APIClient],
    anonymous: APIClient,
    stranger: User,
    operator: User,
) -> None:
    path = f"/api/v1/dating/bot-accounts/{NUMBER}/"
    linked(stranger)
    assert anonymous.get(path).status_code == 401
    for client in (as_user(stranger), as_machine("alerts:write")):
        assert [client.get(path).status_code, client.put(path, {}).status_code] == [403, 403]
        assert client.delete(path).status_code == 403
    assert as_machine("dating:read").put(path, {}).status_code == 403
    assert as_user(operator).get(path).status_code == 200
