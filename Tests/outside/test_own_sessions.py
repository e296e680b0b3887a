"""The `/me` side as storefronts use it: with a visitor's or a customer's token, which carries the session's id."""

from __future__ import annotations

import json

import pytest
from callers import KeyFile, bearer, check_forbidden, token_daemon
from daemon import Daemon, own_path_of, path_of
from test_management import check_conflict, check_error, check_invalid, check_not_found, check_written
from tokens import Issuer

ISSUER = Issuer()
DOCUMENT = {
    "siteCode": "main",
    "currency": "EUR",
    "cartId": "61079711ce0eb90861357045",
    "targetLocation": "DE",
    "language": "de-DE",
    "context": {"channel": "web", "steps": [1, 2]},
}


def start(directory, **config) -> Daemon:
    return token_daemon(directory, KeyFile(ISSUER, directory / "jwks.json"), **config).start()


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Daemon:
    daemon = start(tmp_path_factory.mktemp("shop"))
    yield daemon
    status = daemon.terminate()
    assert status == 0, f"it ended with status {status}\n{daemon.stderr}"


@pytest.fixture(scope="module")
def creating(tmp_path_factory) -> Daemon:
    """A daemon with `autoCreate`."""
    daemon = start(tmp_path_factory.mktemp("creating"), autoCreate=True)
    yield daemon
    status = daemon.terminate()
    assert status == 0, f"it ended with status {status}\n{daemon.stderr}"


class Browser:
    """A storefront in a browser: knows its token and nothing else."""

    def __init__(self, daemon: Daemon, session: str, token: str | None = None):
        self.daemon = daemon
        self.session = session
        self.token = token or ISSUER.anonymous(session)

    def request(self, method: str, *parts: str, json=None, query: str = "", body: bytes | None = None, **headers: str):
        sent = bearer(self.token, **headers)
        return self.daemon.request(method, own_path_of(*parts, query=query), json, headers=sent, body=body)

    def document(self) -> dict:
        answer = self.request("GET")
        assert answer.status == 200, answer
        return answer.json()

    def fields(self) -> dict:
        document = self.document()
        assert document.pop("sessionId") == self.session
        del document["metadata"]
        return document

    def version(self) -> int:
        return self.document()["metadata"]["version"]

    def managed(self, method: str = "GET", document=None, query: str = "", **headers: str):
        """What a back office gets to the same session."""
        headers = bearer(ISSUER.service(), **headers)
        return self.daemon.request(method, path_of(self.session, query=query), document, headers=headers)


@pytest.fixture
def browser(shop, session) -> Browser:
    """A browser whose session the shop has begun."""
    browser = Browser(shop, session)
    check_written(browser.managed("PUT", DOCUMENT, "upsert=true"), 1)
    return browser


@pytest.fixture(params=["anonymous", "customer"])
def anyone(request, browser) -> Browser:
    """The same with a token of each kind."""
    if request.param == "customer":
        browser.token = ISSUER.customer("c1", browser.session)
    return browser


class TestGet:
    def test_answers_what_the_back_office_sees(self, anyone):
        own, managed = anyone.request("GET"), anyone.managed()
        assert (own.status, own.body) == (200, managed.body)
        assert own.headers["content-type"] == "application/json"
        assert own.headers["etag"] == managed.headers["etag"] == '"1"'
        assert anyone.fields() == DOCUMENT

    def test_knows_etags(self, anyone):
        for method in ("GET", "HEAD"):
            answer = anyone.request(method, If_None_Match='"1"')
            assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", '"1"')
            assert anyone.request(method, If_None_Match='"2"').status == 200

    def test_head_is_a_get_without_the_body(self, anyone):
        get, head = anyone.request("GET"), anyone.request("HEAD")
        for answer in (get, head):
            del answer.headers["date"]
        assert (head.status, head.body, head.headers) == (200, b"", get.headers)

    def test_takes_the_session_from_the_token_alone(self, shop, browser):
        other = Browser(shop, browser.session + "-other")
        for headers in ({"session_id": browser.session}, {"Cookie": f"session-id={browser.session}"}):
            check_not_found(other.request("GET", **headers), other.session)
        check_not_found(other.request("GET", query=f"sessionId={browser.session}"), other.session)

    def test_in_another_tenant_is_forbidden(self, shop, browser):
        target = own_path_of(tenant="other")
        check_forbidden(shop.request("GET", target, headers=bearer(browser.token)))


