"""Tokens that must be refused: each with a name and the status that a request with it gets.

The requests they are meant for: management of a session of the tenant `acme` (scope
`sessioncontext.context_manage`) at a daemon that knows the issuer's key set, its audience, and any tenant.
401: the token is not valid. 403: it's valid, but not for this. Every token is visible ASCII, so that it can be sent.

As a program it writes the key set and one JSON object a line: {"name", "token", "status"}.

    python3 token_cases.py JWKS_FILE > CASES_FILE
"""

import itertools
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Iterator

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tokens import (
    LEAVE_OUT,
    MANAGE,
    Issuer,
    Key,
    b64url,
    compact,
    hmac_forgery,
    mint,
    signature_of,
    signed,
    unb64url,
    with_signature,
)

# The order of P-256 (FIPS 186-4 D.1.2.3).
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

WRONG_TYPES = {
    "number": 1,
    "fraction": 1.5,
    "bool": True,
    "null": None,
    "object": {"a": 1},
    "array-of-numbers": [1],
    "nested-array": [["acme"]],
}


@dataclass(frozen=True)
class Case:
    """One token that must be refused."""

    name: str
    token: str
    status: int


def cases(issuer: Issuer) -> list[Case]:
    """All cases for an issuer. Each name and each token occurs once."""
    good = issuer.claims(scope=MANAGE, sub="backoffice")
    groups = {
        "none": none_algorithm,
        "hmac": public_key_as_secret,
        "alg": wrong_algorithm,
        "key": wrong_key,
        "kid": wrong_key_id,
        "header": header_parameters,
        "header-form": header_form,
        "payload-form": payload_form,
        "time": times,
        "claim": wrong_claims,
        "type": claim_types,
        "base64": base64_form,
        "parts": parts,
        "size": oversized,
        "signature": signatures,
    }
    found = [
        Case(f"{group}/{name}", token, 401) for group, make in groups.items() for name, token in make(issuer, good)
    ]
    found += [Case(f"forbidden/{name}", token, 403) for name, token in forbidden(issuer, good)]
    return found


Named = Iterator[tuple[str, str]]


def none_algorithm(issuer: Issuer, good: dict) -> Named:
    """alg none in every mixture of cases and some disguises, without and with a signature of an honest token."""
    honest = signature_of(mint(good, issuer.es))
    spellings = ["".join(letters) for letters in itertools.product(*zip("none", "NONE"))]
    for spelling in spellings + ["", " none", "none ", "none\t", "null", "nil"]:
        header = {"alg": spelling, "typ": "JWT", "kid": "es-1"}
        for label, signature in (("unsigned", b""), ("signed", honest)):
            token = compact(json.dumps(header).encode(), json.dumps(good).encode(), signature)
            yield f"{spelling!r}-{label}", token
    escaped = rb'{"alg":"\u006eone","kid":"es-1"}'
    yield "escaped", compact(escaped, json.dumps(good).encode(), b"")
    yield "without-kid", compact(b'{"alg":"none"}', json.dumps(good).encode(), b"")
    yield "without-last-dot", compact(b'{"alg":"none"}', json.dumps(good).encode(), b"").rstrip(".")


def public_key_as_secret(issuer: Issuer, good: dict) -> Named:
    """HS256 with what everybody knows of the asymmetric keys as secret."""
    spki, pem, der = PublicFormat.SubjectPublicKeyInfo, Encoding.PEM, Encoding.DER
    rsa_key, ec_key = issuer.rs.private.public_key(), issuer.es.private.public_key()
    secrets = {
        "rsa-pem": rsa_key.public_bytes(pem, spki),
        "rsa-pem-stripped": rsa_key.public_bytes(pem, spki).strip(),
        "rsa-der": rsa_key.public_bytes(der, spki),
        "rsa-pkcs1": rsa_key.public_bytes(pem, PublicFormat.PKCS1),
        "rsa-jwk": json.dumps(issuer.rs.jwk()).encode(),
        "rsa-modulus": unb64url(issuer.rs.jwk()["n"]),
        "rsa-modulus-text": issuer.rs.jwk()["n"].encode(),
        "ec-pem": ec_key.public_bytes(pem, spki),
        "ec-der": ec_key.public_bytes(der, spki),
        "ec-jwk": json.dumps(issuer.es.jwk()).encode(),
        "ec-point": ec_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        "empty": b"",
        "kid": b"hs-1",
        "secret-text": issuer.hs.jwk()["k"].encode(),
    }
    for (name, secret), kid in itertools.product(secrets.items(), ("rs-1", "es-1", "hs-1", None)):
        header = {"alg": "HS256", "typ": "JWT"} | ({"kid": kid} if kid else {})
        yield f"{name}-as-{kid or 'no-kid'}", hmac_forgery(header, good, secret)


