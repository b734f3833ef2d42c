"""Forms are held to the same limits as the API's endpoints, and counted with them."""

from django.http import HttpRequest

from accounts import rate_limits
from accounts.models import User
from config import clock
from config.rest.exceptions import TooMany


def take(*, scope: str, who: str) -> None:
    """Count an attempt.

    Raises:
        TooMany: the scope's rate is used up.
    """
    if wait := rate_limits.attempt_take(scope=scope, who=who, now=clock.now()):
        raise TooMany(wait)


def take_act(person: User) -> None:
    """Count something that a person does of which somebody may be told.

    Raises:
        TooMany: they have done so too often.
    """
    if wait := rate_limits.act_take(user=person, now=clock.now()):
        raise TooMany(wait)


def take_registration(request: HttpRequest, *, email: str) -> None:
    """Count a registration from an address, and of an email.

    Raises:
        TooMany: either's rate is used up.
    """
    take(scope="register", who=rate_limits.address_of(request.META))
    take(scope="register-account", who=rate_limits.account_of(email))


def take_reset(request: HttpRequest, *, email: str) -> None:
    """Count a request for a link to set a new password, from an address and for an account.

    Raises:
        TooMany: either's rate is used up.
    """
    account, address = rate_limits.account_of(email), rate_limits.address_of(request.META)
    take(scope="reset", who=address)
    if wait := rate_limits.reset_take(account=account, address=address, now=clock.now()):
        raise TooMany(wait)
