"""How clients learn of a version conflict: `conflictStatus`, 409 or what the original does, with one exact sentence."""

from __future__ import annotations

import json

import pytest
from callers import KeyFile, bearer, token_daemon
from daemon import Daemon, StartFailed, own_path_of, path_of
from test_management import check_error, check_not_found
from tokens import Issuer

ISSUER = Issuer()


@pytest.fixture(scope="module", params=[None, 409, 404], ids=["default", "409", "404"])
def configured(request, tmp_path_factory) -> tuple[Daemon, int]:
    """A daemon and the status of its conflicts."""
    directory = tmp_path_factory.mktemp("conflicts")
    config = {} if request.param is None else {"conflictStatus": request.param}
    daemon = token_daemon(directory, KeyFile(ISSUER, directory / "jwks.json"), **config).start()
    yield daemon, request.param or 409
    assert daemon.terminate() == 0


def begin(daemon: Daemon, session: str):
    headers = bearer(ISSUER.service())
    assert (
        daemon.request("PUT", path_of(session, query="upsert=true"), {"siteCode": "main"}, headers=headers).status
        == 204
    )


@pytest.mark.parametrize("side", ["PUT", "PUT upsert=true", "PATCH", "PATCH own", "PATCH own upsert=true"])
@pytest.mark.parametrize("sent", [0, 2, 7, 2**63 - 1])
def test_a_conflict_says_exactly_what_was_sent(configured, session, side, sent):
    daemon, status = configured
    begin(daemon, session)
    method, *words = side.split()
    query = "upsert=true" if "upsert=true" in words else ""
    is_own = "own" in words
    target = own_path_of(query=query) if is_own else path_of(session, query=query)
    token = ISSUER.anonymous(session) if is_own else ISSUER.service()
    answer = daemon.request(method, target, {"siteCode": "us", "metadata": {"version": sent}}, headers=bearer(token))
    message = f"The context with sessionId {session} and version {sent} has not been found."
    check_error(answer, status, message, session, currentVersion=1)
    document = daemon.request("GET", path_of(session), headers=bearer(ISSUER.service())).json()
    assert (document["siteCode"], document["metadata"]["version"]) == ("main", 1)


@pytest.mark.parametrize("name", ['ü "x" \\', "a/b", "no sessionId", "9" * 200])
def test_the_sentence_holds_any_session_id(configured, session, name):
    daemon, status = configured
    name = f"{session}{name}"[:200]
    begin(daemon, name)
    answer = daemon.request("PUT", path_of(name), {"metadata": {"version": 3}}, headers=bearer(ISSUER.service()))
    check_error(
        answer, status, f"The context with sessionId {name} and version 3 has not been found.", name, currentVersion=1
    )
    assert list(json.loads(answer.body)) == ["code", "message", "sessionId", "currentVersion"]


def test_an_absent_session_is_no_conflict(configured, session):
    daemon, _ = configured
    document = {"metadata": {"version": 3}}
    for method in ("PUT", "PATCH"):
        answer = daemon.request(method, path_of(session), document, headers=bearer(ISSUER.service()))
        check_not_found(answer, session)


def test_a_failed_if_match_stays_412(configured, session):
    daemon, _ = configured
    begin(daemon, session)
    for method in ("PUT", "PATCH", "DELETE"):
        headers = bearer(ISSUER.service(), If_Match='"9"')
        body = None if method == "DELETE" else {}
        check_error(
            daemon.request(method, path_of(session), body, headers=headers), 412, session=session, currentVersion=1
        )


@pytest.mark.parametrize("value", [200, 405, 408, 410, 500, "409"])
def test_no_other_status_can_be_configured(new_daemon, value):
    with pytest.raises(StartFailed) as failure:
        new_daemon(config={"conflictStatus": value}).start()
    assert failure.value.status and failure.value.status > 0
    assert "conflictStatus" in str(failure.value).splitlines()[-1]
