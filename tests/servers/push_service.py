"""A push service and the browser behind it: checks requests by RFC 8030, 8188, 8291 and 8292, and decrypts.

``with PushService() as server``: what came is in ``messages``. It calculates keys by HMAC alone, as RFC 8291
(3.4) writes them, and shares no code with the product.
"""

import hashlib
import hmac
import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.servers.provider import Provider, Refusal
from tests.servers.third_party import Request

P256 = ec.SECP256R1()
_AUTHORIZATION = re.compile(r"vapid t=([\w-]+)\.([\w-]+)\.([\w-]+), k=([\w-]+)")
_TOPIC = re.compile(r"[\w-]{1,32}")


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Pushed:
    content: Any
    ttl_s: int
    urgency: str
    topic: str
    claims: dict[str, Any]
    #: Of the whole body.
    size: int


class PushService(Provider):
    """An HTTP server for one subscription, ``address``."""

    def __init__(self, port: int = 0, *, path: str = "/push/one") -> None:
        super().__init__(port)
        self.path = path
        self.secret = b"0123456789abcdef"
        self.private = ec.generate_private_key(P256)
        self.messages: list[Pushed] = []

    @property
    def public(self) -> bytes:
        form = serialization.PublicFormat.UncompressedPoint
        return self.private.public_key().public_bytes(serialization.Encoding.X962, form)

    @property
    def keys(self) -> str:
        return f"{encoded(self.public)}.{encoded(self.secret)}"

    @property
    def address(self) -> str:
        return f"{self.origin}{self.path}#{self.keys}"

    def refuse(self, status: int, *headers: str) -> None:
        self.refusal = Refusal(status, {}, headers)

    def answer_to(self, request: Request) -> Any:
        if request.path != self.path:
            return Refusal(404, {})
        if self.refusal:
            return self.refusal
        head = request.headers
        claims = self._claims(head.get("authorization", ""))
        if claims is None:
            return Refusal(403, {})
        if not head.get("ttl", "").isdigit() or head.get("content-encoding") != "aes128gcm":
            return Refusal(400, {})
        if head.get("urgency") not in ("very-low", "low", "normal", "high"):
            return Refusal(400, {})
        if not _TOPIC.fullmatch(head.get("topic", "")):
            return Refusal(400, {})
        if len(request.body) > 4096:
            return Refusal(413, {})
        content = json.loads(self.decrypted(request.body))
        self.messages.append(
            Pushed(content, int(head["ttl"]), head["urgency"], head["topic"], claims, len(request.body))
        )
        self.changed()
        return Refusal(201, {})

    def _claims(self, authorization: str) -> dict[str, Any] | None:
        """Return what a token of RFC 8292 claims, if it is signed and meant for here; else None."""
        if not (found := _AUTHORIZATION.fullmatch(authorization)):
            return None
        head, body, signature, key = found.groups()
        raw = decoded(signature)
        assert len(raw) == 64
        numbers = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        public = ec.EllipticCurvePublicKey.from_encoded_point(P256, decoded(key))
        public.verify(numbers, f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
        assert json.loads(decoded(head)) == {"typ": "JWT", "alg": "ES256"}
        claims: dict[str, Any] = json.loads(decoded(body))
        is_here = claims["aud"] == self.origin and time.time() < claims["exp"] < time.time() + 86_400
        return claims if is_here else None

    def decrypted(self, body: bytes) -> bytes:
        """Return the plain text of a body that is one record."""
        salt, size, length = body[:16], int.from_bytes(body[16:20]), body[20]
        sender, ciphertext = body[21 : 21 + length], body[21 + length :]
        assert length == 65
        assert len(ciphertext) <= size
        shared = self.private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(P256, sender))
        key_info = b"WebPush: info\x00" + self.public + sender
        secret = _hmac(_hmac(self.secret, shared), key_info + b"\x01")
        extracted = _hmac(salt, secret)
        key = _hmac(extracted, b"Content-Encoding: aes128gcm\x00\x01")[:16]
        nonce = _hmac(extracted, b"Content-Encoding: nonce\x00\x01")[:12]
        padded = AESGCM(key).decrypt(nonce, ciphertext, None).rstrip(b"\x00")
        assert padded.endswith(b"\x02")
        return padded[:-1]


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()
