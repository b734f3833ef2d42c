"""A server of calendar files over TLS on loopback, with a certificate of its own: records how it is asked."""

import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"


def certificate(home: Path) -> Path:
    """Write a key and a certificate for this machine into one file, which is also who to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "calendars")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=400))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = home / "calendars.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


class Calendars:
    """Answers with ``content`` and its ``etag``, or with ``status``, or as ``behave`` has it."""

    def __init__(self, pem: Path) -> None:
        self.content: bytes | str = b""
        self.etag = self.last_modified = ""
        self.status = 200
        #: Headers sent besides.
        self.headers: dict[str, str] = {}
        #: Answers in place of all that, if there is one.
        self.behave: Callable[[BaseHTTPRequestHandler], None] | None = None
        #: The headers of each request, in lower case, and its path.
        self.asked: list[dict[str, str]] = []
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self._server.server_port}/private-5e6b/basic.ics"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        calendars = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                calendars.asked.append({**headers, "path": self.path})
                if calendars.behave is not None:
                    self.close_connection = True
                    calendars.behave(self)
                    return
                calendars._answer(self, headers)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def _answer(self, handler: BaseHTTPRequestHandler, asked: dict[str, str]) -> None:
        known = self.etag and asked.get("if-none-match") == self.etag
        dated = self.last_modified and asked.get("if-modified-since") == self.last_modified
        status = 304 if self.status == 200 and (known or dated) else self.status
        content = self.content.encode() if isinstance(self.content, str) else self.content
        handler.send_response(status)
        for name, value in {"ETag": self.etag, "Last-Modified": self.last_modified, **self.headers}.items():
            if value:
                handler.send_header(name, value)
        if status == 304:
            handler.end_headers()
            return
        handler.send_header("Content-Type", "text/calendar; charset=utf-8")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
