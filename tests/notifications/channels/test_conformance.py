"""What every channel of the registry keeps to. A new channel needs one line in `destinations`."""

import logging
import re
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django.fixtures import Settings

from notifications.channels import registry
from notifications.channels.base import Channel
from notifications.channels.message import Message, Receipt, Rejected, Unavailable
from notifications.channels.transport import signing
from notifications.channels.transport.session import Session
from tests.notifications.channels.conftest import MessageBuilder
from tests.notifications.channels.destinations import CANARY, DESTINATIONS, Destination, destination_for

ALL = sorted(registry.CHANNELS)
CAN_FAIL = [name for name in ALL if name not in DESTINATIONS or DESTINATIONS[name].can_fail]
# Those that post: whose receivers know a repeat by its id, and whose don't.
KNOW_REPEATS = ("third_party", "webhook")
KNOW_NO_REPEATS = ("phone", "pubnub", "push", "sms", "telegram")
FAILURES = ("fail_for_good", "fail_for_now", "hang", "listen_nowhere")
# Loggers of the local servers, and of who looks into them, which name everybody.
SERVERS = ("mail.", "pika.")


def cases(names: Iterable[str]) -> list[Any]:
    """Each of these channels; those that need a server that is slow to start are slow."""
    needing = {name for name, kind in DESTINATIONS.items() if kind.needs}
    return [pytest.param(name, marks=[pytest.mark.slow] if name in needing else []) for name in names]


every_channel = pytest.mark.parametrize("name", cases(ALL))
channels_that_can_fail = pytest.mark.parametrize("name", cases(CAN_FAIL))


@pytest.fixture
def channel(name: str) -> Channel:
    return registry.get(name)


@pytest.fixture
def destination(name: str, settings: Settings, request: pytest.FixtureRequest) -> Iterator[Destination]:
    kind = destination_for(name)
    with kind(settings, *map(request.getfixturevalue, kind.needs)) as opened:
        yield opened


@pytest.fixture
def compose(name: str, message: MessageBuilder, destination: Destination) -> Callable[[], Message]:
    """Builds a message to the destination as it is now."""
    return lambda: message(channel=name, address=destination.address)


def test_a_channel_without_a_destination_is_told_what_to_add() -> None:
    with pytest.raises(LookupError, match=r"'pigeon' is not tested\. Add a line"):
        destination_for("pigeon")


def test_a_channel_has_to_say_whether_its_addresses_are_to_be_confirmed() -> None:
    with pytest.raises(TypeError, match="needs_confirmation"):
        type("PigeonChannel", (Channel,), {"name": "pigeon"})
    free = {name for name, channel in registry.CHANNELS.items() if not channel.needs_confirmation}
    assert free == {"console", "inbox", "third_party"}


def test_no_destination_is_left_over() -> None:
    assert set(DESTINATIONS) <= set(ALL)


# --- names, addresses, lanes ---


@every_channel
def test_it_is_registered_under_its_name(name: str, channel: Channel) -> None:
    assert channel.name == name
    assert re.fullmatch(r"[a-z][a-z_]{0,31}", name)
    assert channel.address_type
    assert channel.concurrency >= 1
    assert channel.timeout_s > 0
    assert channel.retry_policy.attempts >= 1


@every_channel
def test_its_settings_can_be_set_for_it_alone(name: str, channel: Channel, settings: Settings) -> None:
    settings.CHANNEL_POLICIES = {name: {"attempts": 7, "timeout_s": 1.5, "concurrency": 3}}
    assert channel.retry_policy.attempts == 7
    assert channel.timeout_s == 1.5
    assert channel.concurrency == 3


@pytest.mark.slow
@every_channel
def test_normal_form_stays_as_it_is(channel: Channel, destination: Destination) -> None:
    normal = channel.normalised_address(destination.address)
    assert channel.normalised_address(normal) == normal
    assert len(normal) <= 2048


@pytest.mark.slow
@every_channel
def test_the_lane_is_short_and_names_no_person(channel: Channel, destination: Destination) -> None:
    lane = channel.lane(channel.normalised_address(destination.address))
    assert 0 < len(lane) <= 300
    assert lane == lane.lower()
    assert not [hidden for hidden in destination.hidden if hidden in lane]


@channels_that_can_fail
@pytest.mark.parametrize("address", ["", " ", "\x00", "no address of anything", "x" * 5000, "a\nb@c\n.d"])
def test_what_is_no_address_is_refused(channel: Channel, address: str) -> None:
    with pytest.raises(ValidationError):
        channel.normalised_address(address)


