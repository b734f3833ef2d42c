"""What JSON holds, counted before anything is built of it."""


def values_in(text: bytes) -> int:
    """Return a number that the values in some JSON, and of its objects the members, do not exceed.

    Before each but the first stands one of these signs, which may stand within strings too.
    """
    return text.count(b",") + text.count(b"[") + text.count(b"{") + 1
