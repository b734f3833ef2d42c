"""Forms are held to the same limits as the API's endpoints, and counted with them."""

from django.http import HttpRequest

from accounts import attempts
from accounts.models import User
from config import clock
from config.exceptions import TooMany


def take(*, scope: str, who: str) -> None:
    """Count an attempt.

    Raises:
        TooMany: the scope's rate is used up.
    """
    if wait := attempts.attempt_take(scope=scope, who=who, now=clock.now()):
        raise TooMany(wait)


def take_act(person: User) -> None:
    """Count something that a person does of which somebody may be told.

    Raises:
        TooMany: they have done so too often.
    """
    if wait := attempts.act_take(user=person, now=clock.now()):
        raise TooMany(wait)


def take_for_account(request: HttpRequest, *, scope: str, email: str) -> None:
    """Count an attempt of an address, and of an account.

    Raises:
        TooMany: either's rate is used up.
    """
    take(scope=scope, who=attempts.address_of(request.META))
    take(scope=f"{scope}-account", who=attempts.account_of(email))


def take_log_in(request: HttpRequest, *, email: str) -> None:
    """Count an attempt to log in.

    Raises:
        TooMany: the address's rate, or the account's, is used up.
    """
    address, account = attempts.address_of(request.META), attempts.account_of(email)
    if wait := attempts.log_in_take(account=account, address=address, now=clock.now()):
        raise TooMany(wait)


def remember(request: HttpRequest, *, email: str) -> None:
    """Note that somebody has logged in from there: strangers can't use up their limit for them."""
    address = attempts.address_of(request.META)
    attempts.address_remember(account=attempts.account_of(email), address=address)
