"""Refuses settings of accounts that can't be meant, before anything starts."""

import re
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from accounts import rate_limits
from accounts.models import Door

PREFIX: Final = re.compile(r"\+[1-9][0-9]{0,14}")


@register("tocsin")
def rates_make_sense(**kwargs: Any) -> list[CheckMessage]:
    """Each rate is like ``10/min``, and no address can use up the attempts of an account by itself."""
    problems: list[CheckMessage] = []
    windows = {}
    for scope, rate in settings.RATES.items():
        try:
            windows[scope] = rate_limits.parsed(rate) if rate is not None else None
        except ValueError as error:
            problems.append(Error(f"The rate of {scope}: {error}.", id="accounts.E001"))
    by_address, by_account = windows.get("login"), windows.get("login-account")
    if by_account and (not by_address or _per_second(by_account) <= _per_second(by_address)):
        text = "LOGIN_ACCOUNT_RATE should exceed LOGIN_RATE, or one address can keep others from logging in."
        problems.append(Warning(text, id="accounts.W001"))
    return problems


@register("tocsin")
def registration_makes_sense(**kwargs: Any) -> list[CheckMessage]:
    """Who may register is one of the answers, and domains are named where they decide."""
    if settings.REGISTRATION not in Door.values:
        return [Error(f"REGISTRATION: expected one of {', '.join(Door.values)}.", id="accounts.E003")]
    if settings.REGISTRATION == Door.DOMAINS and not settings.REGISTRATION_DOMAINS:
        text = "REGISTRATION=domains: say which, in REGISTRATION_DOMAINS; nobody can register now."
        return [Error(text, id="accounts.E004")]
    return []


@register("tocsin")
def prefixes_make_sense(**kwargs: Any) -> list[CheckMessage]:
    """Each beginning of phone numbers is one in international form."""
    wrong = [prefix for prefix in settings.PHONE_PREFIXES if not PREFIX.fullmatch(prefix)]
    text = "PHONE_PREFIXES: expected prefixes such as +33, separated by commas; these are invalid: {}."
    return [Error(text.format(", ".join(wrong)), id="accounts.E002")] if wrong else []


def _per_second(rate: tuple[int, Any]) -> float:
    limit, window = rate
    return float(limit / window.total_seconds())
