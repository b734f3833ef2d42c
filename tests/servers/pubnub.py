"""PubNub's publish request (pubnub.com/docs/sdks/rest-api): ``with PubNub() as server``.

What was published is in ``published``; it refuses as told by ``refuse``.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers.provider import Provider, Refusal, json_of
from tests.servers.third_party import Request

PUBLISH_KEY = "pub-c-0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
SUBSCRIBE_KEY = "sub-c-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
MAX_MESSAGE = 32 * 1024
_KNOWN = {"store", "uuid", "meta", "ttl", "seqn", "auth"}


@dataclass(frozen=True, slots=True)
class Published:
    timetoken: str
    channel: str
    uuid: str
    store: str
    content: Any


class PubNub(Provider):
    """An HTTP server for one key set."""

    def __init__(
        self, port: int = 0, *, publish_key: str = PUBLISH_KEY, subscribe_key: str = SUBSCRIBE_KEY
    ) -> None:
        super().__init__(port)
        self.publish_key = publish_key
        self.subscribe_key = subscribe_key
        self.published: list[Published] = []

    def refuse(self, status: int, message: str) -> None:
        self.refusal = Refusal(status, {"status": status, "error": True, "message": message})

    def answer_to(self, request: Request) -> Any:
        parts = urlsplit(request.path)
        names = [unquote(part) for part in parts.path.split("/")]
        query = parse_qs(parts.query, keep_blank_values=True)
        if len(names) != 7 or names[1] != "publish" or (names[4], names[6]) != ("0", "0"):
            return Refusal(404, {"status": 404, "error": True, "message": "Not Found"})
        _, _, publish_key, subscribe_key, _, channel, _ = names
        if (publish_key, subscribe_key) != (self.publish_key, self.subscribe_key):
            return Refusal(400, [0, "Invalid Key", "0"])
        if not channel or len(channel.encode()) > 92 or set(channel) & set(",/\\*"):
            return Refusal(400, [0, "Invalid Channel", "0"])
        if not set(query) <= _KNOWN or query.get("store") not in (["0"], ["1"]) or not query.get("uuid"):
            return Refusal(400, [0, "Invalid Arguments", "0"])
        content = json_of(request)
        if content is None:
            return Refusal(400, [0, "Invalid JSON", "0"])
        if len(request.body) > MAX_MESSAGE:
            return Refusal(413, {"status": 413, "error": True, "message": "Request Entity Too Large"})
        if self.refusal:
            return self.refusal
        made = Published(
            str(16_000_000_000_000_000 + len(self.published)),
            channel,
            query["uuid"][0],
            query["store"][0],
            content,
        )
        self.published.append(made)
        self.changed()
        return [1, "Sent", made.timetoken]
