"""Which web pages may call: the contract, section 2, and the Fetch Standard's CORS protocol."""

from __future__ import annotations

import pytest
from callers import KeyFile, bearer, check_unauthenticated, token_daemon
from daemon import Daemon, own_path_of, path_of
from tokens import Issuer
from wire import Answer

SHOP = "https://shop.example"
APP = "http://localhost:3000"
HEADERS = [
    "Authorization",
    "Content-Type",
    "saas-token",
    "If-Match",
    "If-None-Match",
    "Idempotency-Key",
    "Accept-Language",
    "Content-Language",
    "session-id",
    "Emporix-Tenant",
    "Last-Event-ID",
]
UNKNOWN = [
    "https://evil.example",
    "http://shop.example",
    "https://shop.example:8443",
    "https://shop.example.evil.example",
    "https://evil-shop.example",
    "https://shop.example/",
    "https://sub.shop.example",
    "HTTPS://SHOP.EXAMPLE",
    "https://shop.exampl",
    "null",
    "*",
    "",
    f"{SHOP}, {APP}",
]
# Every path of the API with its methods.
PATHS = [
    (path_of("s"), {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"}),
    (path_of("s", "attributes"), {"POST", "OPTIONS"}),
    (path_of("s", "attributes", "a"), {"DELETE", "OPTIONS"}),
    (own_path_of(), {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
    (own_path_of("attributes"), {"POST", "OPTIONS"}),
    (own_path_of("attributes", "a"), {"DELETE", "OPTIONS"}),
]
ISSUER = Issuer()


def start(directory, **config) -> Daemon:
    return token_daemon(directory, KeyFile(ISSUER, directory / "jwks.json"), **config).start()


@pytest.fixture(scope="module")
def closed(tmp_path_factory) -> Daemon:
    """A daemon without origins."""
    daemon = start(tmp_path_factory.mktemp("closed"))
    yield daemon
    assert daemon.terminate() == 0


@pytest.fixture(scope="module")
def open_to(tmp_path_factory) -> Daemon:
    """A daemon with two origins."""
    daemon = start(tmp_path_factory.mktemp("open"), corsOrigins=[SHOP, APP])
    yield daemon
    assert daemon.terminate() == 0


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory) -> Daemon:
    """A daemon for every page."""
    daemon = start(tmp_path_factory.mktemp("anywhere"), corsOrigins=["*"])
    yield daemon
    assert daemon.terminate() == 0


def words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",")]


def cors_of(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def preflight(daemon: Daemon, path: str, origin: str, method: str = "PUT") -> Answer:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,saas-token",
    }
    return daemon.request("OPTIONS", path, headers=headers)


def check_allowed(answer: Answer, origin: str = SHOP):
    """What an answer to an allowed page carries, no more and no less."""
    assert cors_of(answer) == {"access-control-allow-origin": origin, "access-control-expose-headers": "ETag"}, answer
    assert "Origin" in words(answer.headers["vary"]), answer


def check_nothing(answer: Answer):
    assert not cors_of(answer), answer


def begin(daemon: Daemon, session: str):
    headers = bearer(ISSUER.service())
    assert daemon.request("PUT", path_of(session, query="upsert=true"), {}, headers=headers).status == 204


class TestWithoutOrigins:
    @pytest.mark.parametrize("path, allowed", PATHS)
    def test_preflights_get_nothing(self, closed, path, allowed):
        answer = preflight(closed, path, SHOP)
        assert (answer.status, answer.body) == (204, b"")
        assert set(words(answer.headers["allow"])) == allowed
        check_nothing(answer)
        assert "vary" not in answer.headers

    def test_answers_get_nothing(self, closed, session):
        begin(closed, session)
        answer = closed.request("GET", path_of(session), headers=bearer(ISSUER.service(), Origin=SHOP))
        assert answer.status == 200
        check_nothing(answer)
        assert "vary" not in answer.headers


class TestPreflights:
    @pytest.mark.parametrize("path, allowed", PATHS)
    @pytest.mark.parametrize("origin", [SHOP, APP])
    def test_say_what_is_allowed_to_whom(self, open_to, path, allowed, origin):
        answer = preflight(open_to, path, origin)
        assert (answer.status, answer.body) == (204, b"")
        fields = cors_of(answer)
        assert fields.pop("access-control-allow-origin") == origin
        assert set(words(fields.pop("access-control-allow-methods"))) == allowed
        assert sorted(words(fields.pop("access-control-allow-headers"))) == sorted(HEADERS)
        assert 0 < int(fields.pop("access-control-max-age")) <= 86400
        assert fields.pop("access-control-expose-headers", "ETag") == "ETag"
        assert not fields, "nothing else is allowed, credentials least of all"
        assert "Origin" in words(answer.headers["vary"])

    def test_need_no_token(self, open_to):
        check_unauthenticated(open_to.request("GET", path_of("s"), headers={"Origin": SHOP}), was_sent=False)
        assert preflight(open_to, path_of("s"), SHOP, "GET").status == 204

    @pytest.mark.parametrize("origin", UNKNOWN)
    def test_of_unknown_origins_get_nothing(self, open_to, origin):
        for path, _ in PATHS:
            answer = preflight(open_to, path, origin)
            assert answer.status == 204
            check_nothing(answer)
            assert "Origin" in words(answer.headers["vary"]), "else a cache gives this answer to an allowed page"

    def test_without_an_origin_get_nothing(self, open_to):
        answer = open_to.request("OPTIONS", path_of("s"))
        assert answer.status == 204
        check_nothing(answer)
        assert "Origin" in words(answer.headers["vary"])


class TestAnswers:
    """Actual requests."""

    @pytest.mark.parametrize("length", ["Content-Length: 65537", "Transfer-Encoding: chunked"])
    def test_that_a_body_is_too_long_carry_the_fields(self, open_to, length):
        with open_to.wire() as wire:
            head = f"PUT {path_of('s')} HTTP/1.1\r\nHost: a\r\nOrigin: {SHOP}\r\nX-Request-Id: r-1\r\n{length}\r\n\r\n"
            wire.send(head.encode() + b"10001\r\n" + b" " * 65537 + b"\r\n0\r\n\r\n")
            answer = wire.read()
        assert answer.status == 413
        check_allowed(answer)
        assert answer.headers["x-request-id"] == "r-1"

    @pytest.mark.parametrize("origin", [SHOP, APP])
    def test_to_every_operation_carry_the_fields(self, open_to, session, origin):
        management, own = bearer(ISSUER.service(), Origin=origin), bearer(ISSUER.anonymous(session), Origin=origin)
        version = {"metadata": {"version": 1}}
        for method, target, document, headers, status in [
            ("PUT", path_of(session, query="upsert=true"), {"context": {"a": 1}}, management, 204),
            ("GET", path_of(session), None, management, 200),
            ("HEAD", path_of(session), None, management, 200),
            ("GET", path_of(session), None, management | {"If-None-Match": '"1"'}, 304),
            ("PATCH", path_of(session), version, management, 204),
            ("POST", path_of(session, "attributes"), {"key": "b", "value": 1}, management, 204),
            ("DELETE", path_of(session, "attributes", "b"), None, management, 204),
            ("GET", own_path_of(), None, own, 200),
            ("PATCH", own_path_of(), {"metadata": {"version": 4}}, own, 204),
            ("POST", own_path_of("attributes"), {"key": "b", "value": 1}, own, 201),
            ("DELETE", own_path_of("attributes", "b"), None, own, 204),
            ("DELETE", own_path_of(), None, own, 204),
        ]:
            answer = open_to.request(method, target, document, headers=headers)
            assert answer.status == status, (method, target, answer)
            check_allowed(answer, origin)

    def test_that_are_errors_carry_the_fields(self, open_to, session):
        begin(open_to, session)
        management, own = bearer(ISSUER.service(), Origin=SHOP), bearer(ISSUER.anonymous(session), Origin=SHOP)
        conflict = {"metadata": {"version": 9}}
        for method, target, document, headers, status in [
            ("GET", path_of(session), None, {"Origin": SHOP}, 401),
            ("GET", path_of(session), None, bearer("x", Origin=SHOP), 401),
            ("GET", path_of(session), None, own, 403),
            ("GET", path_of(session, tenant="other"), None, own, 403),
            ("PATCH", path_of(session), {"customerId": "c", "metadata": {"version": 1}}, management, 403),
            ("GET", path_of(session + "x"), None, management, 404),
            ("GET", "/session-context/acme/nothing", None, management, 404),
            ("DELETE", own_path_of("attributes", "x"), None, own, 404),
            ("POST", path_of(session), {}, management, 405),
            ("PATCH", path_of(session), {"currency": 5}, management, 400),
            ("GET", path_of(session, tenant="Acme"), None, management, 400),
            ("PATCH", path_of(session), {}, management | {"If-Match": "x"}, 400),
            ("PATCH", path_of(session), conflict, management, 409),
            ("PATCH", own_path_of(), conflict, own, 409),
            ("PATCH", path_of(session), {}, management | {"If-Match": '"9"'}, 412),
            ("PATCH", path_of(session), {}, management | {"Content-Type": "text/plain"}, 415),
        ]:
            answer = open_to.request(method, target, document, headers=headers)
            assert answer.status == status, (method, target, answer)
            check_allowed(answer)

    @pytest.mark.parametrize("origin", UNKNOWN)
    def test_to_unknown_origins_carry_nothing(self, open_to, session, origin):
        begin(open_to, session)
        for token, status in ((ISSUER.service(), 200), ("x", 401)):
            answer = open_to.request("GET", path_of(session), headers=bearer(token, Origin=origin))
            assert answer.status == status, "the request itself is none of CORS's business"
            check_nothing(answer)
            assert "Origin" in words(answer.headers["vary"])

    def test_without_an_origin_vary_too(self, open_to, session):
        begin(open_to, session)
        answer = open_to.request("GET", path_of(session), headers=bearer(ISSUER.service()))
        check_nothing(answer)
        assert "Origin" in words(answer.headers["vary"])


class TestEveryOrigin:
    @pytest.mark.parametrize("origin", [SHOP, "https://any.example", "null"])
    def test_may_call(self, anywhere, session, origin):
        begin(anywhere, session)
        answer = anywhere.request("GET", path_of(session), headers=bearer(ISSUER.service(), Origin=origin))
        assert answer.headers["access-control-allow-origin"] in (origin, "*")
        assert preflight(anywhere, path_of(session), origin).headers["access-control-allow-origin"] in (origin, "*")
        assert "access-control-allow-credentials" not in answer.headers
