"""The management side of the API, operation by operation: the wire contract, sections 1, 2 and 5."""

from __future__ import annotations

import itertools
import json
import re
import time
from datetime import datetime

import pytest
from daemon import path_of

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
FULL = {
    "siteCode": "main",
    "currency": "EUR",
    "cartId": "61079711ce0eb90861357045",
    "targetLocation": "DE",
    "language": "de-DE",
    "context": {"channel": "web", "steps": [1, 2], "flags": {"beta": True}},
}


@pytest.fixture
def path(session) -> str:
    return path_of(session)


def create(daemon, path, document=None, **options):
    """Begins a session; its version is 1."""
    answer = daemon.request("PUT", path + "?upsert=true", FULL if document is None else document, **options)
    check_written(answer, 1)
    return answer


def read(daemon, path) -> dict:
    answer = daemon.request("GET", path)
    assert answer.status == 200, answer
    return answer.json()


def fields(daemon, path) -> dict:
    """What a GET holds besides the session's id and metadata."""
    document = read(daemon, path)
    del document["sessionId"], document["metadata"]
    return document


def version(daemon, path) -> int:
    return read(daemon, path)["metadata"]["version"]


def check_written(answer, version: int | None = None):
    assert answer.status == 204, answer
    assert answer.body == b""
    assert "content-type" not in answer.headers
    if version is None:
        assert re.fullmatch(r'"[1-9]\d*"', answer.headers["etag"]), answer
    else:
        assert answer.headers["etag"] == f'"{version}"', answer