class TestWithoutASession:
    def test_every_operation_answers_404(self, shop, session):
        browser = Browser(shop, session)
        for method, parts, document in [
            ("GET", (), None),
            ("PATCH", (), {"language": "de", "metadata": {"version": 1}}),
            ("PATCH", (), {"language": "de"}),
            ("DELETE", (), None),
            ("POST", ("attributes",), {"key": "a", "value": 1}),
            ("DELETE", ("attributes", "a"), None),
        ]:
            check_not_found(browser.request(method, *parts, json=document), session)
            check_not_found(browser.request(method, *parts, json=document, query="upsert=true"), session)
        check_not_found(browser.managed(), session)


class TestPatch:
    def test_changes_its_five_fields(self, anyone):
        changes = {"siteCode": "us", "currency": "USD", "targetLocation": "US", "language": "en", "context": {"b": 2}}
        check_written(anyone.request("PATCH", json=changes | {"metadata": {"version": 1}}), 2)
        assert anyone.fields() == changes | {"cartId": DOCUMENT["cartId"]}

    def test_keeps_what_is_not_sent(self, anyone):
        check_written(anyone.request("PATCH", json={"currency": "USD", "metadata": {"version": 1}}), 2)
        assert anyone.fields() == DOCUMENT | {"currency": "USD"}

    @pytest.mark.parametrize("field", ["siteCode", "currency", "targetLocation", "language", "context"])
    def test_clears_what_is_null(self, anyone, field):
        check_written(anyone.request("PATCH", json={field: None, "metadata": {"version": 1}}), 2)
        assert anyone.fields() == {name: value for name, value in DOCUMENT.items() if name != field}

    @pytest.mark.parametrize("context", [{"new": 1}, {"channel": "app"}, {}], ids=str)
    def test_replaces_the_whole_context(self, anyone, context):
        check_written(anyone.request("PATCH", json={"context": context, "metadata": {"version": 1}}), 2)
        assert anyone.fields().get("context", {}) == context

    def test_keeps_the_context_byte_for_byte(self, browser):
        raw = b'{"z": 1.0, "a":[ 1e2 ,{"\xc3\xa9":"\\u00e9"} ]}'
        check_written(browser.request("PATCH", body=b'{"metadata":{"version":1},"context":' + raw + b"}"), 2)
        assert b'"z":1.0,"a":[ 1e2 ,{"\xc3\xa9":"\\u00e9"} ]' in browser.request("GET").body

    @pytest.mark.parametrize(
        "foreign",
        [
            {"cartId": "other"},
            {"cartId": None},
            {"customerId": "someone"},
            {"customerId": None},
            {"sessionId": "another-session"},
            {"tenant": "other", "yrn": "x", "id": 5, "Currency": 9},
            {"metadata": {"version": 1, "createdAt": 5, "modifiedAt": "never", "mixins": {}}},
        ],
        ids=str,
    )
    def test_ignores_what_is_not_its_own(self, anyone, foreign):
        before = anyone.document()
        body = {"language": "fr", "metadata": {"version": 1}} | foreign
        check_written(anyone.request("PATCH", json=body), 2)
        after = anyone.document()
        assert after["metadata"].pop("modifiedAt") >= before["metadata"].pop("modifiedAt")
        assert after == before | {"language": "fr", "metadata": before["metadata"] | {"version": 2}}

    def test_does_not_take_a_customers_session_away(self, shop, session):
        browser = Browser(shop, session)
        saas = ISSUER.customer("c1")
        check_written(browser.managed("PUT", DOCUMENT | {"customerId": "c1"}, "upsert=true", saas_token=saas), 1)
        for version, customer in ((1, None), (2, "c2")):
            body = {"customerId": customer, "cartId": None, "metadata": {"version": version}}
            check_written(browser.request("PATCH", json=body), version + 1)
        assert browser.fields() == DOCUMENT | {"customerId": "c1"}

    @pytest.mark.parametrize("query", ["", "upsert=true", "upsert=false", "siteCode=main&upsert=true"])
    def test_takes_the_whole_document_of_a_get(self, anyone, query):
        document = anyone.document() | {"language": "fr"}
        check_written(anyone.request("PATCH", json=document, query=query), 2)
        assert anyone.fields() == DOCUMENT | {"language": "fr"}

    @pytest.mark.parametrize(
        "metadata", [{}, {"metadata": {}}, {"metadata": None}, {"metadata": {"version": None}}], ids=str
    )
    @pytest.mark.parametrize("query", ["", "upsert=true"])
    def test_needs_a_version(self, anyone, metadata, query):
        check_invalid(anyone.request("PATCH", json={"language": "fr"} | metadata, query=query), "version")
        assert anyone.fields() == DOCUMENT

    def test_takes_if_match_for_the_version(self, anyone):
        for value, language, status in (('"2"', "aa", 412), ('"1"', "bb", 204), ('"1"', "cc", 412), ("*", "dd", 204)):
            answer = anyone.request("PATCH", json={"language": language}, If_Match=value)
            assert answer.status == status, answer
        assert (anyone.version(), anyone.fields()["language"]) == (3, "dd")

    def test_with_another_version_conflicts(self, anyone):
        for sent in (0, 2, 99):
            answer = anyone.request("PATCH", json={"language": "fr", "metadata": {"version": sent}})
            check_conflict(answer, anyone.session, sent=sent, current=1)
        assert anyone.fields() == DOCUMENT

    def test_with_a_failing_if_match_says_the_version(self, anyone):
        answer = anyone.request("PATCH", json={"language": "fr"}, If_Match='"9"')
        check_error(answer, 412, session=anyone.session, currentVersion=1)

    @pytest.mark.parametrize(
        "body, name",
        [
            ({"currency": "EURO"}, "currency"),
            ({"targetLocation": "DEU"}, "targetLocation"),
            ({"language": 5}, "language"),
            ({"siteCode": ""}, "siteCode"),
            ({"context": []}, "context"),
            ({"metadata": {"version": "1"}}, "metadata.version"),
        ],
        ids=str,
    )
    def test_that_is_wrong_is_refused(self, anyone, body, name):
        check_invalid(anyone.request("PATCH", json={"metadata": {"version": 1}} | body), name)
        assert anyone.version() == 1

    def test_of_another_type_is_refused(self, anyone):
        check_error(anyone.request("PATCH", body=b"{}", Content_Type="text/plain"), 415)


