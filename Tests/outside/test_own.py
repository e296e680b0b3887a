"""The `/me` side of the API, without tokens: there the header `session-id` says whose session it is."""

from __future__ import annotations

import time

import pytest
from daemon import Daemon, path_of

OWN = "/session-context/acme/me/context"
DOCUMENT = {"siteCode": "main", "currency": "EUR", "cartId": "cart-1", "language": "de", "context": {"a": 1}}


class Client:
    """A browser: sends its session's id with every request."""

    def __init__(self, daemon: Daemon, session: str):
        self.daemon = daemon
        self.session = session

    def request(self, method: str, suffix: str = "", json=None, **headers: str):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.daemon.request(method, OWN + suffix, json, headers={"session-id": self.session, **sent})

    def document(self) -> dict:
        answer = self.request("GET")
        assert answer.status == 200, answer
        return answer.json()

    def fields(self) -> dict:
        document = self.document()
        assert document.pop("sessionId") == self.session
        del document["metadata"]
        return document


@pytest.fixture
def client(daemon, session) -> Client:
    """A client whose session has been begun by the shop."""
    return begin(daemon, session)


def begin(daemon: Daemon, session: str, document: dict = DOCUMENT) -> Client:
    answer = daemon.request("PUT", path_of(session, query="upsert=true"), document)
    assert (answer.status, answer.headers["etag"]) == (204, '"1"'), answer
    return Client(daemon, session)


def test_get_answers_the_same_as_the_management_side(client):
    own, managed = client.request("GET"), client.daemon.request("GET", path_of(client.session))
    assert own.status == 200
    assert own.body == managed.body
    assert own.headers["etag"] == managed.headers["etag"] == '"1"'
    assert client.request("GET", If_None_Match='"1"').status == 304
    head = client.request("HEAD")
    assert (head.status, head.headers["etag"]) == (200, '"1"')


def test_without_a_session_is_refused(daemon):
    for headers in ({}, {"session-id": ""}, {"session-id": "x" * 201}):
        answer = daemon.request("GET", OWN, headers=headers)
        assert answer.status == 400, answer
        assert any("session-id" in detail for detail in answer.json()["details"])


def test_a_session_id_that_is_not_utf8_is_refused(daemon):
    for name in (b"a\xff", b"a\xc3", b"\xed\xa0\x80"):
        with daemon.wire() as wire:
            answer = wire.exchange(f"GET {OWN} HTTP/1.1\r\nHost: a\r\nsession-id: ".encode() + name + b"\r\n\r\n")
        assert answer.status == 400, answer
        assert any("session-id" in detail for detail in answer.json()["details"])


def test_of_an_unknown_session_is_404(daemon, session):
    client = Client(daemon, session)
    for method, suffix, document in [
        ("GET", "", None),
        ("PATCH", "", {"metadata": {"version": 1}}),
        ("PATCH", "?upsert=true", {"metadata": {"version": 1}}),
        ("DELETE", "", None),
        ("POST", "/attributes", {"key": "a", "value": 1}),
        ("DELETE", "/attributes/a", None),
    ]:
        answer = client.request(method, suffix, document)
        assert answer.status == 404, answer
        assert answer.json() == {"code": 404, "message": "Session not found", "sessionId": session}


def test_patch_changes_what_is_its_own_and_ignores_the_rest(client):
    changes = {"siteCode": "us", "currency": "USD", "targetLocation": "US", "language": "en", "context": {"b": 2}}
    foreign = {"cartId": "cart-2", "customerId": "someone", "unknown": 1}
    answer = client.request("PATCH", "", {**changes, **foreign, "metadata": {"version": 1}})
    assert (answer.status, answer.headers["etag"], answer.body) == (204, '"2"', b""), answer
    assert client.fields() == {**changes, "cartId": "cart-1"}


def test_patch_accepts_the_whole_document_of_a_get(client):
    document = client.document() | {"language": "fr"}
    assert client.request("PATCH", "?upsert=true", document).status == 204
    assert client.fields() == DOCUMENT | {"language": "fr"}


def test_patch_needs_the_version(client):
    assert client.request("PATCH", "", {"language": "fr"}).status == 400
    answer = client.request("PATCH", "", {"language": "fr", "metadata": {"version": 7}})
    assert answer.status == 409
    message = f"The context with sessionId {client.session} and version 7 has not been found."
    expected = {"code": 409, "message": message, "sessionId": client.session, "currentVersion": 1}
    assert answer.json() == expected
    assert client.request("PATCH", "", {"language": "fr"}, If_Match='"2"').status == 412
    assert client.request("PATCH", "", {"language": "fr"}, If_Match='"1"').headers["etag"] == '"2"'


