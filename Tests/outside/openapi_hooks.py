"""What schemathesis loads for `test_openapi.py`: lets requests meet sessions, and says which failures are none.

The document describes each request by itself. What a request has to fit besides (the session that there is, its
version, whose it is) is filled in here, for the requests that the document calls valid; the others go out as they are.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from urllib.parse import quote, unquote

import requests
import schemathesis

ADDRESS = os.environ["OPENAPI_TEST_ADDRESS"]
# The caller's token, and the session that it carries; empty where the daemon runs without tokens or none is sent.
TOKEN = os.environ.get("OPENAPI_TEST_TOKEN", "")
OWN_SESSION = os.environ.get("OPENAPI_TEST_SESSION", "")
# Whether sessions can be begun here at all.
IS_LET_IN = os.environ["OPENAPI_TEST_LET_IN"] == "yes"

# Where each answer is noted: method, path in the document, status.
ANSWERS = open(os.environ["OPENAPI_TEST_ANSWERS"], "a", encoding="utf-8")

TENANT = "acme"
_numbers = itertools.count(1)
_http = requests.Session()
if TOKEN:
    _http.headers["Authorization"] = f"Bearer {TOKEN}"

# Rules that JSON Schema has no words for, by what a 400 says of them: lengths count bytes, not characters.
_RULES_OF_BYTES = re.compile(
    r"(sessionId|attributeName|customerId): must be 1 to 200 bytes of URL-encoded UTF-8 without control characters"
    r"|after: must be a session id"
    r"|session-id: without tokens this header must name the session"
    r"|Idempotency-Key: must be 1 to 64 bytes"
    r"|[^:]+: is \d+ bytes long; at most \d+ are allowed"
    r"|[^:]+: has a value of \d+ bytes; at most \d+ are allowed"
    r"|.+: nests deeper than \d+ levels"
)


@schemathesis.hook
def before_call(context, case, kwargs):
    if not IS_LET_IN or not is_valid(case) or "tenant" not in case.path_parameters:
        return
    case.path_parameters["tenant"] = TENANT
    # A time and a version are two ways to ask for the past.
    if "version" in case.query:
        case.query.pop("asOf", None)
    # Only a time that has come can be asked for, and only positions that the log has.
    if "asOf" in case.query and case.query["asOf"][:4] > "2020":
        case.query["asOf"] = "2020" + case.query["asOf"][4:]
    if case.path.endswith("/{tenant}/events") and "after" in case.query:
        case.query["after"] = 0
    if case.operation.method == "options" or not is_about_session(case):
        return
    session, attribute = session_of(case), part(case, "attributeName")
    if len(session.encode("utf-8")) > 200:
        return
    path = f"http://{ADDRESS}/session-context/{TENANT}/context/{quote(session, safe='')}"
    if not is_in_sequence(case):
        begin(path, attribute)
    version = int(_http.head(path).headers.get("ETag", '"1"').strip('"'))
    # An entity tag that the daemon can understand is of a version that the session has.
    if "If-Match" in case.headers:
        case.headers["If-Match"] = f'"{version}"'
    if isinstance(case.body, dict) and case.operation.method in ("put", "patch"):
        fit_body(case, session, version)


def is_valid(case) -> bool:
    """Whether the document calls the request valid."""
    return case.meta is not None and case.meta.generation.mode.is_positive


def is_about_session(case) -> bool:
    """Whether the request is about one session."""
    return "sessionId" in case.path_parameters or "/me/" in case.path


def is_in_sequence(case) -> bool:
    """Whether the request follows others whose outcome it is about."""
    return case.meta.phase.name.value == "stateful"


def part(case, name: str) -> str | None:
    """What a parameter of the path stands for in the request that is sent; None when the path has no such parameter."""
    for template, sent in zip(case.path.split("/"), case.formatted_path.split("/"), strict=True):
        if template == f"{{{name}}}":
            return unquote(sent)
    return None


def session_of(case) -> str:
    """The session that the request is about."""
    named = part(case, "sessionId") or OWN_SESSION
    if not named:
        # One that no request before has ended, unless it is about that.
        named = "own-session" if is_in_sequence(case) else f"own-session-{next(_numbers)}"
        case.headers["session-id"] = named
    return named


def begin(path: str, attribute: str | None):
    """Begins the session of that path unless it is there, with the attribute if it's given."""
    context = {attribute: True} if attribute and len(attribute.encode("utf-8")) <= 200 else {}
    answer = _http.put(path, params={"upsert": "true"}, json={"context": context}, headers={"If-None-Match": "*"})
    if context and answer.status_code == 412:
        _http.post(path + "/attributes", json={"key": attribute, "value": True})


def fit_body(case, session: str, version: int):
    """Fits the version, the session and the customer that a body names to what there is."""
    if case.body.get("sessionId") is not None:
        case.body["sessionId"] = session
    metadata = case.body.get("metadata")
    case.body["metadata"] = (metadata if isinstance(metadata, dict) else {}) | {"version": version}
    # A random token would be refused whatever the body says.
    case.headers.pop("saas-token", None)


@schemathesis.hook
def after_call(context, case, response):
    print(case.method.lower(), case.operation.path, response.status_code, file=ANSWERS, flush=True)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether a failure counts."""
    match type(failure).__name__:
        case "RejectedPositiveData":
            return response.status_code != 400 or not is_only_of_bytes(case, response)
        case "AcceptedNegativeData":
            return not is_passed_over(failure.message, case)
        case "UseAfterFree":
            # OPTIONS asks for methods, whether there is a session or not; without tombstones an upsert begins it anew; and
            # what a session was can still be read when it has ended.
            is_of_the_past = case.path.endswith(("/events", "/diff")) or {"version", "asOf"} & set(case.query or {})
            return not is_of_the_past and case.operation.method not in ("options", "put")
    return True


def is_passed_over(message: str, case) -> bool:
    """Whether what is wrong with a request is something that isn't looked at, as the document says in words."""
    if "positive test case" in message:
        # So schemathesis calls a request that came out valid after all.
        return True
    if OWN_SESSION and "`session-id`" in message:
        return True
    return "`If-None-Match`" in message and ("version" in case.query or "asOf" in case.query)


def is_only_of_bytes(case, response) -> bool:
    """Whether a request is refused for its number of bytes alone."""
    if case.operation.method == "head":
        return any(len(unquote(sent).encode("utf-8")) > 200 for sent in case.formatted_path.split("/"))
    return all(_RULES_OF_BYTES.fullmatch(detail) for detail in json.loads(response.content)["details"])
