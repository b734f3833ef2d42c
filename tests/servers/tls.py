"""TLS before a server that speaks none, as a proxy ends it; with a certificate that nobody else trusts."""

import contextlib
import socket
import ssl
import threading
from importlib.resources import files
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

#: A certificate for localhost, which aiosmtpd carries for its own tests.
CERTIFICATES = Path(str(files("aiosmtpd.tests.certs")))
_TIMEOUT_S = 30.0


class TlsProxy:
    """Passes what comes to ``origin`` on to the server of a URL, on this machine."""

    def __init__(self, url: str) -> None:
        self._port = urlsplit(url).port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(CERTIFICATES / "server.crt", CERTIFICATES / "server.key")
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def origin(self) -> str:
        return f"https://localhost:{self._listening.getsockname()[1]}"

    @property
    def trusting(self) -> ssl.SSLContext:
        """What a client needs to speak to it."""
        context = ssl.create_default_context(cafile=str(CERTIFICATES / "server.crt"))
        context.check_hostname = False  # it names its host in a way that nobody looks at any more
        return context

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError):
            client = self._context.wrap_socket(accepted, server_side=True)
            with client, socket.create_connection(("127.0.0.1", self._port), _TIMEOUT_S) as server:
                back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
                back.start()
                _pass_on(client, server)
                back.join(_TIMEOUT_S)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Copy until the source ends, then say so to the target."""
    with contextlib.suppress(OSError):
        while content := source.recv(65_536):
            target.sendall(content)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
