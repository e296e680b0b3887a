"""Keys, JWK sets and tokens for tests from outside, good ones and broken ones.

Needs the package `cryptography`. As a program it writes a key set and a token for each kind of caller:

    python3 tokens.py FOLDER
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER = "https://id.example"
AUDIENCE = "sessiond"
TENANT = "acme"
MANAGE = "sessioncontext.context_manage"
AUDIT = "sessioncontext.audit_read"
ERASE = "sessioncontext.erase"


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text: str) -> bytes:
    """The bytes that a text of base64url without padding stands for."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value: int) -> str:
    """A positive integer as JWKs write it (RFC 7518 section 2, Base64urlUInt)."""
    return b64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class Key:
    """A key of an issuer: the algorithm it is for, its id, and its private half (bytes for a shared secret)."""

    alg: str
    kid: str | None
    private: object = field(repr=False)

    @staticmethod
    def make(alg: str, kid: str | None = None) -> "Key":
        """A new random key for ES256, RS256, PS256 or HS256."""
        if alg == "ES256":
            return Key(alg, kid, ec.generate_private_key(ec.SECP256R1()))
        if alg in ("RS256", "PS256"):
            return Key(alg, kid, rsa.generate_private_key(public_exponent=65537, key_size=2048))
        if alg == "HS256":
            return Key(alg, kid, os.urandom(32))
        raise ValueError(f"no key for {alg}")

    def jwk(self, **members) -> dict:
        """What a JWK set publishes of the key (RFC 7517); `members` are added or replace its own."""
        if isinstance(self.private, bytes):
            jwk = {"kty": "oct", "k": b64url(self.private)}
        elif isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.public_key().public_numbers()
            jwk = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
        else:
            numbers = self.private.public_key().public_numbers()
            x, y = (b64url(v.to_bytes(32, "big")) for v in (numbers.x, numbers.y))
            jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        if self.kid is not None:
            jwk["kid"] = self.kid
        return jwk | {"alg": self.alg, "use": "sig"} | members

    def sign(self, data: bytes, alg: str | None = None) -> bytes:
        """The signature of `data` under `alg`, else under the key's own algorithm."""
        alg = alg or self.alg
        digest = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}[alg[2:5]]()
        if alg.startswith("HS"):
            return hmac.new(self.private, data, digest.name).digest()
        if alg.startswith("RS"):
            return self.private.sign(data, padding.PKCS1v15(), digest)
        if alg.startswith("PS"):
            return self.private.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass(frozen=True)
class Issuer:
    """A party that issues tokens: its name, for whom, and a key of each kind."""

    name: str = ISSUER
    audience: str = AUDIENCE
    es: Key = field(default_factory=lambda: Key.make("ES256", "es-1"))
    rs: Key = field(default_factory=lambda: Key.make("RS256", "rs-1"))
    ps: Key = field(default_factory=lambda: Key.make("PS256", "ps-1"))
    hs: Key = field(default_factory=lambda: Key.make("HS256", "hs-1"))

    @property
    def keys(self) -> list[Key]:
        return [self.es, self.rs, self.ps, self.hs]

    def jwks(self) -> dict:
        """The issuer's key set."""
        return {"keys": [key.jwk() for key in self.keys]}

    def write_jwks(self, path: str) -> None:
        """Writes the issuer's key set in one step: a reader sees the old file or the new one."""
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.jwks(), file, indent=2)
        os.replace(path + ".new", path)

    def claims(self, now: float | None = None, tenant: str = TENANT, **changes) -> dict:
        """Good claims for an hour; `changes` add or replace, a value of `LEAVE_OUT` removes."""
        now = int(time.time() if now is None else now)
        good = {"iss": self.name, "aud": self.audience, "iat": now, "exp": now + 3600, "tenant": tenant}
        return {name: value for name, value in (good | changes).items() if value is not LEAVE_OUT}

    def service(self, scope: str = MANAGE, sub: str = "backoffice", key: Key | None = None, **changes) -> str:
        """A program's token."""
        return mint(self.claims(scope=scope, sub=sub, **changes), key or self.es)

    def customer(self, customer: str, session: str | None = None, key: Key | None = None, **changes) -> str:
        """A customer's token, as bearer token for `/me` (with a session) or as `saas-token`."""
        return mint(self.claims(sub=customer, session_id=session or LEAVE_OUT, **changes), key or self.es)

    def anonymous(self, session: str, key: Key | None = None, **changes) -> str:
        """A visitor's token for `/me`."""
        return mint(self.claims(session_id=session, **changes), key or self.es)


LEAVE_OUT = object()


def mint(claims: dict, key: Key, alg: str | None = None, **header) -> str:
    """A signed token. `header` adds or replaces header parameters, `LEAVE_OUT` removes them.

    `alg` is how the token is really signed, where that differs from what the key is for.
    """
    parameters = {"alg": alg or key.alg, "typ": "JWT"} | ({"kid": key.kid} if key.kid is not None else {})
    parameters = {name: value for name, value in (parameters | header).items() if value is not LEAVE_OUT}
    return signed(json.dumps(parameters).encode(), json.dumps(claims).encode(), key, alg)


def signed(header: bytes, payload: bytes, key: Key, alg: str | None = None) -> str:
    """A well signed token with any bytes as header and payload."""
    signing_input = f"{b64url(header)}.{b64url(payload)}"
    return f"{signing_input}.{b64url(key.sign(signing_input.encode(), alg))}"


def compact(header: bytes, payload: bytes, signature: bytes) -> str:
    """A token from any three parts."""
    return f"{b64url(header)}.{b64url(payload)}.{b64url(signature)}"


def with_signature(token: str, signature: bytes) -> str:
    """The token with another signature."""
    return f"{token.rpartition('.')[0]}.{b64url(signature)}"


def signature_of(token: str) -> bytes:
    """The token's signature, decoded."""
    return unb64url(token.rpartition(".")[2])


def hmac_forgery(header: dict, claims: dict, secret: bytes) -> str:
    """A token signed by HMAC with whatever an attacker may take for the secret."""
    signing_input = f"{b64url(json.dumps(header).encode())}.{b64url(json.dumps(claims).encode())}"
    return f"{signing_input}.{b64url(hmac.new(secret, signing_input.encode(), hashlib.sha256).digest())}"


def main() -> None:
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    issuer = Issuer()
    issuer.write_jwks(os.path.join(folder, "jwks.json"))
    everything = f"{MANAGE} {AUDIT} {ERASE}"
    day = {"exp": int(time.time()) + 86_400}
    made = {"service-" + key.alg.lower(): issuer.service(everything, key=key, **day) for key in issuer.keys}
    made["anonymous"] = issuer.anonymous("session-1", **day)
    made["customer"] = issuer.customer("customer-1", "session-1", **day)
    for name, token in made.items():
        with open(os.path.join(folder, name + ".jwt"), "w", encoding="ascii") as file:
            file.write(token + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: tokens.py FOLDER")
    main()
