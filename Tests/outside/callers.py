"""Callers with tokens: a daemon that knows their issuers, their headers, and the shape of its refusals."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from daemon import Daemon
from tokens import Issuer
from wire import Answer

# RFC 6750 section 3: a realm, and an error only where a token was sent.
CHALLENGE = re.compile(
    r'Bearer realm="session-context"'
    r'(?P<error>, error="invalid_token", error_description="(?P<reason>[\x20\x21\x23-\x5b\x5d-\x7e]+)")?'
)
MISSING_SCOPE = ["missing scope: sessioncontext.context_manage"]
MISSING_AUDIT_SCOPE = ["missing scope: sessioncontext.audit_read"]
SAAS_TOKEN_REQUIRED = "Required Header [saas-token]"


def bearer(token: str, **headers: str) -> dict[str, str]:
    """The headers of a caller with that token; `If_Match` stands for `If-Match`."""
    return {"Authorization": f"Bearer {token}"} | {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class KeyFile:
    """An issuer with the file that its keys stand in."""

    issuer: Issuer
    path: Path
    tenants: tuple[str, ...] = ("*",)
    settings: dict = field(default_factory=dict)

    def write(self) -> KeyFile:
        self.issuer.write_jwks(str(self.path))
        return self

    def entry(self) -> dict:
        """What the configuration says about it."""
        return {
            "issuer": self.issuer.name,
            "keyFile": str(self.path),
            "audiences": [self.issuer.audience],
            "tenants": list(self.tenants),
        } | self.settings


def token_daemon(directory: Path, *files: KeyFile, **config) -> Daemon:
    """A daemon that lets in whom these issuers name; not started yet."""
    for file in files:
        file.write()
    return Daemon(directory, config={"issuers": [file.entry() for file in files]} | config, options=())


def check_unauthenticated(answer: Answer, was_sent: bool = True) -> str:
    """A whole 401; `was_sent` tells whether there was a token. Returns the reason."""
    assert answer.status == 401, answer
    challenge = CHALLENGE.fullmatch(answer.headers.get("www-authenticate", ""))
    assert challenge, answer
    assert bool(challenge["error"]) == was_sent, answer
    body = check_body(answer)
    if was_sent:
        assert challenge["reason"] in body["message"], answer
    return challenge["reason"] or ""


def check_forbidden(answer: Answer, message: str | None = None, details: list[str] | None = None):
    """A whole 403, with that message and exactly those details when they are given."""
    assert answer.status == 403, answer
    body = check_body(answer)
    if message is not None:
        assert body["message"] == message, answer
    if details is not None:
        assert body.get("details") == details, answer


def check_body(answer: Answer) -> dict:
    """The error body, which says no more than an error may."""
    assert answer.headers["content-type"] == "application/json", answer
    body = answer.json()
    assert body["code"] == answer.status, answer
    assert isinstance(body["message"], str) and body["message"], answer
    assert set(body) <= {"code", "message", "sessionId", "details"}, answer
    details = body.get("details", ["-"])
    assert details and all(isinstance(detail, str) and detail for detail in details), answer
    assert "etag" not in answer.headers, answer
    return body
