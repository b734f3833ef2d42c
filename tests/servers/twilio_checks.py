"""What Twilio takes in a request for a message or a call, by its documentation; its error codes otherwise."""

import re
from urllib.parse import urlsplit

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SENDER_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
_SHORT_CODE = re.compile(r"[0-9]{3,6}")
_SERVICE_SID = re.compile(r"MG[0-9a-fA-F]{32}")
_KNOWN = {
    "Messages": {"To", "From", "MessagingServiceSid", "Body", "StatusCallback"},
    "Calls": {
        "To",
        "From",
        "Url",
        "Twiml",
        "Method",
        "StatusCallback",
        "StatusCallbackMethod",
        "StatusCallbackEvent",
        "MachineDetection",
    },
}
# The only one that may be given several times.
REPEATED = "StatusCallbackEvent"
_EVENTS = {"initiated", "ringing", "answered", "completed"}

Fault = tuple[int, int, str]  # status, code and message


def fault_of(resource: str, pairs: list[tuple[str, str]]) -> Fault | None:
    """Return what is wrong with the form that asks for a message or a call."""
    names = [name for name, _ in pairs if name != REPEATED]
    if len(names) != len(set(names)) or not set(names) <= _KNOWN[resource]:
        return 400, 20001, "A parameter is not known, or is given twice"
    if not {value for name, value in pairs if name == REPEATED} <= _EVENTS:
        return 400, 21626, "StatusCallbackEvent is not valid"
    fields = joined(pairs)
    if not fields.get("To"):
        return 400, 21604, "A 'To' phone number is required."
    if not _E164.fullmatch(fields["To"]):
        return 400, 21211, f"The 'To' number {fields['To']} is not a valid phone number."
    callback = fields.get("StatusCallback")
    if callback is not None and not _is_reachable(callback):
        return 400, 21609, f"The StatusCallback URL {callback} is not a valid URL."
    return _message_fault(fields) if resource == "Messages" else _call_fault(fields)


def joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Fields by name; of one that is given several times, all values."""
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields[name] = f"{fields[name]} {value}" if name in fields else value
    return fields


def _message_fault(fields: dict[str, str]) -> Fault | None:
    sender, service = fields.get("From"), fields.get("MessagingServiceSid")
    if not sender and not service:
        return 400, 21603, "A 'From' phone number is required."
    if sender and not any(each.fullmatch(sender) for each in (_E164, _SENDER_NAME, _SHORT_CODE)):
        return 400, 21212, f"The 'From' number {sender} is not a valid phone number."
    if service and not _SERVICE_SID.fullmatch(service):
        return 400, 21701, "The Messaging Service does not exist."
    text = fields.get("Body", "")
    if not text:
        return 400, 21602, "Message body is required."
    if len(text.encode("utf-16-le")) // 2 > 1600:
        return 400, 21617, "The concatenated message body exceeds the 1600 character limit"
    return None


def _call_fault(fields: dict[str, str]) -> Fault | None:
    if not _E164.fullmatch(fields.get("From", "")):
        return 400, 21212, f"The 'From' number {fields.get('From')} is not a valid phone number."
    if "Twiml" in fields:
        if "Url" in fields or not 0 < len(fields["Twiml"]) <= 4000:
            return 400, 21205, "Twiml is given beside Url, or too long"
    elif urlsplit(fields.get("Url", "")).scheme not in {"http", "https"}:
        return 400, 21205, "Url is not a valid URL"
    if fields.get("Method", "POST") not in {"GET", "POST"}:
        return 400, 21403, "Method is not valid"
    if fields.get("MachineDetection", "Enable") not in {"Enable", "DetectMessageEnd"}:
        return 400, 21264, "MachineDetection is not valid"
    return None


def _is_reachable(url: str) -> bool:
    """A URL of a host with a name that the internet may know; underscores are not allowed."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme in {"http", "https"} and "." in host and "_" not in host and host != "127.0.0.1"
