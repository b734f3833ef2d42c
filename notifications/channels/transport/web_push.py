"""What Web Push asks of a sender: encryption (RFC 8291, RFC 8188) and a signed name (VAPID, RFC 8292)."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from typing import Final, NamedTuple

import orjson
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

#: Bytes of a body that every push service takes (RFC 8030, 7.2), and of them those that are plain text.
RECORD_SIZE: Final = 4096
MAX_PLAIN: Final = 3993
_CURVE: Final = ec.SECP256R1()
_NOT_PADDED: Final = b"\x02"


class Keys(NamedTuple):
    """What a browser gives with a subscription: its public key (65 bytes) and a secret (16 bytes)."""

    public: bytes
    secret: bytes


def keys_of(text: str) -> Keys:
    """Return the keys in ``p256dh.auth``, both in base64url.

    Raises:
        ValueError: they are no keys.
    """
    public, _, secret = text.partition(".")
    keys = Keys(decoded(public), decoded(secret))
    if len(keys.secret) != 16 or len(keys.public) != 65:
        raise ValueError("not the keys of a subscription")
    ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, keys.public)
    return keys


def encrypted(plain: bytes, keys: Keys, *, sender: ec.EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """Return the body of a push message, one record of ``aes128gcm``.

    Args:
        plain: at most `MAX_PLAIN` bytes.
        sender: a key for this message alone.
        salt: 16 random bytes.
    """
    receiver = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, keys.public)
    public = point_of(sender)
    shared = sender.exchange(ec.ECDH(), receiver)
    info = b"WebPush: info\x00" + keys.public + public
    secret = HKDF(hashes.SHA256(), 32, salt=keys.secret, info=info).derive(shared)
    extracted = HKDF.extract(hashes.SHA256(), salt, secret)
    key = HKDFExpand(hashes.SHA256(), 16, b"Content-Encoding: aes128gcm\x00").derive(extracted)
    nonce = HKDFExpand(hashes.SHA256(), 12, b"Content-Encoding: nonce\x00").derive(extracted)
    head = salt + RECORD_SIZE.to_bytes(4) + bytes([len(public)]) + public
    return head + AESGCM(key).encrypt(nonce, plain + _NOT_PADDED, None)


def vapid(key: ec.EllipticCurvePrivateKey, *, audience: str, subject: str, expires_at: int) -> str:
    """Return the ``Authorization`` header by which a push service knows this server (RFC 8292, 3).

    Args:
        audience: the origin of the push service.
        subject: a ``mailto:`` or ``https:`` address of whoever runs the server; empty for none.
        expires_at: Unix seconds, at most a day ahead.
    """
    claims: dict[str, str | int] = {"aud": audience, "exp": expires_at}
    if subject:
        claims["sub"] = subject
    head = encoded(orjson.dumps({"typ": "JWT", "alg": "ES256"}))
    signed = f"{head}.{encoded(orjson.dumps(claims))}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    signature = encoded(r.to_bytes(32) + s.to_bytes(32))
    return f"vapid t={signed}.{signature}, k={encoded(point_of(key))}"


@lru_cache(maxsize=4)
def key_of(text: str) -> ec.EllipticCurvePrivateKey:
    """Return the private key in a setting: 32 bytes in base64url.

    Raises:
        ValueError: it is none.
    """
    number = decoded(text)
    if len(number) != 32:
        raise ValueError("not a private key of P-256")
    return ec.derive_private_key(int.from_bytes(number), _CURVE)


def new_key() -> str:
    """Return a new private key, as the setting has it."""
    return encoded(ec.generate_private_key(_CURVE).private_numbers().private_value.to_bytes(32))


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public key of a private one, in the 65 bytes of X9.62."""
    form = serialization.PublicFormat.UncompressedPoint
    return key.public_key().public_bytes(serialization.Encoding.X962, form)


def encoded(data: bytes) -> str:
    """Return base64url without padding."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """Return what is in base64url, with or without padding; raises ValueError where it is none."""
    text = text.rstrip("=")
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    if encoded(data) != text:
        raise ValueError("not base64url")
    return data