def wrong_algorithm(issuer: Issuer, good: dict) -> Named:
    """A header that names another algorithm than the key's: signed by the key's own, and where it can, really so."""
    names = [
        "ES256",
        "RS256",
        "PS256",
        "HS256",
        "ES384",
        "ES512",
        "RS384",
        "RS512",
        "PS384",
        "PS512",
        "HS384",
        "HS512",
        "EdDSA",
        "ES256K",
        "RSA-OAEP",
        "dir",
        "A256KW",
        "RS1",
        "es256",
        "Rs256",
        "HS256 ",
    ]
    for key, name in itertools.product(issuer.keys, names):
        if name != key.alg:
            header = json.dumps({"alg": name, "kid": key.kid}).encode()
            yield f"{name!r}-for-{key.alg}", signed(header, json.dumps(good).encode(), key)
    real = {
        "rs": ["RS384", "RS512", "PS256", "PS384", "PS512"],
        "ps": ["PS384", "PS512", "RS256", "RS512"],
        "hs": ["HS384", "HS512"],
    }
    for key_name, names in real.items():
        key = getattr(issuer, key_name)
        for name in names:
            yield f"{name}-signed-by-{key.alg}", mint(good, key, name)
            yield f"{name}-signed-under-{key.alg}", signed(
                json.dumps({"alg": key.alg, "kid": key.kid}).encode(), json.dumps(good).encode(), key, name
            )


def wrong_key(issuer: Issuer, good: dict) -> Named:
    """Another key under a known kid."""
    for key in issuer.keys:
        stranger = Key.make(key.alg, key.kid)
        yield f"stranger-{key.alg}", mint(good, stranger)
        yield f"stranger-{key.alg}-at+jwt", mint(good, stranger, typ="at+jwt")
        if key.alg != "HS256":
            yield f"stranger-{key.alg}-without-kid", mint(good, stranger, kid=LEAVE_OUT)
    yield "rs-under-ps", mint(good, issuer.rs, "PS256", kid="ps-1")
    yield "ps-under-rs", mint(good, issuer.ps, "RS256", kid="rs-1")


def wrong_key_id(issuer: Issuer, good: dict) -> Named:
    """A kid that is not among the issuer's, though a key would fit, or no string."""
    ids = [
        "",
        "unknown",
        "es-1 ",
        " es-1",
        "ES-1",
        "es-1/",
        "es-2",
        "rs-1,es-1",
        "../../../../dev/null",
        "/dev/null",
        "es-1' OR '1'='1",
        "| sleep 5",
        "http://127.0.0.1:1/key",
        "k" * 4000,
        "es\u200b-1",
        "\U0001f600",
        "*",
        "0",
    ]
    for index, kid in enumerate(ids):
        yield f"unknown-{index}", mint(good, issuer.es, kid=kid)
    for name, kid in WRONG_TYPES.items():
        yield name, mint(good, issuer.es, kid=kid)
    yield "array-of-strings", mint(good, issuer.es, kid=["es-1"])
    yield "nul", signed(rb'{"alg":"ES256","kid":"es-1\u0000"}', json.dumps(good).encode(), issuer.es)