def test_a_patch_whose_answer_was_lost_is_applied_once(client):
    for _ in range(2):
        answer = client.request("PATCH", "", {"language": "fr", "metadata": {"version": 1}})
        assert (answer.status, answer.headers["etag"]) == (204, '"2"')


@pytest.mark.parametrize("name", ["b", "two words", 'qu"ote', "ä/b"])
def test_a_new_attribute_is_answered_with_its_name(client, name):
    answer = client.request("POST", "/attributes", {"key": name, "value": [1]})
    assert (answer.status, answer.headers["etag"]) == (201, '"2"'), answer
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == name
    assert client.fields()["context"] == {"a": 1, name: [1]}


def test_a_new_attribute_is_answered_the_same_again_for_its_key(client):
    for _ in range(2):
        answer = client.request("POST", "/attributes", {"key": "b", "value": 1}, Idempotency_Key="k")
        assert (answer.status, answer.headers["etag"], answer.json()) == (201, '"2"', "b")


def test_an_attribute_is_removed(client):
    answer = client.request("DELETE", "/attributes/a")
    assert (answer.status, answer.headers["etag"], answer.body) == (204, '"2"', b"")
    assert "context" not in client.fields()
    answer = client.request("DELETE", "/attributes/a")
    assert (answer.status, answer.json()["sessionId"]) == (404, client.session)


def test_delete_ends_the_session(client):
    assert client.request("DELETE").status == 204
    assert client.request("GET").status == 404
    assert client.request("PATCH", "", {"metadata": {"version": 2}}).status == 410
    assert client.daemon.request("PUT", path_of(client.session, query="upsert=true"), {}).status == 410


@pytest.mark.parametrize(
    "method, suffix, allowed",
    [
        ("PUT", "", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
        ("POST", "", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
        ("GET", "/attributes", {"POST", "OPTIONS"}),
        ("PUT", "/attributes/a", {"DELETE", "OPTIONS"}),
    ],
)
def test_other_methods_are_refused(client, method, suffix, allowed):
    answer = client.request(method, suffix, {} if method != "GET" else None)
    assert answer.status == 405
    assert {name.strip() for name in answer.headers["allow"].split(",")} == allowed


def test_every_request_is_activity_and_moves_no_version(new_daemon):
    daemon = new_daemon(config={"anonymousTTLSeconds": 1}).start()
    idle, reading = begin(daemon, "idle"), begin(daemon, "reading")
    begun = time.time()
    while time.time() < begun + 1.5:
        assert reading.document()["metadata"]["version"] == 1
    assert idle.request("GET").status == 404


def test_activity_survives_a_crash(new_daemon):
    """What a client has been shown to be alive by its own request stays so for nearly all of the time to live."""
    daemon = new_daemon(config={"anonymousTTLSeconds": 2}).start()
    client = begin(daemon, "one")
    begun = time.time()
    while time.time() < begun + 1:
        client.document()
    daemon.kill()
    daemon.start()
    while time.time() < begun + 2.1:
        assert daemon.request("GET", path_of("one")).status == 200


class TestAutoCreate:
    @pytest.fixture
    def creating(self, new_daemon) -> Daemon:
        return new_daemon(config={"autoCreate": True}).start()

    def test_begins_an_empty_session_on_get(self, creating):
        client = Client(creating, "new")
        answer = client.request("GET")
        assert (answer.status, answer.headers["etag"]) == (200, '"1"')
        assert client.fields() == {}
        assert creating.request("GET", path_of("new")).status == 200

    def test_begins_none_for_a_get_that_wants_a_version(self, creating):
        answer = Client(creating, "new").request("GET", If_Match="*")
        assert answer.status == 404
        assert creating.request("GET", path_of("new")).status == 404

    def test_begins_a_session_with_its_first_attribute(self, creating):
        client = Client(creating, "new")
        assert client.request("POST", "/attributes", {"key": "a", "value": 1}).status == 201
        assert client.fields() == {"context": {"a": 1}}

    def test_does_not_bring_an_ended_session_back(self, creating):
        client = Client(creating, "new")
        assert client.request("GET").status == 200
        assert client.request("DELETE").status == 204
        assert client.request("POST", "/attributes", {"key": "a", "value": 1}).status == 410
        assert client.request("GET").status in (404, 410)

    def test_is_not_for_the_management_side(self, creating):
        assert creating.request("GET", path_of("new")).status == 404
