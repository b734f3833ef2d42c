"""Telegram's Bot API as far as the product uses it: core.telegram.org/bots/api#sendmessage.

``with Telegram() as server``: what was sent is in ``messages``; it refuses as told by ``refuse``.
"""

from dataclasses import dataclass
from typing import Any

from tests.servers.provider import Provider, Refusal, json_of
from tests.servers.third_party import Request

BOT_TOKEN = "123456789:AAF-local_Bot-token"
_KNOWN = {"chat_id", "text", "disable_notification", "protect_content", "link_preview_options"}


@dataclass(frozen=True, slots=True)
class TelegramMessage:
    message_id: int
    chat_id: int | str
    text: str


class Telegram(Provider):
    """An HTTP server for one bot."""

    def __init__(self, port: int = 0, *, token: str = BOT_TOKEN) -> None:
        super().__init__(port)
        self.token = token
        self.messages: list[TelegramMessage] = []

    def refuse(self, status: int, description: str, **parameters: int) -> None:
        content: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
        if parameters:
            content["parameters"] = parameters
        self.refusal = Refusal(status, content)

    def answer_to(self, request: Request) -> Any:
        path = request.path.removeprefix("/bot")
        token, _, method = path.partition("/")
        if token != self.token:
            return _fault(401, "Unauthorized")
        if method != "sendMessage":
            return _fault(404, "Not Found")
        given = json_of(request)
        if not isinstance(given, dict) or not set(given) <= _KNOWN:
            return _fault(400, "Bad Request: can't parse the request")
        text, chat = given.get("text"), given.get("chat_id")
        if not isinstance(text, str) or not text.strip():
            return _fault(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            return _fault(400, "Bad Request: message is too long")
        is_name = isinstance(chat, str) and chat.startswith("@")
        if not is_name and (not isinstance(chat, int) or abs(chat) >= 2**52):
            return _fault(400, "Bad Request: chat not found")
        if self.refusal:
            return self.refusal
        sent = TelegramMessage(len(self.messages) + 1, chat, text)
        self.messages.append(sent)
        self.changed()
        return {"ok": True, "result": {"message_id": sent.message_id, "text": text, "chat": {"id": chat}}}


def _fault(status: int, description: str) -> Refusal:
    return Refusal(status, {"ok": False, "error_code": status, "description": description})
