"""The HTTP protocol of the web process: uvicorn's, with limits of size and time for the head of a request.

uvicorn itself reads a head of any length for any time, before anything of ours is asked. Whatever reads a
single field, such as a cookie, may take the square of its length.
"""

from asyncio import TimerHandle, Transport
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_MAX_BYTES: Final = 65_536
# Of a field, and of the target of a request: what common proxies allow too.
FIELD_MAX_BYTES: Final = 8_192
# From the connection, or from the first byte of a later request, to the end of the head.
HEAD_TIMEOUT_S: Final = 10.0
_REFUSAL: Final = b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TOO_LONG: Final = _REFUSAL % b"431 Request Header Fields Too Large"
TARGET_TOO_LONG: Final = _REFUSAL % b"414 URI Too Long"


class _Refused(Exception):
    """The parser is to stop, for the reason that the client is told."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    _head_bytes = 0
    _fields_bytes = 0
    _is_in_head = True
    _refusal: bytes | None = None
    _alarm: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._alarm = self.loop.call_later(HEAD_TIMEOUT_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_in_head = False
        self._calm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_in_head:
            self._calm()
            return
        # A head that comes whole never gets here: it needs no alarm.
        self._alarm = self._alarm or self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_MAX_BYTES and not self.transport.is_closing():
            self.transport.write(TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._is_in_head, self._head_bytes, self._fields_bytes = True, 0, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > FIELD_MAX_BYTES:
            self._refuse(TARGET_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        length = len(name) + len(value)
        # A head that comes whole is parsed before its bytes are counted.
        self._fields_bytes += length
        if length > FIELD_MAX_BYTES or self._fields_bytes > HEAD_MAX_BYTES:
            self._refuse(TOO_LONG)
        super().on_header(name, value)

    def send_400_response(self, msg: str) -> None:
        if self._refusal is None:
            super().send_400_response(msg)
        else:
            self.transport.write(self._refusal)
            self.transport.close()

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def _refuse(self, refusal: bytes) -> None:
        self._refusal = refusal
        raise _Refused  # which stops the parser, and is said by send_400_response

    def _calm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