def header_parameters(issuer: Issuer, good: dict) -> Named:
    """Parameters that bring a key or change the rules, each well signed by the issuer or by the key they bring."""
    attacker = Key.make("ES256", "attacker")
    public = {name: value for name, value in attacker.jwk().items() if name not in ("use", "alg")}
    parameters = {
        "crit-exp": {"crit": ["exp"], "exp": 1},
        "crit-empty": {"crit": []},
        "crit-b64": {"crit": ["b64"], "b64": False},
        "crit-unknown": {"crit": ["x"], "x": 1},
        "crit-alg": {"crit": ["alg"]},
        "crit-string": {"crit": "alg"},
        "crit-null": {"crit": None},
        "b64-false": {"b64": False},
        "b64-true": {"b64": True},
        "jku": {"jku": "https://attacker.example/jwks.json"},
        "jku-loopback": {"jku": "http://127.0.0.1:1/jwks.json"},
        "jku-null": {"jku": None},
        "x5u": {"x5u": "https://attacker.example/cert.pem"},
        "x5u-file": {"x5u": "file:///etc/passwd"},
        "x5c": {"x5c": ["MIIB"]},
        "x5c-empty": {"x5c": []},
        "jwk": {"jwk": public},
        "jwk-issuer": {"jwk": issuer.es.jwk()},
        "jwk-empty": {"jwk": {}},
        "jwk-null": {"jwk": None},
    }
    for name, members in parameters.items():
        yield name, mint(good, issuer.es, **members)
        yield f"{name}-attacker", mint(good, attacker, **members)
        yield f"{name}-attacker-known-kid", mint(good, attacker, kid="es-1", **members)
    for typ in ["", "JWE", "JOSE", "JWT ", "dpop+jwt", "logout+jwt", "secevent+jwt", "id+jwt", "application/json"]:
        yield f"typ-{typ!r}", mint(good, issuer.es, typ=typ)
    for name, typ in WRONG_TYPES.items():
        yield f"typ-{name}", mint(good, issuer.es, typ=typ)
    for name, alg in WRONG_TYPES.items():
        yield f"alg-{name}", signed(
            json.dumps({"alg": alg, "kid": "es-1"}).encode(), json.dumps(good).encode(), issuer.es
        )
    yield "alg-missing", signed(b'{"kid":"es-1"}', json.dumps(good).encode(), issuer.es)
    yield "alg-array", signed(b'{"alg":["ES256"],"kid":"es-1"}', json.dumps(good).encode(), issuer.es)


# JSON texts that are no object with distinct names.
BAD_JSON = {
    "empty": b"",
    "blank": b" ",
    "array": b"[]",
    "string": b'"x"',
    "number": b"1",
    "null": b"null",
    "true": b"true",
    "open": b"{",
    "two": b"{}{}",
    "trailing": b'{"a":1}x',
    "trailing-comma": b'{"a":1,}',
    "single-quotes": b"{'a':1}",
    "bare-name": b"{a:1}",
    "comment": b"{/**/}",
    "bom": b"\xef\xbb\xbf{}",
    "utf-16": '{"a":1}'.encode("utf-16-le"),
    "nul": b'{"a":1}\0',
    "control": b'{"a":"\n"}',
    "nan": b'{"a":NaN}',
    "leading-zero": b'{"a":01}',
    "hex": b'{"a":0x1}',
    "huge-number": b'{"a":1e999}',
    "long-integer": b'{"a":' + b"9" * 40 + b"}",
    "lone-surrogate": b'{"a":"\\ud800"}',
    "bad-escape": b'{"a":"\\x41"}',
    "nested": b'{"a":' + b"[" * 2500 + b"]" * 2500 + b"}",
    "gzip": b"\x1f\x8b\x08\x00",
}
BAD_UTF8 = {
    "lone-continuation": b"\x80",
    "overlong": b"\xc0\xaf",
    "surrogate": b"\xed\xa0\x80",
    "too-high": b"\xf4\x90\x80\x80",
    "cut-short": b"\xe2\x82",
    "ff": b"\xff",
}


def header_form(issuer: Issuer, good: dict) -> Named:
    """Headers that are no JSON object with distinct names, well signed."""
    payload = json.dumps(good).encode()
    for name, text in BAD_JSON.items():
        if name != "nested":
            yield name, signed(text.replace(b'{"a":', b'{"alg":"ES256","kid":"es-1","a":'), payload, issuer.es)
    for name, text in BAD_UTF8.items():
        yield f"utf8-{name}", signed(b'{"alg":"ES256","kid":"es-1","a":"' + text + b'"}', payload, issuer.es)
    yield "duplicate-alg", signed(b'{"alg":"ES256","alg":"ES256","kid":"es-1"}', payload, issuer.es)
    yield "none-then-alg", signed(b'{"alg":"none","alg":"ES256","kid":"es-1"}', payload, issuer.es)
    yield "alg-then-none", signed(b'{"alg":"ES256","alg":"none","kid":"es-1"}', payload, issuer.es)
    yield "duplicate-kid", signed(b'{"alg":"ES256","kid":"x","kid":"es-1"}', payload, issuer.es)
    yield "escaped-duplicate", signed(rb'{"alg":"ES256","kid":"x","\u006bid":"es-1"}', payload, issuer.es)


