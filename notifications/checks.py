"""Settings that contradict each other are refused at start."""

import importlib.util
import os
import re
import zoneinfo
from email.utils import parseaddr
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from config import zones
from notifications.brokers import formats, sources
from notifications.channels.registry import CHANNELS
from notifications.channels.transport import batch, twilio
from notifications.engine.pump import START_WITHIN

#: Tags of what is checked before a part starts: the product's own. Django's checks look at the code, and load
#: every page of the product for it; they are `manage.py check`'s.
BEFORE_START: Final = ["tocsin"]

#: Each channel's own settings, and the least that each can be; and the most that any can.
KNOWN_POLICY: Final = {"attempts": 1, "wait_s": 0, "timeout_s": 1, "concurrency": 1, "rate": 0.001}
POLICY_MOST: Final = 1_000_000

#: Settings of days in which 0 has a meaning of its own.
ZERO_DAYS: Final = {"HISTORY_RETENTION_DAYS": "for ever", "ADDRESS_RETENTION_DAYS": "with the history"}
#: A hundred years: some thousands can't be counted back from now.
DAYS_MOST: Final = 36_500


@register("tocsin")
def policies_make_sense(**kwargs: Any) -> list[CheckMessage]:
    """Each channel's own settings are known ones, and numbers within bounds, which NaN is not."""
    faults: list[CheckMessage] = []
    for name, policy in settings.CHANNEL_POLICIES.items():
        if name not in CHANNELS:
            faults.append(Error(f"CHANNEL_POLICIES names an unknown channel: {name}", id="tocsin.E001"))
        elif CHANNELS[name].instant:
            text = f"CHANNEL_POLICIES has no effect for {name}, which sends nothing"
            faults.append(Error(text, id="tocsin.E001"))
        for key, value in policy.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if key not in KNOWN_POLICY or not is_number or not KNOWN_POLICY[key] <= value <= POLICY_MOST:
                faults.append(Error(f"CHANNEL_POLICIES[{name}][{key}] can't be {value!r}", id="tocsin.E002"))
    return faults


@register("tocsin")
def addresses_make_sense(**kwargs: Any) -> list[CheckMessage]:
    """What would otherwise fail at the first send."""
    faults: list[CheckMessage] = []
    for network in settings.WEBHOOK_ALLOWED_NETWORKS:
        try:
            ip_network(network.strip(), strict=False)
        except ValueError:
            faults.append(Error(f"WEBHOOK_ALLOWED_NETWORKS: not a network: {network!r}", id="tocsin.E004"))
    if settings.SMTP_SECURITY not in ("none", "starttls", "tls"):
        faults.append(Error("SMTP_SECURITY must be none, starttls or tls", id="tocsin.E005"))
    if urlsplit(settings.THIRD_PARTY_URL).scheme not in ("http", "https"):
        faults.append(Error("THIRD_PARTY_URL must be an http or https URL", id="tocsin.E006"))
    return faults


@register("tocsin")
def batches_make_sense(**kwargs: Any) -> list[CheckMessage]:
    """What the third party is told at once is within bounds, and in a format that there is."""
    faults: list[CheckMessage] = []
    if not 1 <= settings.THIRD_PARTY_BATCH <= batch.MOST:
        faults.append(Error(f"THIRD_PARTY_BATCH must be from 1 to {batch.MOST}", id="tocsin.E014"))
    if not 0 <= settings.THIRD_PARTY_LINGER_MS <= batch.LINGER_MS_MOST:
        text = f"THIRD_PARTY_LINGER_MS must be from 0 to {batch.LINGER_MS_MOST}"
        faults.append(Error(text, id="tocsin.E015"))
    if settings.THIRD_PARTY_BATCH_FORMAT not in batch.FORMATS:
        formats = " or ".join(batch.FORMATS)
        faults.append(Error(f"THIRD_PARTY_BATCH_FORMAT must be {formats}", id="tocsin.E016"))
    return faults


@register("tocsin")
def twilio_makes_sense(**kwargs: Any) -> list[CheckMessage]:
    """There is an account with all that goes with it, or nothing of it."""
    faults: list[CheckMessage] = []
    account, token = settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN
    if bool(account) != bool(token):
        text = "Set both TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or neither"
        faults.append(Error(text, id="tocsin.E007"))
    if account and not re.fullmatch(r"AC[0-9a-fA-F]{32}", account):
        faults.append(Error("TWILIO_ACCOUNT_SID must be AC and 32 hexadecimal digits", id="tocsin.E008"))
    for name in ("TWILIO_SMS_FROM", "TWILIO_CALL_FROM"):
        if getattr(settings, name) and not account:
            faults.append(Error(f"{name} has no effect without TWILIO_ACCOUNT_SID", id="tocsin.E009"))
    if settings.TWILIO_CALL_FROM and not settings.TWILIO_TWIML_URL and not twilio.is_reachable():
        what = "TWILIO_CALL_FROM needs TWILIO_TWIML_URL, or a PUBLIC_URL that Twilio can reach"
        faults.append(Warning(f"{what}: no call can be made", id="tocsin.W010"))
    for name in ("TWILIO_BASE_URL", "TWILIO_TWIML_URL", "PUBLIC_URL"):
        value = getattr(settings, name)
        if value and not value.startswith(("http://", "https://")):
            faults.append(Error(f"{name} must be an http or https URL", id="tocsin.E011"))
    return faults