def check_error(answer, status: int, message: str | None = None, session: str | None = None, **more):
    """Checks the whole error body; without `message` any text will do, but there has to be one."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    assert "etag" not in answer.headers or status == 412
    body = answer.json()
    assert isinstance(body.get("message"), str) and body["message"], body
    expected = {"code": status, "message": message or body["message"], **more}
    if session is not None:
        expected["sessionId"] = session
    assert body == expected
    return body


def check_not_found(answer, session: str):
    check_error(answer, 404, "Session not found", session)


def check_invalid(answer, *texts: str):
    """A 400 for something in the request; one of its details holds all `texts`."""
    assert answer.status == 400, answer
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) <= {"code", "message", "sessionId", "details"} and body["code"] == 400 and body["message"], body
    details = body["details"]
    assert details and all(isinstance(detail, str) for detail in details), body
    assert any(all(text in detail for text in texts) for detail in details), body


def seconds_of(timestamp: str) -> float:
    assert TIMESTAMP.fullmatch(timestamp), timestamp
    return datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


# Reading


class TestGet:
    def test_answers_the_document(self, daemon, session, path):
        before = time.time()
        create(daemon, path)
        answer = daemon.request("GET", path)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["etag"] == '"1"'
        document = answer.json()
        metadata = document.pop("metadata")
        assert document == {"sessionId": session, **FULL}
        assert set(metadata) == {"version", "createdAt", "modifiedAt"}
        assert metadata["version"] == 1
        assert metadata["createdAt"] == metadata["modifiedAt"]
        assert before - 0.001 <= seconds_of(metadata["createdAt"]) <= time.time()

    def test_holds_every_field_of_a_customers_session(self, daemon, session, path):
        create(daemon, path, {**FULL, "customerId": "87654321"})
        document = read(daemon, path)
        del document["metadata"]
        assert document == {"sessionId": session, "customerId": "87654321", **FULL}

    def test_omits_what_is_not_set(self, daemon, session, path):
        create(daemon, path, {})
        assert set(read(daemon, path)) == {"sessionId", "metadata"}

    @pytest.mark.parametrize("context", [{}, None])
    def test_omits_an_empty_context(self, daemon, path, context):
        create(daemon, path, {"siteCode": "main", "context": context})
        assert fields(daemon, path) == {"siteCode": "main"}

    def test_answers_404_for_an_unknown_session(self, daemon, session, path):
        check_not_found(daemon.request("GET", path), session)

    def test_names_the_decoded_session_in_the_404(self, daemon):
        name = 'a "b"\\/é'
        check_not_found(daemon.request("GET", path_of(name)), name)

    def test_has_a_body_of_the_announced_length_and_a_date(self, daemon, path):
        create(daemon, path)
        answer = daemon.request("GET", path)
        assert int(answer.headers["content-length"]) == len(answer.body)
        assert answer.headers["date"].endswith(" GMT")


class TestConditionalGet:
    @pytest.mark.parametrize(
        "value",
        ['"2"', 'W/"2"', '"1", "2"', '"x","2","y"', ' "7" ,W/"2"', '"7",, "2"', ', "2"', "*", '"a,b", "2"'],
    )
    def test_answers_304_when_the_version_is_known(self, daemon, path, value):
        create(daemon, path)
        daemon.request("PATCH", path, {"language": "en", "metadata": {"version": 1}})
        answer = daemon.request("GET", path, headers={"If-None-Match": value})
        assert (answer.status, answer.body) == (304, b""), answer
        assert answer.headers["etag"] == '"2"'
        # RFC 9110, 8.6: of no other length than that of the 200 in whose place it stands.
        assert answer.headers["content-length"] == daemon.request("GET", path).headers["content-length"]

    @pytest.mark.parametrize("value", ['"1"', '"3"', 'W/"1"', '"1", "3"', '"02"', '"22"', '"a,2,b"'])
    def test_answers_200_otherwise(self, daemon, path, value):
        create(daemon, path)
        daemon.request("PATCH", path, {"language": "en", "metadata": {"version": 1}})
        answer = daemon.request("GET", path, headers={"If-None-Match": value})
        assert answer.status == 200
        assert answer.json()["metadata"]["version"] == 2

    def test_has_no_effect_on_an_unknown_session(self, daemon, session, path):
        check_not_found(daemon.request("GET", path, headers={"If-None-Match": "*"}), session)


class TestFieldLines:
    """Several header lines of one name: a list goes on in the next line (RFC 9110, 5.3); what is no list stands once."""

    def ask(self, daemon, method: str, path: str, *lines: str, body: bytes = b""):
        head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\n" + "".join(f"{line}\r\n" for line in lines)
        with daemon.wire() as wire:
            return wire.exchange(head.encode() + b"\r\n" + body, method)

    def test_a_list_has_at_most_64_tags(self, daemon, path):
        create(daemon, path)
        tags = ", ".join(['"1"', '"x"'] * 32)
        assert self.ask(daemon, "GET", path, f"If-None-Match: {tags}").status == 304
        answer = self.ask(daemon, "GET", path, f'If-None-Match: {tags}, "1"')
        assert answer.status == 400, answer
        assert "If-None-Match" in answer.json()["details"][0]

    def test_a_known_version_may_stand_in_any_line(self, daemon, path):
        create(daemon, path)
        lines = ['If-None-Match: "9", "8"', "If-None-Match: ", 'if-none-match:  W/"1" ']
        assert self.ask(daemon, "GET", path, *lines).status == 304
        assert self.ask(daemon, "GET", path, *lines[:2]).status == 200
        assert self.ask(daemon, "GET", path, lines[0], "If-None-Match: junk").status == 400

    def test_no_line_of_a_condition_is_passed_over(self, daemon, path):
        create(daemon, path)
        attribute = b'{"key":"a","value":1}'
        path_of_attributes = path + "/attributes"
        for lines, status in (
            (('If-None-Match: "9"', 'If-None-Match: "1"'), 412),
            (('If-Match: "9"', 'If-Match: "8"'), 412),
            (('If-Match: "9"', 'If-Match: "1"'), 204),
        ):
            answer = self.ask(daemon, "POST", path_of_attributes, *lines, body=attribute)
            assert answer.status == status, (lines, answer)
        # `*` stands alone.
        assert self.ask(daemon, "DELETE", path, 'If-None-Match: "9"', "If-None-Match: *").status == 400
        assert version(daemon, path) == 2

    def test_accepted_types_may_stand_in_any_line(self, daemon):
        events = "/session-context/acme/events"
        assert self.ask(daemon, "GET", events, "Accept: text/html", "Accept: application/json").status == 200
        assert self.ask(daemon, "GET", events, "Accept: text/html", "Accept: text/plain").status == 406

    @pytest.mark.parametrize("name", ["Idempotency-Key", "saas-token", "session-id", "Last-Event-ID"])
    def test_what_says_one_thing_stands_once(self, daemon, path, name):
        answer = self.ask(daemon, "PUT", path + "?upsert=true", f"{name}: 1", f"{name.lower()}: 2", body=b"{}")
        assert answer.status == 400
        assert f"{name} must stand only once" in answer.json()["message"]
        assert daemon.request("GET", path).status == 404


class TestHead:
    def test_answers_like_get_without_the_body(self, daemon, path):
        create(daemon, path)
        get, head = (daemon.request(method, path) for method in ("GET", "HEAD"))
        assert head.status == 200
        assert head.body == b""
        for answer in (get, head):
            answer.headers.pop("date")
        assert head.headers == get.headers

    def test_answers_304(self, daemon, path):
        create(daemon, path)
        assert daemon.request("HEAD", path, headers={"If-None-Match": '"1"'}).status == 304

    def test_answers_404(self, daemon, path):
        answer = daemon.request("HEAD", path)
        assert (answer.status, answer.headers["content-type"]) == (404, "application/json")


# PUT


class TestUpsert:
    def test_creates_with_version_1(self, daemon, path):
        check_written(daemon.request("PUT", path + "?upsert=true", FULL), 1)
        assert version(daemon, path) == 1

    @pytest.mark.parametrize("sent", [0, 1, 5])
    def test_does_not_check_the_version_when_the_session_is_absent(self, daemon, path, sent):
        create(daemon, path, {**FULL, "metadata": {"version": sent}})

    @pytest.mark.parametrize("query", ["", "?upsert=false"])
    def test_is_needed_to_create(self, daemon, session, path, query):
        check_not_found(daemon.request("PUT", path + query, {**FULL, "metadata": {"version": 1}}), session)
        check_not_found(daemon.request("GET", path), session)

    def test_is_a_normal_update_when_the_session_is_present(self, daemon, session, path):
        create(daemon, path)
        created = read(daemon, path)["metadata"]["createdAt"]
        check_written(daemon.request("PUT", path + "?upsert=true", {"siteCode": "us", "metadata": {"version": 1}}), 2)
        document = read(daemon, path)
        assert document["siteCode"] == "us"
        assert document["metadata"]["createdAt"] == created
        answer = daemon.request("PUT", path + "?upsert=true", {"siteCode": "fr", "metadata": {"version": 1}})
        check_conflict(answer, session, sent=1, current=2)

    def test_needs_a_version_when_the_session_is_present(self, daemon, path):
        create(daemon, path)
        assert daemon.request("PUT", path + "?upsert=true", {"siteCode": "us"}).status == 400
        assert fields(daemon, path) == FULL

    def test_with_if_match_fails_when_the_session_is_absent(self, daemon, session, path):
        for value in ("*", '"1"'):
            answer = daemon.request("PUT", path + "?upsert=true", FULL, headers={"If-Match": value})
            check_error(answer, 412, session=session)
        check_not_found(daemon.request("GET", path), session)

    def test_with_if_none_match_only_creates(self, daemon, session, path):
        headers = {"If-None-Match": "*"}
        create(daemon, path, headers=headers)
        other = {"siteCode": "us", "metadata": {"version": 1}}
        assert daemon.request("PUT", path + "?upsert=true", other, headers=headers).status == 412
        assert fields(daemon, path) == FULL


def check_conflict(answer, session: str, sent: int, current: int):
    check_error(
        answer,
        409,
        f"The context with sessionId {session} and version {sent} has not been found.",
        session,
        currentVersion=current,
    )


class TestPut:
    def test_replaces_everything_and_keeps_created_at(self, daemon, session, path):
        create(daemon, path, {**FULL, "customerId": "c1"})
        first = read(daemon, path)["metadata"]
        check_written(daemon.request("PUT", path, {"language": "fr", "metadata": {"version": 1}}), 2)
        document = read(daemon, path)
        metadata = document.pop("metadata")
        assert document == {"sessionId": session, "language": "fr"}
        assert metadata["version"] == 2
        assert metadata["createdAt"] == first["createdAt"]
        assert seconds_of(metadata["modifiedAt"]) >= seconds_of(first["modifiedAt"])

    def test_clears_what_is_null(self, daemon, path):
        create(daemon, path)
        cleared = dict.fromkeys(FULL) | {"siteCode": "main", "metadata": {"version": 1}}
        check_written(daemon.request("PUT", path, cleared), 2)
        assert fields(daemon, path) == {"siteCode": "main"}

    def test_needs_a_version(self, daemon, path):
        create(daemon, path)
        for document in ({"siteCode": "us"}, {"siteCode": "us", "metadata": {}}, {"siteCode": "us", "metadata": None}):
            answer = daemon.request("PUT", path, document)
            assert answer.status == 400, answer
            assert "version" in answer.body.decode()
        assert version(daemon, path) == 1

    @pytest.mark.parametrize("sent", [0, 1, 3, 4294967297, 9223372036854775807])
    def test_with_another_version_conflicts(self, daemon, session, path, sent):
        create(daemon, path)
        daemon.request("POST", path + "/attributes", {"key": "a", "value": 1})
        answer = daemon.request("PUT", path, {"siteCode": "us", "metadata": {"version": sent}})
        check_conflict(answer, session, sent=sent, current=2)
        assert fields(daemon, path)["siteCode"] == "main"

    def test_conflict_names_any_session_as_it_is(self, daemon):
        name = "we 'quote' \"it\" ü"
        create(daemon, path_of(name))
        answer = daemon.request("PUT", path_of(name), {"metadata": {"version": 7}})
        check_conflict(answer, name, sent=7, current=1)

    def test_accepts_the_whole_document_of_a_get(self, daemon, path):
        create(daemon, path)
        document = read(daemon, path)
        document["currency"] = "USD"
        check_written(daemon.request("PUT", path, document), 2)
        assert fields(daemon, path) == {**FULL, "currency": "USD"}

    def test_ignores_unknown_fields(self, daemon, path):
        create(daemon, path, {"siteCode": "main", "colour": {"deep": [1]}, "id": 7, "yrn": None})
        document = {
            "siteCode": "us",
            "metadata": {"version": 1, "createdAt": 5, "modifiedAt": "never", "mixins": {}},
            "Currency": 9,
        }
        check_written(daemon.request("PUT", path, document), 2)
        assert fields(daemon, path) == {"siteCode": "us"}

    def test_every_change_moves_the_version_by_one(self, daemon, path):
        create(daemon, path)
        for number in range(1, 6):
            check_written(
                daemon.request("PUT", path, {"cartId": str(number), "metadata": {"version": number}}), number + 1
            )
            assert version(daemon, path) == number + 1


class TestIfMatch:
    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    @pytest.mark.parametrize("value", ['"1"', "*", '"7", "1"'])
    def test_stands_for_the_version(self, daemon, path, method, value):
        create(daemon, path)
        check_written(daemon.request(method, path, {"siteCode": "us"}, headers={"If-Match": value}), 2)
        assert fields(daemon, path)["siteCode"] == "us"

    @pytest.mark.parametrize(
        "method, suffix, document",
        [
            ("PUT", "", {"siteCode": "us", "metadata": {"version": 1}}),
            ("PATCH", "", {"siteCode": "us", "metadata": {"version": 1}}),
            ("POST", "/attributes", {"key": "a", "value": 1}),
            ("DELETE", "/attributes/channel", None),
            ("DELETE", "", None),
        ],
    )
    @pytest.mark.parametrize("value", ['"2"', '"0"', '"x"', '"2", "3"', 'W/"1"'])
    def test_that_fails_answers_412(self, daemon, session, path, method, suffix, document, value):
        create(daemon, path)
        answer = daemon.request(method, path + suffix, document, headers={"If-Match": value})
        assert answer.status == 412, answer
        body = answer.json()
        assert (body["code"], body["sessionId"]) == (412, session)
        assert fields(daemon, path) == FULL

    def test_and_the_version_must_both_hold(self, daemon, session, path):
        create(daemon, path)
        answer = daemon.request("PUT", path, {"metadata": {"version": 2}}, headers={"If-Match": '"1"'})
        check_conflict(answer, session, sent=2, current=1)

    def test_that_is_malformed_answers_400_or_412(self, daemon, path):
        create(daemon, path)
        for value in ("1", '"1', "W/1", "nonsense"):
            answer = daemon.request("PUT", path, {"siteCode": "us"}, headers={"If-Match": value})
            assert answer.status in (400, 412), (value, answer)
        assert fields(daemon, path) == FULL


# PATCH


class TestPatch:
    def test_changes_the_given_fields_and_keeps_the_rest(self, daemon, path):
        create(daemon, path)
        changes = {"currency": "USD", "cartId": "c9", "customerId": "k1", "metadata": {"version": 1}}
        check_written(daemon.request("PATCH", path, changes), 2)
        assert fields(daemon, path) == {**FULL, "currency": "USD", "cartId": "c9", "customerId": "k1"}

    def test_clears_what_is_null(self, daemon, path):
        create(daemon, path)
        changes = {"currency": None, "cartId": None, "context": None, "metadata": {"version": 1}}
        check_written(daemon.request("PATCH", path, changes), 2)
        assert fields(daemon, path) == {key: FULL[key] for key in ("siteCode", "targetLocation", "language")}

    def test_replaces_the_whole_context_when_it_is_given(self, daemon, path):
        create(daemon, path)
        check_written(daemon.request("PATCH", path, {"context": {"new": 1}, "metadata": {"version": 1}}), 2)
        assert fields(daemon, path)["context"] == {"new": 1}

    def test_without_changes_moves_the_version_too(self, daemon, path):
        create(daemon, path)
        check_written(daemon.request("PATCH", path, {"metadata": {"version": 1}}), 2)
        assert fields(daemon, path) == FULL

    def test_accepts_the_whole_document_of_a_get(self, daemon, path):
        create(daemon, path)
        document = read(daemon, path)
        document["language"] = "en"
        check_written(daemon.request("PATCH", path + "?upsert=true", document), 2)
        assert fields(daemon, path) == {**FULL, "language": "en"}

    def test_needs_a_version(self, daemon, path):
        create(daemon, path)
        assert daemon.request("PATCH", path, {"siteCode": "us"}).status == 400
        assert version(daemon, path) == 1

    def test_with_another_version_conflicts(self, daemon, session, path):
        create(daemon, path)
        answer = daemon.request("PATCH", path, {"siteCode": "us", "metadata": {"version": 2}})
        check_conflict(answer, session, sent=2, current=1)

    @pytest.mark.parametrize("query", ["", "?upsert=true"])
    def test_never_creates(self, daemon, session, path, query):
        check_not_found(daemon.request("PATCH", path + query, {"siteCode": "us", "metadata": {"version": 1}}), session)


# Attributes


class TestAttributes:
    def test_are_added_and_overwritten_without_a_version(self, daemon, path):
        create(daemon, path, {"context": {"b": 1}})
        check_written(daemon.request("POST", path + "/attributes", {"key": "a", "value": {"x": [None]}}), 2)
        check_written(daemon.request("POST", path + "/attributes", {"key": "b", "value": None}), 3)
        assert fields(daemon, path)["context"] == {"b": None, "a": {"x": [None]}}
        assert version(daemon, path) == 3

    def test_are_removed(self, daemon, path):
        create(daemon, path, {"context": {"a": 1, "b": 2}})
        check_written(daemon.request("DELETE", path + "/attributes/a"), 2)
        assert fields(daemon, path) == {"context": {"b": 2}}
        check_written(daemon.request("DELETE", path + "/attributes/b"), 3)
        assert fields(daemon, path) == {}

    def test_that_are_missing_answer_404(self, daemon, session, path):
        create(daemon, path)
        answer = daemon.request("DELETE", path + "/attributes/nothing")
        assert answer.status == 404, answer
        body = answer.json()
        assert (body["code"], body["sessionId"]) == (404, session)
        assert body["message"] != "Session not found"
        assert version(daemon, path) == 1

    def test_of_an_unknown_session_answer_404(self, daemon, session, path):
        check_not_found(daemon.request("POST", path + "/attributes", {"key": "a", "value": 1}), session)
        check_not_found(daemon.request("DELETE", path + "/attributes/a"), session)

    @pytest.mark.parametrize(
        "name",
        [
            "two words",
            "a/b",
            "a%2Fb",
            "größe",
            "日本",
            "a+b",
            "a.b",
            "..",
            "?q=1&x",
            "#",
            "%",
            '"',
            "\\",
            "x" * 200,
            "😀",
        ],
    )
    def test_have_any_name(self, daemon, path, name):
        create(daemon, path, {})
        check_written(daemon.request("POST", path + "/attributes", {"key": name, "value": name}), 2)
        assert fields(daemon, path) == {"context": {name: name}}
        session = path.rpartition("/")[2]
        check_written(daemon.request("DELETE", path_of(session, "attributes", name)), 3)
        assert fields(daemon, path) == {}

    def test_have_a_plus_as_it_is_in_the_path(self, daemon, path):
        create(daemon, path, {"context": {"a+b": 1, "a b": 2}})
        check_written(daemon.request("DELETE", path + "/attributes/a+b"), 2)
        assert fields(daemon, path) == {"context": {"a b": 2}}

    @pytest.mark.parametrize("name", ["%00", "%1F", "%7f", "%ff", "%C3%28", "a" * 201, "%", "%2", "%zz", ""])
    def test_have_no_impossible_name_in_the_path(self, daemon, path, name):
        create(daemon, path)
        answer = daemon.request("DELETE", f"{path}/attributes/{name}")
        check_invalid(answer, "attributeName")

    @pytest.mark.parametrize("name", ["", "a" * 201, "é" * 101, "a\u0000", "a\u001f", "a\u007f", 5, None, [], True])
    def test_have_no_impossible_name_in_the_body(self, daemon, path, name):
        create(daemon, path)
        check_invalid(daemon.request("POST", path + "/attributes", {"key": name, "value": 1}), "key")
        assert version(daemon, path) == 1

    def test_need_a_key_and_a_value(self, daemon, path):
        create(daemon, path)
        check_invalid(daemon.request("POST", path + "/attributes", {"value": 1}), "key")
        check_invalid(daemon.request("POST", path + "/attributes", {"key": "a"}), "value")
        check_invalid(daemon.request("POST", path + "/attributes", {}), "key")

    def test_ignore_unknown_fields(self, daemon, path):
        create(daemon, path, {})
        check_written(daemon.request("POST", path + "/attributes", {"key": "a", "value": 1, "more": {}}), 2)
        assert fields(daemon, path) == {"context": {"a": 1}}


VALUES = [
    b'{ "a" : 1 ,\t"b":[ ] }',
    b"[1,\n 2,\r\n 3]",
    b"1.0",
    b"1.10e+02",
    b"-0",
    b"-0.0",
    b"123456789012345678901234567890.00001",
    b'"\\u00e9\\/\\ud83d\\ude00"',
    '"é😀\u2028"'.encode(),
    b'"\\b\\f\\n\\r\\t\\u0000\\""',
    b'{"":{"":""}}',
    b"null",
    b"true",
    b'""',
    b"{}",
    b"[[[]]]",
]


class TestAttributeValues:
    @pytest.mark.parametrize("value", VALUES)
    def test_set_one_by_one_stay_byte_for_byte(self, daemon, path, value):
        create(daemon, path, {})
        check_written(daemon.request("POST", path + "/attributes", body=b'{"key":"a", "value": ' + value + b" }"), 2)
        assert b'"context":{"a":' + value + b"}" in daemon.request("GET", path).body

    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_of_a_whole_context_stay_byte_for_byte_and_in_order(self, daemon, path, method):
        create(daemon, path, {})
        members = [b'"%d":%s' % (index, value) for index, value in enumerate(VALUES)]
        body = b'{"metadata":{"version":1},"context":{ ' + b" ,\n".join(members) + b" } }"
        check_written(daemon.request(method, path, body=body), 2)
        assert b'"context":{' + b",".join(members) + b"}" in daemon.request("GET", path).body

    def test_survive_later_changes(self, daemon, path):
        create(daemon, path, {})
        daemon.request("POST", path + "/attributes", body=b'{"key":"a","value":{ "x":1.0 }}')
        daemon.request("POST", path + "/attributes", {"key": "b", "value": 2})
        daemon.request("PATCH", path, {"language": "en", "metadata": {"version": 3}})
        daemon.request("POST", path + "/attributes", {"key": "b", "value": 3})
        assert b'"context":{"a":{ "x":1.0 },"b":3}' in daemon.request("GET", path).body


# DELETE


class TestEnd:
    def test_makes_reads_404_and_writes_410(self, daemon, session, path):
        create(daemon, path)
        answer = daemon.request("DELETE", path)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["etag"] == '"2"'
        check_not_found(daemon.request("GET", path), session)
        assert daemon.request("HEAD", path).status == 404
        for method, suffix, document in [
            ("PUT", "", {"metadata": {"version": 1}}),
            ("PUT", "", {"metadata": {"version": 2}}),
            ("PUT", "?upsert=true", FULL),
            ("PUT", "?upsert=true", {**FULL, "metadata": {"version": 2}}),
            ("PATCH", "", {"siteCode": "us", "metadata": {"version": 2}}),
            ("POST", "/attributes", {"key": "a", "value": 1}),
            ("DELETE", "/attributes/channel", None),
            ("DELETE", "", None),
        ]:
            check_error(daemon.request(method, path + suffix, document), 410, session=session)
        check_not_found(daemon.request("GET", path), session)

    def test_of_an_unknown_session_answers_404(self, daemon, session, path):
        check_not_found(daemon.request("DELETE", path), session)

    def test_holds_for_the_time_of_the_tombstone(self, new_daemon, session, path):
        daemon = new_daemon(config={"tombstoneSeconds": 1}).start()
        create(daemon, path)
        before = time.time()
        assert daemon.request("DELETE", path).status == 204
        after = time.time()
        while True:
            begin = time.time()
            answer = daemon.request("PUT", path + "?upsert=true", {"siteCode": "new"})
            if answer.status != 410:
                break
            assert begin < after + 1, "the tombstone stands for too long"
        assert time.time() >= before + 1, "the tombstone fell too early"
        check_written(answer, 1)
        assert fields(daemon, path) == {"siteCode": "new"}


# Expiry


class TestExpiry:
    def test_is_exact_on_read_and_begins_a_new_life(self, new_daemon, session, path):
        daemon = new_daemon(config={"anonymousTTLSeconds": 1}).start()
        before = time.time()
        create(daemon, path)
        created = read(daemon, path)["metadata"]["createdAt"]
        after = time.time()
        while True:
            begin = time.time()
            answer = daemon.request("GET", path)
            if answer.status != 200:
                break
            assert begin < after + 1, "it expires too late"
        assert time.time() >= before + 1, "it expired too early"
        check_not_found(answer, session)
        check_not_found(daemon.request("PATCH", path, {"metadata": {"version": 1}}), session)
        check_not_found(daemon.request("POST", path + "/attributes", {"key": "a", "value": 1}), session)
        check_not_found(daemon.request("DELETE", path), session)
        check_not_found(daemon.request("PUT", path, {"metadata": {"version": 1}}), session)
        # The new life has nothing of the old one, not even the version that a late writer would expect.
        check_written(daemon.request("PUT", path + "?upsert=true", {"siteCode": "us", "metadata": {"version": 1}}), 1)
        assert fields(daemon, path) == {"siteCode": "us"}
        assert seconds_of(read(daemon, path)["metadata"]["createdAt"]) > seconds_of(created)

    def test_is_put_off_by_every_write_and_spares_customers(self, new_daemon):
        daemon = new_daemon(config={"anonymousTTLSeconds": 1}).start()
        idle, busy, customer = (path_of(name) for name in ("idle", "busy", "customer"))
        create(daemon, busy)
        create(daemon, customer, {**FULL, "customerId": "c1"})
        create(daemon, idle)
        while daemon.request("GET", idle).status == 200:
            assert daemon.request("POST", busy + "/attributes", {"key": "a", "value": 1}).status == 204
        assert daemon.request("GET", busy).status == 200
        assert daemon.request("GET", customer).status == 200

    def test_of_customers_can_be_had(self, new_daemon):
        daemon = new_daemon(config={"anonymousTTLSeconds": 0, "customerTTLSeconds": 1}).start()
        anonymous, customer = (path_of(name) for name in ("anonymous", "customer"))
        create(daemon, anonymous)
        create(daemon, customer, {**FULL, "customerId": "c1"})
        deadline = time.time() + 1.2
        while daemon.request("GET", customer).status == 200:
            assert time.time() < deadline
        assert daemon.request("GET", anonymous).status == 200


# Retries


class TestIdempotencyKey:
    @pytest.mark.parametrize(
        "method, suffix, document",
        [
            ("PUT", "", {"siteCode": "us", "metadata": {"version": 1}}),
            ("PATCH", "", {"siteCode": "us", "metadata": {"version": 1}}),
            ("POST", "/attributes", {"key": "a", "value": 1}),
            ("DELETE", "/attributes/channel", None),
        ],
    )
    def test_gives_the_first_answer_again(self, daemon, path, method, suffix, document):
        create(daemon, path)
        headers = {"Idempotency-Key": "key-1"}
        check_written(daemon.request(method, path + suffix, document, headers=headers), 2)
        once = fields(daemon, path)
        check_written(daemon.request(method, path + suffix, document, headers=headers), 2)
        assert version(daemon, path) == 2
        check_written(daemon.request("POST", path + "/attributes", {"key": "later", "value": 1}), 3)
        check_written(daemon.request(method, path + suffix, document, headers=headers), 2)
        assert version(daemon, path) == 3
        later = fields(daemon, path)
        assert later["context"].pop("later") == 1
        if not later["context"]:
            del later["context"]
        assert later == once

    def test_is_told_from_others_by_its_bytes(self, daemon, path):
        create(daemon, path)
        body = b'{"key":"a","value":1}'
        head = f"POST {path}/attributes HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\nIdempotency-Key: ".encode()
        with daemon.wire() as wire:
            for number, key in [(2, b"\xff"), (3, b"\xfe"), (4, "\ufffd".encode()), (2, b"\xff"), (5, b"\xff" * 64)]:
                check_written(wire.exchange(head + key + b"\r\n\r\n" + body), number)
            assert wire.exchange(head + b"\xff" * 65 + b"\r\n\r\n" + body).status == 400

    def test_covers_creation(self, daemon, path):
        headers = {"Idempotency-Key": "key-1"}
        create(daemon, path, headers=headers)
        create(daemon, path, headers=headers)
        check_written(daemon.request("POST", path + "/attributes", {"key": "a", "value": 1}), 2)
        create(daemon, path, headers=headers)
        assert version(daemon, path) == 2

    def test_covers_the_end(self, daemon, path):
        create(daemon, path)
        headers = {"Idempotency-Key": "bye"}
        assert daemon.request("DELETE", path, headers=headers).status == 204
        assert daemon.request("DELETE", path, headers=headers).status == 204
        assert daemon.request("DELETE", path).status == 410

    def test_answers_422_for_another_request(self, daemon, session, path):
        create(daemon, path)
        headers = {"Idempotency-Key": "key-1"}
        check_written(daemon.request("POST", path + "/attributes", {"key": "a", "value": 1}, headers=headers), 2)
        for method, suffix, document in [
            ("POST", "/attributes", {"key": "a", "value": 2}),
            ("POST", "/attributes", {"key": "b", "value": 1}),
            ("PUT", "", {"metadata": {"version": 2}}),
            ("DELETE", "/attributes/a", None),
            ("DELETE", "", None),
        ]:
            answer = daemon.request(method, path + suffix, document, headers=headers)
            assert answer.status == 422, answer
            body = answer.json()
            assert (body["code"], body["sessionId"]) == (422, session)
        assert version(daemon, path) == 2

    def test_answers_422_for_the_same_on_another_attribute(self, daemon, path):
        create(daemon, path)
        for version, name in ((2, "a"), (3, "b")):
            check_written(daemon.request("POST", path + "/attributes", {"key": name, "value": 1}), version)
        headers = {"Idempotency-Key": "key-1"}
        check_written(daemon.request("DELETE", path + "/attributes/a", headers=headers), 4)
        assert daemon.request("DELETE", path + "/attributes/b", headers=headers).status == 422
        check_written(daemon.request("DELETE", path + "/attributes/a", headers=headers), 4)
        assert fields(daemon, path)["context"]["b"] == 1

    def test_is_a_sessions_own(self, daemon, session, path):
        other = path_of(session + "-other")
        headers = {"Idempotency-Key": "key-1"}
        create(daemon, path, {"siteCode": "a"}, headers=headers)
        create(daemon, other, {"siteCode": "b"}, headers=headers)
        assert fields(daemon, other) == {"siteCode": "b"}

    def test_does_not_keep_refusals(self, daemon, session, path):
        headers = {"Idempotency-Key": "key-1"}
        attribute = {"key": "a", "value": 1}
        check_not_found(daemon.request("POST", path + "/attributes", attribute, headers=headers), session)
        create(daemon, path)
        check_written(daemon.request("POST", path + "/attributes", attribute, headers=headers), 2)

    def test_reaches_back_32_events(self, daemon, path):
        create(daemon, path)
        headers = {"Idempotency-Key": "key-1"}

        def keyed():
            return daemon.request("POST", path + "/attributes", {"key": "a", "value": 1}, headers=headers)

        def other(number):
            check_written(daemon.request("POST", path + "/attributes", {"key": "b", "value": number}), number)

        check_written(keyed(), 2)
        for number in range(3, 34):
            other(number)
        check_written(keyed(), 2)
        other(34)
        check_written(keyed(), 35)

    def test_is_at_most_64_bytes_long(self, daemon, path):
        create(daemon, path)
        attribute = {"key": "a", "value": 1}
        answer = daemon.request("POST", path + "/attributes", attribute, headers={"Idempotency-Key": "k" * 64})
        check_written(answer, 2)
        answer = daemon.request("POST", path + "/attributes", attribute, headers={"Idempotency-Key": "k" * 65})
        assert answer.status == 400
        assert version(daemon, path) == 2

    def test_survives_a_restart(self, new_daemon, path):
        daemon = new_daemon().start()
        create(daemon, path)
        headers = {"Idempotency-Key": "key-1"}
        check_written(daemon.request("POST", path + "/attributes", {"key": "a", "value": 1}, headers=headers), 2)
        daemon.restart()
        check_written(daemon.request("POST", path + "/attributes", {"key": "a", "value": 1}, headers=headers), 2)
        assert version(daemon, path) == 2


class TestRepeatedRequest:
    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_of_a_lost_answer_appends_nothing(self, daemon, path, method):
        create(daemon, path)
        document = {"siteCode": "us", "metadata": {"version": 1}}
        check_written(daemon.request(method, path, document), 2)
        modified = read(daemon, path)["metadata"]["modifiedAt"]
        for _ in range(2):
            check_written(daemon.request(method, path, document), 2)
        assert read(daemon, path)["metadata"] == read(daemon, path)["metadata"] | {"version": 2, "modifiedAt": modified}

    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_with_if_match_appends_nothing_either(self, daemon, path, method):
        create(daemon, path)
        for _ in range(2):
            check_written(daemon.request(method, path, {"siteCode": "us"}, headers={"If-Match": '"1"'}), 2)
        assert version(daemon, path) == 2

    def test_of_another_body_conflicts(self, daemon, session, path):
        create(daemon, path)
        check_written(daemon.request("PUT", path, {"siteCode": "us", "metadata": {"version": 1}}), 2)
        answer = daemon.request("PUT", path, {"siteCode": "uk", "metadata": {"version": 1}})
        check_conflict(answer, session, sent=1, current=2)

    def test_of_another_method_conflicts(self, daemon, session, path):
        create(daemon, path)
        document = {"siteCode": "us", "metadata": {"version": 1}}
        check_written(daemon.request("PUT", path, document), 2)
        check_conflict(daemon.request("PATCH", path, document), session, sent=1, current=2)

    def test_after_another_change_conflicts(self, daemon, session, path):
        create(daemon, path)
        document = {"siteCode": "us", "metadata": {"version": 1}}
        check_written(daemon.request("PUT", path, document), 2)
        check_written(daemon.request("POST", path + "/attributes", {"key": "a", "value": 1}), 3)
        check_conflict(daemon.request("PUT", path, document), session, sent=1, current=3)

    def test_of_a_creation_appends_nothing(self, daemon, path):
        create(daemon, path)
        create(daemon, path)
        assert version(daemon, path) == 1

    def test_of_an_attribute_is_a_change_of_its_own(self, daemon, path):
        create(daemon, path)
        for number in (2, 3):
            check_written(daemon.request("POST", path + "/attributes", {"key": "a", "value": 1}), number)


# What is refused


class TestBody:
    @pytest.mark.parametrize(
        "name", ["customerId", "siteCode", "currency", "cartId", "targetLocation", "language", "sessionId"]
    )
    @pytest.mark.parametrize("value", [5, True, {}, ["EUR"], ""], ids=str)
    def test_with_a_field_of_the_wrong_type_is_refused(self, daemon, session, path, name, value):
        check_invalid(daemon.request("PUT", path + "?upsert=true", {name: value}), name)
        check_not_found(daemon.request("GET", path), session)

    @pytest.mark.parametrize("name", ["context", "metadata"])
    @pytest.mark.parametrize("value", [5, True, "text", []], ids=str)
    def test_with_an_object_of_the_wrong_type_is_refused(self, daemon, path, name, value):
        check_invalid(daemon.request("PUT", path + "?upsert=true", {name: value}), name)

    @pytest.mark.parametrize("value", ["1", 1.5, -1, True, [], 1e30, 9223372036854775808], ids=str)
    def test_with_an_impossible_version_is_refused(self, daemon, path, value):
        create(daemon, path)
        check_invalid(daemon.request("PUT", path, {"metadata": {"version": value}}), "metadata.version")
        assert version(daemon, path) == 1

    @pytest.mark.parametrize(
        "name, value",
        [
            ("currency", "EURO"),
            ("currency", "E1R"),
            ("currency", "E"),
            ("targetLocation", "DEU"),
            ("targetLocation", "D1"),
            ("language", "d"),
            ("language", "de DE"),
            ("siteCode", "x" * 201),
            ("cartId", "é" * 101),
            ("customerId", "a\u0000b"),
            ("siteCode", "a\nb"),
        ],
    )
    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_with_a_bad_form_is_refused(self, daemon, path, method, name, value):
        create(daemon, path)
        check_invalid(daemon.request(method, path, {name: value, "metadata": {"version": 1}}), name)
        assert fields(daemon, path) == FULL

    @pytest.mark.parametrize(
        "name, value",
        [
            ("currency", "eur"),
            ("targetLocation", "de"),
            ("language", "DE"),
            ("language", "de_DE"),
            ("language", "zh-Hans-CN"),
            ("siteCode", "x" * 200),
            ("siteCode", "ä b/c"),
            ("cartId", "é" * 100),
        ],
    )
    def test_with_an_unusual_form_is_kept_as_it_is(self, daemon, path, name, value):
        create(daemon, path, {name: value})
        assert fields(daemon, path) == {name: value}

    def test_lists_all_that_is_wrong(self, daemon, path):
        answer = daemon.request("PUT", path + "?upsert=true", {"currency": 1, "language": [], "siteCode": "ok"})
        check_invalid(answer, "currency")
        check_invalid(answer, "language")
        assert len(answer.json()["details"]) == 2

    def test_tells_values_apart_byte_by_byte(self, daemon, path):
        create(daemon, path, {"siteCode": "\u00e9"})
        check_written(daemon.request("PATCH", path, {"siteCode": "e\u0301", "metadata": {"version": 1}}), 2)
        assert fields(daemon, path) == {"siteCode": "e\u0301"}
        check_written(daemon.request("PUT", path, {"siteCode": "\u00e9", "metadata": {"version": 2}}), 3)
        assert fields(daemon, path) == {"siteCode": "\u00e9"}

    def test_may_repeat_the_session_id_and_no_other(self, daemon, session, path):
        create(daemon, path, {"sessionId": session})
        answer = daemon.request("PUT", path, {"sessionId": session + "x", "metadata": {"version": 1}})
        check_invalid(answer, "sessionId")
        assert version(daemon, path) == 1

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" ",
            b"{",
            b"{}}",
            b"[]",
            b"null",
            b'"text"',
            b"{'a':1}",
            b'{"a":1,}',
            b'{"a":01}',
            b'{"a":+1}',
            b'{"a":1.}',
            b'{"a":NaN}',
            b'{"a":"\x01"}',
            b'{"a":"\\x"}',
            b'{"a":"\\ud800"}',
            b'{"a" 1}',
            b"{a:1}",
            b'{"a":1}//',
            b'\xef\xbb\xbf{"a":1}',
            b'{"a":tru}',
            b'\x00{"a":1}',
            b'{"a":1}\x00',
        ],
    )
    def test_that_is_no_json_object_is_refused(self, daemon, session, path, body):
        check_invalid(daemon.request("PUT", path + "?upsert=true", body=body))
        check_not_found(daemon.request("GET", path), session)

    @pytest.mark.parametrize(
        "bad", [b"\xff", b"\xc3\x28", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"]
    )
    def test_in_invalid_utf8_is_refused(self, daemon, path, bad):
        check_invalid(daemon.request("PUT", path + "?upsert=true", body=b'{"siteCode":"' + bad + b'"}'), "UTF-8")
        check_invalid(daemon.request("PUT", path + "?upsert=true", body=b'{"context":{"a":"' + bad + b'"}}'), "UTF-8")

    @pytest.mark.parametrize(
        "body, name",
        [
            (b'{"siteCode":"a","siteCode":"a"}', "siteCode"),
            (b'{"siteCode":"a","siteC\\u006fde":"b"}', "siteCode"),
            (b'{"unknown":1,"unknown":2}', "unknown"),
            (b'{"context":{"a":1,"a":2}}', "a"),
            (b'{"context":{},"context":{}}', "context"),
            (b'{"context":{"a":{"b":{"c":1,"c":1}}}}', "c"),
            (b'{"metadata":{"version":1,"version":1}}', "version"),
            (b'{"context":{"\xc3\xa9":1,"\\u00e9":2}}', "é"),
        ],
    )
    def test_with_a_name_twice_is_refused(self, daemon, path, body, name):
        check_invalid(daemon.request("PUT", path + "?upsert=true", body=body), name)

    def test_nests_32_levels_deep_at_most(self, daemon, session, path):
        def body(levels: int) -> bytes:
            return b'{"context":{"a":' + b"[" * (levels - 2) + b"]" * (levels - 2) + b"}}"

        check_invalid(daemon.request("PUT", path + "?upsert=true", body=body(33)), "context")
        check_invalid(daemon.request("PUT", path + "?upsert=true", body=b'{"x":' + b"[" * 9000 + b"]" * 9000 + b"}"))
        check_not_found(daemon.request("GET", path), session)
        check_written(daemon.request("PUT", path + "?upsert=true", body=body(32)), 1)


class TestLimits:
    def test_a_body_has_64_kibibytes_at_most(self, daemon, path):
        filling = {f"a{index}": "x" * 15000 for index in range(4)}
        document = {"context": {**filling, "rest": ""}}
        missing = 65536 - len(json.dumps(document, separators=(",", ":")))
        document["context"]["rest"] = "y" * missing
        create(daemon, path, document)
        document["context"]["rest"] += "y"
        check_error(daemon.request("PUT", path + "?upsert=true", document), 413)
        assert len(fields(daemon, path)["context"]["rest"]) == missing

    def test_a_chunked_body_has_64_kibibytes_at_most(self, daemon, path):
        with daemon.wire() as wire:
            wire.send(
                f"PUT {path}?upsert=true HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                "Transfer-Encoding: chunked\r\n\r\n".encode()
            )
            wire.send(b"8000\r\n" + b" " * 0x8000 + b"\r\n8000\r\n" + b" " * 0x8000 + b"\r\n1\r\n \r\n0\r\n\r\n")
            check_error(wire.read(), 413)

    def test_an_attribute_value_has_16_kibibytes_at_most(self, daemon, path):
        create(daemon, path, {})
        fits = "x" * (16 * 1024 - 2)
        check_written(daemon.request("POST", path + "/attributes", {"key": "a", "value": fits}), 2)
        check_invalid(daemon.request("POST", path + "/attributes", {"key": "a", "value": fits + "x"}), "value")
        document = {"context": {"long": fits + "x"}, "metadata": {"version": 2}}
        check_invalid(daemon.request("PUT", path, document), "context.long")
        assert fields(daemon, path)["context"] == {"a": fits}

    def test_a_session_has_100_attributes_at_most(self, daemon, path):
        context = {f"a{index}": index for index in range(100)}
        check_invalid(daemon.request("PUT", path + "?upsert=true", {"context": {**context, "more": 1}}), "context")
        create(daemon, path, {"context": context})
        answer = daemon.request("POST", path + "/attributes", {"key": "more", "value": 1})
        assert answer.status == 400, answer
        check_written(daemon.request("POST", path + "/attributes", {"key": "a7", "value": "new"}), 2)
        check_written(daemon.request("DELETE", path + "/attributes/a8"), 3)
        check_written(daemon.request("POST", path + "/attributes", {"key": "more", "value": 1}), 4)

    def test_a_target_that_is_too_long_is_refused(self, daemon):
        for target in (path_of("x" * 40000), path_of("x") + "?q=" + "y" * 40000):
            with daemon.wire() as wire:
                answer = wire.exchange(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                assert answer.status in (414, 431), answer
                assert answer.closes

    def test_a_header_that_is_too_large_is_refused(self, daemon, path):
        for lines in ("X-Long: " + "y" * 40000 + "\r\n", "X-Many: y\r\n" * 4000):
            with daemon.wire() as wire:
                answer = wire.exchange(f"GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
                assert answer.status == 431, answer
                assert answer.closes


class TestContentType:
    @pytest.mark.parametrize(
        "value",
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx"],
    )
    def test_other_than_json_is_refused(self, daemon, session, path, value):
        create(daemon, path)
        for method, target in (("PUT", path + "?upsert=true"), ("PATCH", path), ("POST", path + "/attributes")):
            answer = daemon.request(method, target, body=b'{"key":"a","value":1}', headers={"Content-Type": value})
            check_error(answer, 415)
        assert version(daemon, path) == 1

    @pytest.mark.parametrize(
        "value", ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]
    )
    def test_json_is_accepted(self, daemon, path, value):
        create(daemon, path, headers={"Content-Type": value})


class TestNames:
    @pytest.mark.parametrize("tenant", ["abc", "a1b", "a" * 16, "acme2"])
    def test_of_tenants(self, daemon, session, tenant):
        create(daemon, path_of(session, tenant=tenant))

    @pytest.mark.parametrize(
        "tenant",
        ["ab", "a" * 17, "Acme", "ACME", "1acme", "ac-me", "ac_me", "ac.me", "ac%20me", "%61cme%00", "ac%2Fme", "äcme"],
    )
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_of_tenants_that_are_refused(self, daemon, session, tenant, method):
        target = path_of(session, tenant=tenant.replace("ä", "%C3%A4"), query="upsert=true")
        check_invalid(daemon.request(method, target, FULL if method == "PUT" else None), "tenant")

    @pytest.mark.parametrize(
        "name", ["x", "a b", "a/b", "a%b", "ümläut", "😀", "a+b", "a;b=c", "..", "a?b#c", "9" * 200, "é" * 100]
    )
    def test_of_sessions(self, daemon, session, name):
        name = (session + name) if len(name) < 100 else name
        create(daemon, path_of(name))
        assert read(daemon, path_of(name))["sessionId"] == name

    @pytest.mark.parametrize(
        "name", ["", "a" * 201, "%C3%A9" * 101, "a%00", "a%0A", "a%1f", "a%7F", "a%ff", "a%", "a%4", "a%gg"]
    )
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_of_sessions_that_are_refused(self, daemon, name, method):
        target = f"/session-context/acme/context/{name}?upsert=true"
        check_invalid(daemon.request(method, target, FULL if method == "PUT" else None), "sessionId")

    def test_of_sessions_are_equal_however_they_are_encoded(self, daemon, session):
        create(daemon, path_of(session))
        encoded = "".join(f"%{byte:02{'xX'[index % 2]}}" for index, byte in enumerate(session.encode()))
        assert read(daemon, f"/session-context/acme/context/{encoded}")["sessionId"] == session

    def test_of_sessions_are_told_apart_byte_by_byte(self, daemon, session):
        composed, decomposed = session + "\u00e9", session + "e\u0301"
        create(daemon, path_of(composed), {"siteCode": "composed"})
        check_not_found(daemon.request("GET", path_of(decomposed)), decomposed)
        create(daemon, path_of(decomposed), {"siteCode": "decomposed"})
        assert fields(daemon, path_of(composed)) == {"siteCode": "composed"}
        assert fields(daemon, path_of(decomposed)) == {"siteCode": "decomposed"}
        answer = daemon.request("PUT", path_of(composed), {"sessionId": decomposed, "metadata": {"version": 1}})
        check_invalid(answer, "sessionId")

    def test_of_attributes_are_told_apart_byte_by_byte(self, daemon, session, path):
        both = {"\u00e9": 1, "e\u0301": 2}
        create(daemon, path, {"context": both})
        check_written(daemon.request("POST", path + "/attributes", {"key": "e\u0301", "value": 3}), 2)
        assert fields(daemon, path) == {"context": {"\u00e9": 1, "e\u0301": 3}}
        check_written(daemon.request("DELETE", path_of(session, "attributes", "e\u0301")), 3)
        assert fields(daemon, path) == {"context": {"\u00e9": 1}}

    def test_of_sessions_are_case_sensitive(self, daemon, session, path):
        create(daemon, path)
        check_not_found(daemon.request("GET", path_of(session.upper())), session.upper())


class TestTenants:
    def test_do_not_see_each_others_sessions(self, daemon, session):
        acme, other = path_of(session), path_of(session, tenant="other")
        create(daemon, acme, {"siteCode": "acme"})
        check_not_found(daemon.request("GET", other), session)
        check_not_found(daemon.request("PATCH", other, {"metadata": {"version": 1}}), session)
        create(daemon, other, {"siteCode": "other"})
        check_written(daemon.request("PATCH", other, {"language": "de", "metadata": {"version": 1}}), 2)
        assert (version(daemon, acme), fields(daemon, acme)) == (1, {"siteCode": "acme"})
        assert daemon.request("DELETE", acme).status == 204
        assert fields(daemon, other) == {"siteCode": "other", "language": "de"}

    def test_whose_name_begins_with_anothers_are_apart(self, daemon, session):
        create(daemon, path_of(session, tenant="abc"), {"siteCode": "short"})
        check_not_found(daemon.request("GET", path_of(session, tenant="abcd")), session)


# Methods and paths


class TestQuery:
    @pytest.mark.parametrize("query", ["upsert=true", "x=1&upsert=true", "upsert=%74rue", "upsert=true&y"])
    def test_upsert_is_found(self, daemon, session, query):
        check_written(daemon.request("PUT", path_of(session, query=query), FULL), 1)

    @pytest.mark.parametrize("query", ["upsert", "upsert=", "upsert=1", "upsert=TRUE", "upsert=yes"])
    def test_upsert_is_true_or_false(self, daemon, session, query):
        check_invalid(daemon.request("PUT", path_of(session, query=query), FULL), "upsert")
        check_not_found(daemon.request("GET", path_of(session)), session)

    def test_others_are_ignored(self, daemon, session, path):
        create(daemon, path)
        assert daemon.request("GET", path + "?siteCode=main&x").status == 200


class TestMethods:
    ROUTES = [
        ("", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
        ("/attributes", {"POST"}),
        ("/attributes/a", {"DELETE"}),
    ]

    METHODS = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "TRACE", "PROPFIND", "get"]

    @pytest.mark.parametrize(
        "method, suffix, allowed",
        [(method, *route) for method, route in itertools.product(METHODS, ROUTES) if method not in route[1]],
    )
    def test_that_a_path_does_not_have_answer_405(self, daemon, path, method, suffix, allowed):
        answer = daemon.request(method, path + suffix, {} if method in ("PUT", "PATCH", "POST") else None)
        assert answer.status == 405, answer
        assert {name.strip() for name in answer.headers["allow"].split(",")} == allowed | {"OPTIONS"}
        if method != "HEAD":
            assert answer.json()["code"] == 405

    @pytest.mark.parametrize(
        "target",
        [
            "/",
            "/session-context",
            "/session-context/acme",
            "/session-context/acme/nothing",
            "/context/x",
            "/favicon.ico",
            "/session-context/acme/context/x/attributes/a/b",
            "/session-context/acme/context/x/nothing",
            "/session-context/acme/context",
            "//session-context/acme/context/x",
        ],
    )
    def test_of_unknown_paths_answer_404(self, daemon, target):
        answer = daemon.request("GET", target)
        assert answer.status == 404, answer
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["code"] == 404


class TestOptions:
    PREFLIGHT = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type",
    }

    @pytest.mark.parametrize("suffix, allowed", TestMethods.ROUTES)
    def test_answers_without_a_body(self, daemon, path, suffix, allowed):
        answer = daemon.request("OPTIONS", path + suffix)
        assert (answer.status, answer.body) == (204, b""), answer
        assert {name.strip() for name in answer.headers["allow"].split(",")} == allowed | {"OPTIONS"}

    def test_allows_no_origin_by_default(self, daemon, path):
        for method in ("OPTIONS", "GET"):
            answer = daemon.request(method, path, headers=self.PREFLIGHT)
            assert not [name for name in answer.headers if name.startswith("access-control-")], answer

    def test_answers_preflights_of_allowed_origins(self, new_daemon, path):
        daemon = new_daemon(config={"corsOrigins": ["https://shop.example"]}).start()
        answer = daemon.request("OPTIONS", path, headers=self.PREFLIGHT)
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert "PUT" in answer.headers["access-control-allow-methods"]
        allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
        assert allowed >= {
            "authorization", "content-type", "saas-token", "if-match", "if-none-match", "idempotency-key",
            "accept-language", "content-language", "session-id", "emporix-tenant",
        }  # fmt: skip
        create(daemon, path)
        answer = daemon.request("GET", path, headers={"Origin": "https://shop.example"})
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert "etag" in answer.headers["access-control-expose-headers"].lower()
        assert "origin" in answer.headers["vary"].lower()
        other = daemon.request("OPTIONS", path, headers={**self.PREFLIGHT, "Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


class TestConflictStatus:
    def test_can_be_the_one_of_the_original(self, new_daemon, session, path):
        daemon = new_daemon(config={"conflictStatus": 404}).start()
        create(daemon, path)
        answer = daemon.request("PUT", path, {"metadata": {"version": 4}})
        body = answer.json()
        assert answer.status == 404
        assert body["code"] == 404
        assert body["message"] == f"The context with sessionId {session} and version 4 has not been found."
        assert body["sessionId"] == session