def payload_form(issuer: Issuer, good: dict) -> Named:
    """Payloads that are no JSON object with distinct names, well signed."""
    header = b'{"alg":"ES256","kid":"es-1"}'
    members = json.dumps(good)[1:-1].encode()
    for name, text in BAD_JSON.items():
        yield name, signed(header, text.replace(b'{"a":', b"{" + members + b',"a":'), issuer.es)
    for name, text in BAD_UTF8.items():
        yield f"utf8-{name}", signed(header, b"{" + members + b',"a":"' + text + b'"}', issuer.es)
    for name, value in good.items():
        again = json.dumps({name: value})[1:-1].encode()
        yield f"duplicate-{name}", signed(header, b"{" + members + b"," + again + b"}", issuer.es)
    yield "duplicate-exp-past-first", signed(header, b'{"exp":1,' + members + b"}", issuer.es)
    yield "duplicate-tenant-other-first", signed(header, b'{"tenant":"other",' + members + b"}", issuer.es)
    yield "escaped-duplicate-exp", signed(header, rb'{"\u0065xp":1,' + members + b"}", issuer.es)
    yield "duplicate-within", signed(header, b"{" + members + b',"a":{"b":1,"b":2}}', issuer.es)
    yield "nested-token", signed(header, mint(good, issuer.es).encode(), issuer.es)


def times(issuer: Issuer, good: dict) -> Named:
    """Times of the wrong type, out of the calendar, past or yet to come."""
    now = int(time.time())
    yield "exp-missing", mint(issuer.claims(scope=MANAGE, exp=LEAVE_OUT), issuer.es)
    odd = WRONG_TYPES | {
        "string": str(now + 600),
        "date": "2099-01-01T00:00:00Z",
        "negative": -1,
        "negative-fraction": -0.5,
        "milliseconds": (now + 600) * 1000,
        "largest-64-bit": 2**63 - 1,
        "smallest-64-bit": -(2**63),
        "huge": 1e300,
        "year-10000": 253402300800,
        "array": [now + 600],
        "empty-string": "",
    }
    for claim in ("exp", "nbf", "iat"):
        for name, value in odd.items():
            if name not in ("number", "fraction") or claim == "exp":
                yield f"{claim}-{name}", mint(good | {claim: value}, issuer.es)
    for name, value in {"hour": now - 3600, "61-s": now - 61, "zero": 0, "fraction-past": now - 3600.5}.items():
        yield f"exp-past-{name}", mint(good | {"exp": value, "iat": 0}, issuer.es)
    for claim in ("nbf", "iat"):
        for name, value in {"hour": now + 3600, "twenty-minutes": now + 1200, "fraction": now + 3600.5}.items():
            yield f"{claim}-future-{name}", mint(good | {claim: value, "exp": now + 7200}, issuer.es)
    for key in issuer.keys:
        yield f"expired-{key.alg}", mint(good | {"exp": now - 3600}, key)


def wrong_claims(issuer: Issuer, good: dict) -> Named:
    """Another issuer or audience, or identifiers outside their limits."""
    names = [
        issuer.name + "/",
        issuer.name.upper(),
        issuer.name + " ",
        "https://attacker.example",
        "",
        issuer.name[:-1],
    ]
    for index, name in enumerate(names):
        yield f"iss-{index}", mint(good | {"iss": name}, issuer.es)
    yield "iss-missing", mint(issuer.claims(scope=MANAGE, iss=LEAVE_OUT), issuer.es)
    yield "iss-array", mint(good | {"iss": [issuer.name]}, issuer.es)
    audience = issuer.audience
    for index, name in enumerate(
        ["other", "", audience + " ", audience.upper(), [], ["other"], ["other", ""], audience[:-1]]
    ):
        yield f"aud-{index}", mint(good | {"aud": name}, issuer.es)
    yield "aud-missing", mint(issuer.claims(scope=MANAGE, aud=LEAVE_OUT), issuer.es)
    yield "aud-mixed", mint(good | {"aud": [audience, 1]}, issuer.es)
    for claim in ("sub", "session_id"):
        for name, value in {
            "empty": "",
            "long": "x" * 201,
            "newline": "a\nb",
            "escape": "\x1b[2J",
            "delete": "\x7f",
        }.items():
            yield f"{claim}-{name}", mint(good | {claim: value}, issuer.es)