class TestAttributes:
    @pytest.mark.parametrize("name", ["a", "two words", 'quo"te\\', "größe/1", "😀", "\u2028", "x" * 200])
    def test_are_added_with_their_name_as_answer(self, anyone, name):
        answer = anyone.request("POST", "attributes", json={"key": name, "value": {"x": [None]}})
        assert (answer.status, answer.headers["etag"]) == (201, '"2"'), answer
        assert answer.headers["content-type"] == "application/json"
        assert json.loads(answer.body) == name
        assert anyone.fields() == DOCUMENT | {"context": DOCUMENT["context"] | {name: {"x": [None]}}}

    def test_have_the_plain_name_as_answer(self, anyone):
        assert anyone.request("POST", "attributes", json={"key": "a", "value": 1}).body == b'"a"'

    def test_are_overwritten_without_a_version(self, anyone):
        for number in range(3):
            answer = anyone.request("POST", "attributes", json={"key": "channel", "value": number})
            assert (answer.status, answer.headers["etag"], answer.body) == (201, f'"{number + 2}"', b'"channel"')
        assert anyone.fields()["context"] == {"channel": 2, "steps": [1, 2]}

    def test_are_removed(self, anyone):
        check_written(anyone.request("DELETE", "attributes", "channel"), 2)
        check_written(anyone.request("DELETE", "attributes", "steps"), 3)
        assert "context" not in anyone.document()

    @pytest.mark.parametrize("name", ["two words", "a/b", "a%2Fb", "größe", "a+b"])
    def test_are_removed_by_any_name(self, browser, name):
        assert browser.request("POST", "attributes", json={"key": name, "value": 1}).status == 201
        check_written(browser.request("DELETE", "attributes", name), 3)
        assert browser.fields() == DOCUMENT

    def test_that_are_missing_answer_404(self, anyone):
        answer = anyone.request("DELETE", "attributes", "nothing")
        body = answer.json()
        assert (answer.status, body["code"], body["sessionId"]) == (404, 404, anyone.session)
        assert body["message"] != "Session not found"
        assert anyone.version() == 1

    @pytest.mark.parametrize(
        "body", [{}, {"key": "a"}, {"value": 1}, {"key": "", "value": 1}, {"key": 5, "value": 1}], ids=str
    )
    def test_that_are_wrong_are_refused(self, anyone, body):
        check_invalid(anyone.request("POST", "attributes", json=body))
        assert anyone.version() == 1


class TestLogout:
    def test_ends_the_session(self, anyone):
        check_written(anyone.request("DELETE"), 2)
        check_not_found(anyone.request("GET"), anyone.session)
        check_not_found(anyone.managed(), anyone.session)

    def test_can_not_be_undone(self, anyone):
        check_written(anyone.request("DELETE"), 2)
        for method, parts, document in [
            ("PATCH", (), {"language": "fr", "metadata": {"version": 1}}),
            ("POST", ("attributes",), {"key": "a", "value": 1}),
            ("DELETE", ("attributes", "channel"), None),
            ("DELETE", (), None),
        ]:
            check_error(anyone.request(method, *parts, json=document), 410, session=anyone.session)
        check_error(anyone.managed("PUT", DOCUMENT, "upsert=true"), 410, session=anyone.session)
        check_not_found(anyone.request("GET"), anyone.session)

    def test_of_an_older_version_is_refused(self, anyone):
        check_error(anyone.request("DELETE", If_Match='"7"'), 412, session=anyone.session, currentVersion=1)
        check_written(anyone.request("DELETE", If_Match='"1"'), 2)

    def test_leaves_other_sessions_alone(self, shop, browser):
        other = Browser(shop, browser.session + "-other", ISSUER.customer("c1", browser.session + "-other"))
        check_written(other.managed("PUT", DOCUMENT, "upsert=true"), 1)
        check_written(browser.request("DELETE"), 2)
        assert other.fields() == DOCUMENT