# --- sending ---


@pytest.mark.slow
@every_channel
async def test_success(
    channel: Channel, destination: Destination, compose: Callable[[], Message], session: Session
) -> None:
    assert isinstance(await channel.send(compose(), session), Receipt)
    assert destination.received() in {1, None}


@pytest.mark.slow
@every_channel
async def test_on_begin_is_called_once(
    channel: Channel, destination: Destination, message: MessageBuilder, session: Session
) -> None:
    begun: list[int | None] = []
    sent = message(address=destination.address, on_begin=lambda: begun.append(destination.received()))
    await channel.send(sent, session)
    assert begun in ([0], [None])


@pytest.mark.slow
@channels_that_can_fail
async def test_a_permanent_failure_is_final(
    channel: Channel, destination: Destination, compose: Callable[[], Message], session: Session
) -> None:
    destination.fail_for_good()
    with pytest.raises(Rejected) as failure:
        await channel.send(compose(), session)
    assert failure.value.status_code


@pytest.mark.slow
@channels_that_can_fail
async def test_a_passing_failure_may_pass(
    channel: Channel, destination: Destination, compose: Callable[[], Message], session: Session
) -> None:
    destination.fail_for_now()
    with pytest.raises(Unavailable) as failure:
        await channel.send(compose(), session)
    assert failure.value.status_code


@pytest.mark.slow
@channels_that_can_fail
async def test_it_gives_up_in_time(
    name: str,
    channel: Channel,
    destination: Destination,
    compose: Callable[[], Message],
    session: Session,
    settings: Settings,
) -> None:
    settings.CHANNEL_POLICIES = {name: {"timeout_s": 0.3}}
    destination.hang()
    started = time.monotonic()
    with pytest.raises(Unavailable, match="timed out"):
        await channel.send(compose(), session)
    assert 0.25 < time.monotonic() - started < 5


@pytest.mark.slow
@channels_that_can_fail
async def test_a_refused_connection_may_pass(
    channel: Channel, destination: Destination, compose: Callable[[], Message], session: Session
) -> None:
    destination.listen_nowhere()
    with pytest.raises(Unavailable):
        await channel.send(compose(), session)


@pytest.mark.parametrize("name", KNOW_REPEATS)
async def test_what_a_kept_connection_lost_is_sent_anew(
    channel: Channel, destination: Destination, compose: Callable[[], Message], session: Session
) -> None:
    await channel.send(compose(), session)
    destination.cut_the_next()
    assert await channel.send(compose(), session) == Receipt(200)
    assert destination.received() == 3


@pytest.mark.parametrize("name", KNOW_NO_REPEATS)
async def test_nobody_is_told_twice_because_a_kept_connection_was_lost(
    channel: Channel, destination: Destination, compose: Callable[[], Message], session: Session
) -> None:
    await channel.send(compose(), session)
    destination.cut_the_next()
    with pytest.raises(Unavailable, match="connection"):
        await channel.send(compose(), session)
    assert destination.received() == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "failure"),
    [(name, None) for name in ALL]
    + [
        (name, each)
        for name in CAN_FAIL
        for each in ("fail_for_good", "fail_for_now", "hang", "listen_nowhere")
    ],
)
async def test_no_secret_and_no_address_is_shown(
    name: str,
    failure: str | None,
    channel: Channel,
    destination: Destination,
    compose: Callable[[], Message],
    session: Session,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.CHANNEL_POLICIES = {name: {"timeout_s": 0.3}}
    settings.WEBHOOK_SIGNING_KEY = f"key-{CANARY}"
    if failure:
        getattr(destination, failure)()
    sent = compose()
    shown = ""
    with caplog.at_level(logging.DEBUG):
        try:
            await channel.send(sent, session)
        except (Rejected, Unavailable) as error:
            shown = "".join(traceback.format_exception(error)) + repr(error)
    logged = [record for record in caplog.records if not record.name.startswith(SERVERS)]
    shown += "".join(f"{record.getMessage()} {record.msg} {record.exc_info}" for record in logged)
    secret = signing.secret_for(sent.contact_point_id, 1)  # type: ignore[arg-type]
    for hidden in (*destination.hidden, "127.0.0.1", secret, secret.removeprefix("whsec_")):
        assert hidden not in shown