@register("tocsin")
def sources_make_sense(**kwargs: Any) -> list[CheckMessage]:
    """Each source of messages that is configured is complete, and its format is known."""
    faults: list[CheckMessage] = []
    for name in sources.names():
        try:
            formats.get(sources.get(name).format)
        except ImproperlyConfigured as error:
            faults.append(Error(str(error), id="tocsin.E012"))
    return faults


@register("tocsin")
def days_make_sense(**kwargs: Any) -> list[CheckMessage]:
    """What is kept for 0 days is deleted within the hour, which whoever means "for ever" learns too late."""
    faults: list[CheckMessage] = []
    for name in sorted({name for name in dir(settings) if name.endswith("_DAYS")}):
        least = 0 if name in ZERO_DAYS else 1
        if not least <= getattr(settings, name) <= DAYS_MOST:
            meaning = f" (0: {ZERO_DAYS[name]})" if name in ZERO_DAYS else ""
            text = f"{name} must be from {least}{meaning} to {DAYS_MOST}"
            faults.append(Error(text, id="tocsin.E017"))
    if not 0 < settings.DELIVERY_MAX_AGE_H <= DAYS_MOST * 24:
        text = f"DELIVERY_MAX_AGE_H must be above 0 and at most {DAYS_MOST * 24}, or nothing would be sent"
        faults.append(Error(text, id="tocsin.E018"))
    return faults


@register("tocsin")
def zones_come_from_the_package(**kwargs: Any) -> list[CheckMessage]:
    """By the system's data, handoffs, evenings and quiet hours would differ from machine to machine."""
    version = zones.package_version()
    if version and not zoneinfo.TZPATH:
        return []
    read = ", ".join(zoneinfo.TZPATH) or "nowhere"
    text = f"Time zones must come from the tzdata package ({version or 'not installed'}), not from {read}."
    return [Error(text, id="tocsin.E013")]


@register("tocsin")
def archive_makes_sense(**kwargs: Any) -> list[CheckMessage]:
    """What would otherwise be found when the first month is to be written, or dropped."""
    if not settings.ARCHIVE_URL:
        return []
    faults: list[CheckMessage] = []
    parts = urlsplit(settings.ARCHIVE_URL)
    if parts.scheme not in ("", "file", "s3") or (parts.scheme == "s3") != bool(parts.netloc):
        text = "ARCHIVE_URL must be a directory, file:///… or s3://bucket/prefix"
        faults.append(Error(text, id="tocsin.E020"))
    if importlib.util.find_spec("pyarrow") is None:
        text = "ARCHIVE_URL is set, and pyarrow is missing: pip install pyarrow"
        faults.append(Error(text, id="tocsin.E021"))
    return faults


@register("tocsin", deploy=True)
def processes_are_not_root(**kwargs: Any) -> list[CheckMessage]:
    """Nothing here needs root, and what goes wrong in a process of root goes wrong everywhere."""
    if os.geteuid() != 0:
        return []
    return [Warning("The product runs as root: give it a user of its own", id="tocsin.W001")]


@register("tocsin", deploy=True)
def mail_server_is_named(**kwargs: Any) -> list[CheckMessage]:
    """By default mail goes to this machine itself, where there may be no server, and from no real address."""
    _, sender = parseaddr(settings.MAIL_FROM)
    if settings.SMTP_HOST != "localhost" or not sender.endswith("@localhost"):
        return []
    text = f"Mail goes to localhost:{settings.SMTP_PORT} from {sender}, as nobody has said otherwise"
    hint = "Set SMTP_HOST and MAIL_FROM; or set SMTP_HOST empty if you have no mail server."
    return [Warning(text, hint=hint, id="tocsin.W002")]


@register("tocsin")
def leases_outlive_sends(**kwargs: Any) -> list[CheckMessage]:
    """A lease that ends while its send is under way would have the delivery made twice."""
    faults: list[CheckMessage] = []
    for channel in CHANNELS.values():
        needed_s = (channel.timeout_s + 1) / (1 - START_WITHIN)
        if needed_s >= settings.LEASE_S:
            what = f"LEASE_S ({settings.LEASE_S:g}) is too short for the {channel.name} channel's timeout"
            text = f"{what} of {channel.timeout_s:g} s: set it above {needed_s:.0f}."
            faults.append(Error(text, id="tocsin.E003"))
    return faults