class TestMethods:
    @pytest.mark.parametrize(
        "parts, allowed",
        [
            ((), {"GET", "HEAD", "PATCH", "DELETE"}),
            (("attributes",), {"POST"}),
            (("attributes", "a"), {"DELETE"}),
        ],
    )
    def test_that_are_not_there_answer_405(self, browser, parts, allowed):
        for method in {"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "TRACE"} - allowed:
            answer = browser.request(method, *parts, json={} if method in ("PUT", "PATCH", "POST") else None)
            assert answer.status == 405, (method, answer)
            assert {name.strip() for name in answer.headers["allow"].split(",")} == allowed | {"OPTIONS"}
        assert browser.version() == 1


class TestAutoCreate:
    @pytest.fixture
    def visitor(self, creating, session) -> Browser:
        return Browser(creating, session)

    @pytest.fixture
    def customer(self, creating, session) -> Browser:
        return Browser(creating, session, ISSUER.customer("c1", session))

    def test_begins_a_visitors_session(self, visitor):
        answer = visitor.request("GET")
        assert (answer.status, answer.headers["etag"]) == (200, '"1"'), answer
        document = answer.json()
        assert set(document) == {"sessionId", "metadata"}
        assert set(document["metadata"]) == {"version", "createdAt", "modifiedAt"}
        assert visitor.managed().body == answer.body

    def test_begins_a_customers_session_as_that_customers(self, customer):
        assert customer.fields() == {"customerId": "c1"}
        assert customer.version() == 1

    def test_begins_only_once(self, visitor):
        first = visitor.request("GET").body
        assert visitor.request("GET").body == first

    def test_with_head(self, visitor):
        answer = visitor.request("HEAD")
        assert (answer.status, answer.body, answer.headers["etag"]) == (200, b"", '"1"')

    def test_begins_with_an_attribute(self, customer):
        answer = customer.request("POST", "attributes", json={"key": "a", "value": 1})
        assert (answer.status, answer.body, answer.headers["etag"]) == (201, b'"a"', '"2"')
        assert customer.fields() == {"customerId": "c1", "context": {"a": 1}}

    def test_begins_with_a_patch_of_the_first_version(self, customer):
        body = {"language": "fr", "cartId": "no", "metadata": {"version": 1}}
        check_written(customer.request("PATCH", json=body, query="upsert=true"), 2)
        assert customer.fields() == {"customerId": "c1", "language": "fr"}

    def test_checks_the_version_of_a_patch_as_ever(self, visitor):
        check_invalid(visitor.request("PATCH", json={"language": "fr"}), "version")
        answer = visitor.request("PATCH", json={"language": "fr", "metadata": {"version": 3}})
        check_conflict(answer, visitor.session, sent=3, current=1)
        assert visitor.fields() == {}

    def test_leaves_a_session_that_is_there_as_it_is(self, visitor):
        check_written(visitor.managed("PUT", DOCUMENT, "upsert=true"), 1)
        assert visitor.fields() == DOCUMENT

    @pytest.mark.parametrize("parts", [(), ("attributes", "a")], ids=["session", "attribute"])
    def test_begins_nothing_only_to_remove_it(self, visitor, parts):
        check_not_found(visitor.request("DELETE", *parts), visitor.session)
        check_not_found(visitor.managed(), visitor.session)

    def test_does_not_undo_a_logout(self, visitor):
        visitor.document()
        check_written(visitor.request("DELETE"), 2)
        check_not_found(visitor.request("GET"), visitor.session)
        answer = visitor.request("POST", "attributes", json={"key": "a", "value": 1})
        check_error(answer, 410, session=visitor.session)
        check_not_found(visitor.managed(), visitor.session)

    def test_is_not_for_the_management_side(self, visitor):
        check_not_found(visitor.managed(), visitor.session)
        check_not_found(visitor.managed("PATCH", {"metadata": {"version": 1}}), visitor.session)

    def test_of_a_refused_body_begins_nothing(self, visitor):
        check_invalid(visitor.request("PATCH", json={"currency": 5, "metadata": {"version": 1}}), "currency")
        check_not_found(visitor.managed(), visitor.session)