def claim_types(issuer: Issuer, good: dict) -> Named:
    """Claims of another JSON type."""
    for claim in ("iss", "aud", "sub", "tenant", "scope", "session_id", "client_id"):
        for name, value in WRONG_TYPES.items():
            yield f"{claim}-{name}", mint(good | {claim: value}, issuer.es)
    for claim in ("sub", "session_id"):
        yield f"{claim}-array", mint(good | {claim: ["x"]}, issuer.es)


def base64_form(issuer: Issuer, good: dict) -> Named:
    """Other spellings of each part of a good token, none of which is base64url without padding."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = mint(good, issuer.es)
    for part in range(3):
        pieces = token.split(".")
        text = pieces[part]
        padded = text + "=" * (-len(text) % 4)
        spellings = {
            f"{sign!r}-at-{place}": text[:at] + sign + text[at:]
            for sign in ("=", "+", "/", "!", "%", "*", "~", "%3D", ":", ",")
            for place, at in (("start", 0), ("middle", len(text) // 2), ("end", len(text)))
        }
        spellings |= {"over-padded": padded + "====", "impossible-length": text + "A" * ((1 - len(text)) % 4 or 4)}
        if len(text) % 4:
            last = alphabet.index(text[-1])
            spellings["leftover-bit"] = text[:-1] + alphabet[last + 1]
        for name, spelling in spellings.items():
            yield f"part-{part}-{name}", ".".join(pieces[:part] + [spelling] + pieces[part + 1 :])


def parts(issuer: Issuer, good: dict) -> Named:
    """Another number of parts than three, or empty ones."""
    token = mint(good, issuer.es)
    header, payload, signature = token.split(".")
    texts = {
        "one": header,
        "two": f"{header}.{payload}",
        "four": f"{token}.{signature}",
        "five": f"{token}.{header}.{payload}",
        "trailing-dot": token + ".",
        "leading-dot": "." + token,
        "no-payload": f"{header}..{signature}",
        "no-header": f".{payload}.{signature}",
        "dots": "..",
        "dot": ".",
        "swapped": f"{payload}.{header}.{signature}",
        "payload-twice": f"{header}.{payload}.{payload}.{signature}",
        "double-dot": f"{header}..{payload}.{signature}",
        "word": "secret",
        "bearer": "Bearer",
        "null": "null",
        "undefined": "undefined",
        "basic": "dXNlcjpwYXNzd29yZA==",
        "twice": token + token,
        "json-form": json.dumps(
            {"payload": payload, "protected": header, "signature": signature}, separators=(",", ":")
        ),
        "quoted": f'"{token}"',
        "reversed": token[::-1],
        "upper-case": token.upper(),
        "cut": token[:-1],
        "cut-header": token[1:],
        "encrypted": ".".join(
            [b64url(b'{"alg":"dir","enc":"A256GCM"}'), "", b64url(bytes(12)), b64url(bytes(40)), b64url(bytes(16))]
        ),
    }
    yield from texts.items()


def oversized(issuer: Issuer, good: dict) -> Named:
    """Well signed, but above 8 KiB."""
    for name, key in (("es", issuer.es), ("rs", issuer.rs), ("hs", issuer.hs)):
        padding = 5000
        while len(mint(good | {"pad": "x" * padding}, key)) <= 8192:
            padding += 1
        yield f"just-above-{name}", mint(good | {"pad": "x" * padding}, key)
    yield "9000", mint(good | {"pad": "x" * 6400}, issuer.es)
    yield "header", mint(good, issuer.es, pad="x" * 6400)
    yield "signature", with_signature(mint(good, issuer.es), bytes(6400))


def signatures(issuer: Issuer, good: dict) -> Named:
    """Changed signatures, and changed contents under a good one."""
    for key in issuer.keys:
        token = mint(good, key)
        honest = signature_of(token)
        changed = {
            "empty": b"",
            "one-byte": b"\0",
            "cut": honest[:-1],
            "half": honest[: len(honest) // 2],
            "first-cut": honest[1:],
            "extended": honest + b"\0",
            "prefixed": b"\0" + honest,
            "twice": honest * 2,
            "zeros": bytes(len(honest)),
            "ones": b"\xff" * len(honest),
            "reversed": honest[::-1],
        }
        for at in (0, len(honest) // 2, len(honest) - 1):
            for bit in (0, 7):
                flipped = bytearray(honest)
                flipped[at] ^= 1 << bit
                changed[f"flipped-{at}-{bit}"] = bytes(flipped)
        for name, signature in changed.items():
            yield f"{key.alg}-{name}", with_signature(token, signature)
        header, payload, signature = token.split(".")
        other_payload = b64url(json.dumps(good | {"tenant": "other"}).encode())
        yield f"{key.alg}-other-payload", f"{header}.{other_payload}.{signature}"
        other_header = b64url(json.dumps({"alg": key.alg, "kid": key.kid}).encode())
        yield f"{key.alg}-other-header", f"{other_header}.{payload}.{signature}"
    token = mint(good, issuer.es)
    honest = signature_of(token)
    r, s = (int.from_bytes(half, "big") for half in (honest[:32], honest[32:]))

    def pair(first: int, second: int) -> str:
        return with_signature(token, first.to_bytes(32, "big") + second.to_bytes(32, "big"))

    yield "ecdsa-der", with_signature(token, encode_dss_signature(r, s))
    yield "ecdsa-der-cut", with_signature(token, encode_dss_signature(r, s)[:64])
    for name, first, second in (
        ("zero-r", 0, s),
        ("zero-s", r, 0),
        ("order-r", P256_ORDER, s),
        ("order-s", r, P256_ORDER),
        ("order-both", P256_ORDER, P256_ORDER),
        ("one-one", 1, 1),
        ("swapped", s, r),
        ("r-twice", r, r),
        ("r-negated", P256_ORDER - r, s),
    ):
        yield f"ecdsa-{name}", pair(first, second)
    yield "ecdsa-33-byte-halves", with_signature(token, b"\0" + honest[:32] + b"\0" + honest[32:])


def forbidden(issuer: Issuer, good: dict) -> Named:
    """Valid tokens that lack the scope or the tenant."""
    scopes = {
        "none": LEAVE_OUT,
        "empty": "",
        "empty-array": [],
        "other": "sessioncontext.audit_read",
        "openid": "openid profile",
        "upper-case": MANAGE.upper(),
        "prefix": MANAGE[:-1],
        "longer": MANAGE + "x",
        "commas": MANAGE + ",x",
        "joined": "x" + MANAGE,
        "wildcard": "sessioncontext.*",
        "star": "*",
        "array-joined": [MANAGE + " x"],
        "tab": MANAGE + "\tx",
        "tenant-only": "tenant=acme",
        "colon": MANAGE.replace(".", ":"),
    }
    for name, scope in scopes.items():
        yield f"scope-{name}", mint(issuer.claims(scope=scope, sub="backoffice"), issuer.es)
    tenants = {
        "other": "other",
        "missing": LEAVE_OUT,
        "empty": "",
        "empty-array": [],
        "others": ["other", "another"],
        "upper-case": "ACME",
        "prefix": "acm",
        "longer": "acmee",
        "space": "acme ",
        "joined": "acme,other",
        "wildcard": "*",
        "pattern": "ac*",
        "nul-like": "acme%00",
        "path": "acme/../other",
        "cyrillic": "\u0430cme",
    }
    for name, tenant in tenants.items():
        yield f"tenant-{name}", mint(issuer.claims(scope=MANAGE, sub="backoffice", tenant=tenant), issuer.es)
    yield "tenant-scope-other", mint(
        issuer.claims(scope=f"{MANAGE} tenant=other", sub="backoffice", tenant=LEAVE_OUT), issuer.es
    )
    yield "tenant-scope-empty", mint(
        issuer.claims(scope=f"{MANAGE} tenant=", sub="backoffice", tenant=LEAVE_OUT), issuer.es
    )
    yield "tenant-claim-rules-scope", mint(
        issuer.claims(scope=f"{MANAGE} tenant=acme", sub="backoffice", tenant="other"), issuer.es
    )
    yield "customer", issuer.customer("1234", "session-1")
    yield "anonymous", issuer.anonymous("session-1")
    for key in issuer.keys:
        yield f"tenant-other-{key.alg}", mint(issuer.claims(scope=MANAGE, sub="backoffice", tenant="other"), key)


def main() -> None:
    issuer = Issuer()
    issuer.write_jwks(sys.argv[1])
    for case in cases(issuer):
        print(json.dumps(asdict(case)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: token_cases.py JWKS_FILE > CASES_FILE")
    main()
