"""How often something may be tried: exact, and nobody's to use up for somebody else."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from accounts import rate_limits
from accounts.rate_limits import account_of, address_of, attempt_take, parsed
from config.rest.exceptions import TooMany

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
S = timedelta(seconds=1)


def take(who: str = "x", at: timedelta = 0 * S, scope: str = "login") -> timedelta | None:
    return attempt_take(scope=scope, who=who, now=NOW + at)


@pytest.mark.usefixtures("redis")
def test_as_many_as_the_rate_says_are_let_through(rate: Any) -> None:
    rate("login", "3/min")
    assert [take() is None for _ in range(5)] == [True, True, True, False, False]


@pytest.mark.usefixtures("redis")
def test_the_wait_is_until_the_oldest_no_longer_counts(rate: Any) -> None:
    rate("login", "2/min")
    take(), take(at=20 * S)
    assert take(at=30 * S) == 30 * S
    assert take(at=60 * S) is None
    assert take(at=61 * S) == 19 * S


@pytest.mark.usefixtures("redis")
def test_trying_on_does_not_put_off_the_end(rate: Any) -> None:
    rate("login", "1/min")
    take()
    assert all(take(at=second * S) is not None for second in range(1, 60))
    assert take(at=60 * S) is None


@pytest.mark.usefixtures("redis")
def test_each_scope_and_each_one_is_counted_alone(rate: Any) -> None:
    rate("login", "1/min"), rate("reset", "1/min")
    assert [take("x"), take("y"), take("x", scope="reset")] == [None] * 3
    assert take("x") is not None


@pytest.mark.usefixtures("redis")
def test_no_rate_means_no_limit(rate: Any) -> None:
    assert [take() for _ in range(50)] == [None] * 50


@pytest.mark.usefixtures("redis")
def test_attempts_at_the_same_instant_are_counted_one_by_one(rate: Any) -> None:
    rate("login", "10/min")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: take(), range(64)))
    assert answers.count(None) == 10


def test_what_is_kept_names_nobody_and_ends_by_itself(redis: Redis, rate: Any) -> None:
    rate("login", "3/hour")
    attempt_take(scope="login", who="ana@example.com", now=NOW)
    rate_limits.address_remember(account="ana@example.com", address="192.0.2.1")
    keys = redis.keys("tocsin:attempts:*")
    assert len(keys) == 2
    assert not any(b"ana" in key or b"192" in key for key in keys)
    assert all(redis.ttl(key) > 0 for key in keys)


def test_nothing_is_let_through_uncounted(settings: Any, rate: Any) -> None:
    rate("login", "3/min")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(RedisError):
        take()


class Wrong(Exception):
    """What a guess is answered with."""


def log_in(address: str, *, account: str = "ana@example.com", is_right: bool = False) -> bool:
    """Try to log in; whether the password was looked at, and what came of that was said."""
    try:
        with rate_limits.log_in_counted(Wrong, account=account, address=address):
            if not is_right:
                raise Wrong
    except TooMany:
        return False
    except Wrong:
        assert not is_right
    return True


@pytest.mark.usefixtures("redis")
def test_one_address_can_not_use_up_an_account() -> None:
    """With the rates as they are by default."""
    assert [log_in("192.0.2.1") for _ in range(100)].count(True) == 10
    assert log_in("192.0.2.2", is_right=True)


@pytest.mark.usefixtures("redis")
def test_many_addresses_together_are_held_to_the_rate_of_the_account() -> None:
    assert [log_in(f"192.0.2.{n}") for n in range(100)].count(True) == 20
    assert not log_in("192.0.2.200", is_right=True)


@pytest.mark.usefixtures("redis")
def test_the_owner_gets_in_from_where_they_were_before() -> None:
    assert log_in("198.51.100.7", is_right=True)
    for n in range(100):
        log_in(f"192.0.2.{n}")
    assert not log_in("192.0.2.200", is_right=True)
    assert log_in("198.51.100.7", is_right=True)


@pytest.mark.usefixtures("redis")
def test_a_known_address_is_held_to_its_own_rate() -> None:
    assert log_in("198.51.100.7", is_right=True)
    assert [log_in("198.51.100.7") for _ in range(30)].count(True) == 10
    assert not log_in("198.51.100.7", is_right=True)


@pytest.mark.usefixtures("redis")
def test_who_gets_in_counts_for_nothing_and_takes_back_what_they_mistyped() -> None:
    for number in range(200):
        account = f"u{number}@example.com"
        assert log_in("192.0.2.1", account=account)
        assert log_in("192.0.2.1", account=account, is_right=True)


@pytest.mark.usefixtures("redis")
def test_nobody_takes_back_failures_at_another_account() -> None:
    for number in range(9):
        assert log_in("192.0.2.1", account=f"victim{number}@example.com")
    assert log_in("192.0.2.1", account="mine@example.com", is_right=True)
    assert [log_in("192.0.2.1", account="victim@example.com") for _ in range(3)] == [True, False, False]


@pytest.mark.usefixtures("redis")
def test_of_guesses_at_the_same_instant_no_more_than_the_rate_are_answered() -> None:
    together = Barrier(32)

    def guess(number: int) -> bool:
        try:
            with rate_limits.log_in_counted(Wrong, account=f"u{number}@example.com", address="192.0.2.1"):
                together.wait()  # all are past the first look
                raise Wrong
        except TooMany:
            return False
        except Wrong:
            return True

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(guess, range(32))).count(True) == 10


@pytest.mark.usefixtures("redis")
def test_a_right_guess_that_others_failures_have_overtaken_is_not_told_from_a_wrong_one() -> None:
    def guess() -> None:
        with rate_limits.log_in_counted(Wrong, account="ana@example.com", address="192.0.2.1"):
            for number in range(10):
                assert log_in("192.0.2.1", account=f"u{number}@example.com")

    with pytest.raises(TooMany):
        guess()
    assert not rate_limits.address_is_known(account="ana@example.com", address="192.0.2.1")


@pytest.mark.usefixtures("redis")
def test_an_address_is_known_for_the_one_who_logged_in_there_only() -> None:
    assert log_in("192.0.2.7", account="eva@example.com", is_right=True)
    assert not rate_limits.address_is_known(account="ana@example.com", address="192.0.2.7")


def asked_for_reset(address: str) -> bool:
    return rate_limits.reset_take(account="ana@example.com", address=address, now=NOW) is None


@pytest.mark.usefixtures("redis")
def test_no_stranger_uses_up_the_owner_s_resets() -> None:
    assert [asked_for_reset("192.0.2.1") for _ in range(5)] == [True] * 3 + [False] * 2
    assert asked_for_reset("198.51.100.7")


@pytest.mark.usefixtures("redis")
def test_many_strangers_flood_nobody_with_resets_and_do_not_keep_the_owner_from_theirs() -> None:
    rate_limits.address_remember(account="ana@example.com", address="198.51.100.7")
    assert [asked_for_reset(f"192.0.2.{n}") for n in range(30)].count(True) == 12
    assert asked_for_reset("198.51.100.7")


@pytest.mark.parametrize(
    ("rate", "limit", "window"),
    [("10/min", 10, 60 * S), ("1/s", 1, S), ("3/hour", 3, 3600 * S), ("0/day", 0, 86400 * S)],
)
def test_rates_are_read(rate: str, limit: int, window: timedelta) -> None:
    assert parsed(rate) == (limit, window)


@pytest.mark.parametrize(
    "rate", ["", "10", "10/", "/min", "-1/min", "1.5/min", "10/5min", "ten/min", "10/week"]
)
def test_what_is_no_rate_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="10/min"):
        parsed(rate)


def test_spellings_of_an_email_are_one_account() -> None:
    assert account_of(" Ana@Example.COM ") == "ana@example.com"


@pytest.mark.parametrize(
    ("given", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("unknown", "unknown"),
    ],
)
def test_an_address_is_counted_as_what_one_person_has(given: str, counted: str) -> None:
    assert address_of({"REMOTE_ADDR": given}) == counted


def test_a_client_can_not_choose_its_address() -> None:
    assert address_of({"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}) == "192.0.2.1"


def test_behind_a_proxy_its_word_counts(settings: Any) -> None:
    settings.BEHIND_TLS_PROXY = True
    meta = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9, 192.0.2.1"}
    assert address_of(meta) == "192.0.2.1"
    assert address_of({"REMOTE_ADDR": "10.0.0.1"}) == "10.0.0.1"
