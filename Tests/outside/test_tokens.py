"""Who is let in: good tokens and broken ones, the keys' reload, the customer's token (wire contract, section 3)."""

from __future__ import annotations

import json
import threading
import time

import pytest
from callers import (
    MISSING_SCOPE,
    SAAS_TOKEN_REQUIRED,
    KeyFile,
    bearer,
    check_forbidden,
    check_unauthenticated,
    token_daemon,
)
from daemon import Daemon, StartFailed, own_path_of, path_of
from feeds import Feed
from token_cases import cases
from tokens import AUDIT, LEAVE_OUT, MANAGE, Issuer, Key, mint, with_signature
from wire import request_bytes

DOCUMENT = {"siteCode": "main", "currency": "EUR", "context": {"a": 1}}

# The issuer of most tests. The keys of RSA take their time, so there is one set of them.
ISSUER = Issuer()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory) -> Daemon:
    """A daemon that knows the issuer, for any tenant."""
    directory = tmp_path_factory.mktemp("guarded")
    daemon = token_daemon(directory, KeyFile(ISSUER, directory / "jwks.json")).start()
    yield daemon
    status = daemon.terminate()
    assert status == 0, f"it ended with status {status}\n{daemon.stderr}"


def begin(
    daemon: Daemon, session: str, document: dict | None = None, headers: dict | None = None, tenant: str = "acme"
):
    target = path_of(session, tenant=tenant, query="upsert=true")
    headers = bearer(ISSUER.service(tenant=tenant)) | (headers or {})
    answer = daemon.request("PUT", target, DOCUMENT if document is None else document, headers=headers)
    assert (answer.status, answer.headers.get("etag")) == (204, '"1"'), answer


def get(daemon: Daemon, session: str, token: str, tenant: str = "acme"):
    return daemon.request("GET", path_of(session, tenant=tenant), headers=bearer(token))


# Every operation: method, path below the session, body.
OPERATIONS = [
    ("GET", (), None),
    ("PUT", (), {"siteCode": "us", "metadata": {"version": 1}}),
    ("PATCH", (), {"siteCode": "us", "metadata": {"version": 1}}),
    ("DELETE", (), None),
    ("POST", ("attributes",), {"key": "a", "value": 2}),
    ("DELETE", ("attributes", "a"), None),
]
OWN_OPERATIONS = [operation for operation in OPERATIONS if operation[0] != "PUT"]
NAMES = ["get", "put", "patch", "end", "set-attribute", "remove-attribute"]
OWN_NAMES = [name for name in NAMES if name != "put"]


class TestRefusedTokens:
    CASES = cases(ISSUER)

    # A customer's and a visitor's: refused on the management side alone.
    OWN = {"forbidden/customer", "forbidden/anonymous"}

    def send(self, guarded: Daemon, method: str, target: str, document, but: set[str] = frozenset()):
        """Sends a request with each refused token over one connection and collects what is answered otherwise."""
        body = None if document is None else json.dumps(document).encode()
        wrong = []
        with guarded.wire() as wire:
            for case in self.CASES:
                if case.name in but:
                    continue
                headers = bearer(case.token, Content_Type="application/json")
                answer = wire.exchange(request_bytes(method, target, headers, body))
                try:
                    if case.status == 401:
                        check_unauthenticated(answer)
                    else:
                        check_forbidden(answer)
                    assert not answer.closes
                except (AssertionError, KeyError, ValueError) as error:
                    wrong.append((case.name, case.status, answer.status, answer.body[:200], str(error)[:100]))
        assert not wrong, f"{len(wrong)} of {len(self.CASES)}: {wrong[:10]}"

    def test_are_many(self):
        assert len(self.CASES) > 500
        assert {case.status for case in self.CASES} == {401, 403}
        assert self.OWN < {case.name for case in self.CASES}

    @pytest.mark.parametrize("method, parts, document", OPERATIONS, ids=NAMES)
    def test_open_nothing_on_the_management_side(self, guarded, session, method, parts, document):
        begin(guarded, session)
        before = get(guarded, session, ISSUER.service()).body
        self.send(guarded, method, path_of(session, *parts), document)
        assert get(guarded, session, ISSUER.service()).body == before

    @pytest.mark.parametrize("method, parts, document", OWN_OPERATIONS, ids=OWN_NAMES)
    def test_open_nothing_on_the_own_side(self, guarded, method, parts, document):
        self.send(guarded, method, own_path_of(*parts), document, but=self.OWN)

    def test_are_told_why_in_words_that_fit_the_header(self, guarded, session):
        reasons = {}
        for name, token in {
            "past": ISSUER.service(iat=0, exp=int(time.time()) - 3600),
            "future": ISSUER.service(nbf=int(time.time()) + 3600, exp=int(time.time()) + 7200),
            "signature": with_signature(ISSUER.service(), bytes(64)),
            "audience": ISSUER.service(aud="other"),
            "issuer": ISSUER.service(iss="other"),
            "key": ISSUER.service(key=Key.make("ES256", "es-2")),
        }.items():
            reasons[name] = check_unauthenticated(get(guarded, session, token))
        assert len(set(reasons.values())) == len(reasons), reasons

    def test_have_no_body_in_the_answer_to_head(self, guarded, session):
        answer = guarded.request("HEAD", path_of(session))
        assert (answer.status, answer.body) == (401, b"")
        assert answer.headers["www-authenticate"].startswith("Bearer ")

    def test_that_are_missing_are_asked_for(self, guarded, session):
        good = ISSUER.service()
        for value in (
            None,
            "",
            "Bearer",
            "Bearer ",
            f"Basic {good}",
            good,
            f"Bearer{good}",
            f"Bearer\t{good}",
            "Token",
        ):
            headers = {} if value is None else {"Authorization": value}
            answer = guarded.request("GET", path_of(session), headers=headers)
            check_unauthenticated(answer, was_sent=False)

    def test_are_not_taken_from_elsewhere(self, guarded, session):
        begin(guarded, session)
        good = ISSUER.service()
        elsewhere = [
            (f"?access_token={good}", {}),
            ("", {"Cookie": f"access_token={good}"}),
            ("", {"saas-token": good}),
            ("", {"Proxy-Authorization": f"Bearer {good}"}),
            ("", {"X-Authorization": f"Bearer {good}"}),
        ]
        for query, headers in elsewhere:
            check_unauthenticated(guarded.request("GET", path_of(session) + query, headers=headers), was_sent=False)

    def test_two_in_one_request_are_refused(self, guarded, session):
        begin(guarded, session)
        good, bad = f"Bearer {ISSUER.service()}", "Bearer x"
        for first, second in ((good, bad), (bad, good), (good, good)):
            with guarded.wire() as wire:
                fields = f"Host: a\r\nAuthorization: {first}\r\nAuthorization: {second}\r\n"
                request = f"GET {path_of(session)} HTTP/1.1\r\n{fields}\r\n"
                assert wire.exchange(request.encode()).status in (400, 401)
        answer = guarded.request("GET", path_of(session), headers={"Authorization": f"{good}, {good}"})
        check_unauthenticated(answer)

    def test_expire_though_they_were_remembered(self, new_issuer_daemon, session):
        daemon = new_issuer_daemon(settings={"leewaySeconds": 0})
        begin(daemon, session)
        until = time.time() + 2
        token = ISSUER.service(exp=until)
        assert get(daemon, session, token).status == 200
        assert get(daemon, session, token).status == 200
        time.sleep(max(0.0, until - time.time()) + 0.05)
        assert "expired" in check_unauthenticated(get(daemon, session, token))


@pytest.fixture
def new_issuer_daemon(tmp_path):
    """Starts daemons of this test's own with the issuer; killed in the end."""
    made: list[Daemon] = []

    def make(*others: KeyFile, tenants: tuple[str, ...] = ("*",), settings: dict | None = None, **config) -> Daemon:
        directory = tmp_path / f"daemon-{len(made)}"
        directory.mkdir()
        file = KeyFile(ISSUER, directory / "jwks.json", tenants, settings or {})
        made.append(token_daemon(directory, file, *others, **config))
        return made[-1].start()

    yield make
    for daemon in made:
        daemon.kill()


class TestAcceptedTokens:
    def check(self, guarded: Daemon, session: str, token: str):
        """The token is good, the first time and from memory."""
        begin(guarded, session)
        for _ in range(2):
            answer = get(guarded, session, token)
            assert answer.status == 200, answer
            assert answer.json()["sessionId"] == session

    @pytest.mark.parametrize("key", ISSUER.keys, ids=lambda key: key.alg)
    def test_of_every_algorithm(self, guarded, session, key):
        self.check(guarded, session, ISSUER.service(key=key))

    @pytest.mark.parametrize("key", ISSUER.keys, ids=lambda key: key.alg)
    def test_of_every_algorithm_on_the_own_side(self, guarded, session, key):
        begin(guarded, session)
        for token in (ISSUER.anonymous(session, key=key), ISSUER.customer("c1", session, key=key)):
            answer = guarded.request("GET", own_path_of(), headers=bearer(token))
            assert (answer.status, answer.json()["sessionId"]) == (200, session)

    @pytest.mark.parametrize(
        "scope",
        [
            MANAGE,
            [MANAGE],
            "session_context.context_manage",
            ["session_context.context_manage"],
            f"openid {MANAGE} {AUDIT}",
            ["openid", MANAGE, AUDIT],
            f"  {MANAGE}  tenant=acme ",
            f"tenant=acme {MANAGE}",
            ["tenant=acme", MANAGE],
        ],
        ids=str,
    )
    def test_with_scopes_in_every_form(self, guarded, session, scope):
        self.check(guarded, session, ISSUER.service(scope))

    @pytest.mark.parametrize(
        "scope",
        [
            f"{MANAGE} tenant=acme",
            f"tenant=acme {MANAGE}",
            ["tenant=acme", MANAGE],
            f"tenant=other {MANAGE} tenant=acme",
            "session_context.context_manage tenant=acme",
        ],
        ids=str,
    )
    def test_with_the_tenant_in_the_scope(self, guarded, session, scope):
        self.check(guarded, session, ISSUER.service(scope, tenant=LEAVE_OUT))

    @pytest.mark.parametrize("tenant", ["acme", ["acme"], ["other", "acme"]], ids=str)
    def test_with_the_tenant_in_a_claim(self, guarded, session, tenant):
        self.check(guarded, session, ISSUER.service(tenant=tenant))

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
    @pytest.mark.parametrize("blanks", [" ", "   "])
    def test_with_the_scheme_in_any_case(self, guarded, session, scheme, blanks):
        begin(guarded, session)
        headers = {"Authorization": f"{scheme}{blanks}{ISSUER.service()}"}
        assert guarded.request("GET", path_of(session), headers=headers).status == 200

    @pytest.mark.parametrize("name", ["authorization", "AUTHORIZATION"])
    def test_in_a_header_of_any_case(self, guarded, session, name):
        begin(guarded, session)
        assert guarded.request("GET", path_of(session), headers={name: f"Bearer {ISSUER.service()}"}).status == 200

    def test_of_every_usual_form(self, guarded, session):
        now = int(time.time())
        for claims, header in [
            ({}, {"typ": LEAVE_OUT}),
            ({}, {"typ": "jwt"}),
            ({}, {"typ": "at+jwt"}),
            ({}, {"kid": LEAVE_OUT}),
            ({"aud": ["else", ISSUER.audience]}, {}),
            ({"exp": now + 600.5}, {}),
            ({"nbf": now, "iat": now, "jti": "x", "nested": {"a": [1]}}, {}),
            ({"nbf": now + 30, "iat": now + 30}, {}),
            ({"exp": now - 30, "iat": now - 60}, {}),
            ({"iat": LEAVE_OUT}, {}),
            ({"sub": LEAVE_OUT, "client_id": "program"}, {}),
        ]:
            token = mint(ISSUER.claims(scope=MANAGE, **claims), ISSUER.es, **header)
            answer = get(guarded, session, token)
            assert answer.status == 404, (claims, header, answer)

    def test_of_8_kibibytes(self, guarded, session):
        padding = 5600
        while len(token := ISSUER.service(pad="x" * padding)) < 8190:
            padding += 1
        assert len(token) <= 8192
        self.check(guarded, session, token)

    def test_do_not_become_more_by_their_own_claims(self, new_issuer_daemon, tmp_path, session):
        """The configuration says for whom an issuer may speak, whatever its tokens say."""
        other = Issuer(name="https://other.example", rs=ISSUER.rs, ps=ISSUER.ps)
        file = KeyFile(other, tmp_path / "other.json", ("other",))
        daemon = new_issuer_daemon(file, tenants=("acme", "third"))
        begin(daemon, session)
        for tenant in ("acme", ["acme", "other"], "*"):
            check_forbidden(get(daemon, session, other.service(tenant=tenant)))
        assert get(daemon, session, other.service(tenant=["acme", "other"]), tenant="other").status == 404
        check_forbidden(get(daemon, session, ISSUER.service(tenant="other"), tenant="other"))
        assert get(daemon, session, ISSUER.service(tenant="third"), tenant="third").status == 404
        # One issuer's key says nothing for the other one.
        for key in (ISSUER.es, ISSUER.hs):
            check_unauthenticated(get(daemon, session, mint(other.claims(tenant="other", scope=MANAGE), key), "other"))

    def test_with_claims_of_other_names(self, new_issuer_daemon, session):
        names = {"tenant": "https://shop/tenant", "sessionId": "sid", "customerId": "customer_number", "scope": "scp"}
        daemon = new_issuer_daemon(settings={"claims": names, "audiences": ["*"]})
        renamed = {"tenant": LEAVE_OUT, "aud": LEAVE_OUT, "https://shop/tenant": "acme"}
        manager = mint(ISSUER.claims(**renamed, scp=[MANAGE]), ISSUER.es)
        target = path_of(session, query="upsert=true")
        assert daemon.request("PUT", target, DOCUMENT, headers=bearer(manager)).status == 204
        check_forbidden(
            get(daemon, session, mint(ISSUER.claims(**renamed, scope=MANAGE), ISSUER.es)), details=MISSING_SCOPE
        )
        check_forbidden(get(daemon, session, mint(ISSUER.claims(aud=LEAVE_OUT, scp=MANAGE), ISSUER.es)))
        visitor = mint(ISSUER.claims(**renamed, sid=session), ISSUER.es)
        assert daemon.request("GET", own_path_of(), headers=bearer(visitor)).status == 200
        stranger = mint(ISSUER.claims(**renamed, session_id=session), ISSUER.es)
        check_forbidden(daemon.request("GET", own_path_of(), headers=bearer(stranger)))
        # The customer's token beside, whose claim has another name, too.
        document = {"customerId": "c1", "metadata": {"version": 1}}
        for claims, status in (({"sub": "c1"}, 403), ({"sub": "x", "customer_number": "c1"}, 204)):
            saas = mint(ISSUER.claims(**renamed, **claims), ISSUER.es)
            answer = daemon.request("PUT", path_of(session), document, headers=bearer(manager, saas_token=saas))
            assert answer.status == status, answer


class TestForbidden:
    def test_without_the_scope_names_it(self, guarded, session):
        begin(guarded, session)
        for scope in (LEAVE_OUT, "", "openid", AUDIT):
            check_forbidden(get(guarded, session, ISSUER.service(scope)), details=MISSING_SCOPE)

    def test_for_another_tenant_whether_or_not_there_is_a_session(self, guarded, session):
        begin(guarded, session)
        answers = [get(guarded, name, ISSUER.service(tenant="other")) for name in (session, "nothing")]
        for answer in answers:
            check_forbidden(answer)
        assert answers[0].body == answers[1].body

    def test_on_the_own_side_without_a_session_id(self, guarded):
        for token in (ISSUER.service(), ISSUER.customer("c1")):
            check_forbidden(guarded.request("GET", own_path_of(), headers=bearer(token)))


class TestReload:
    """SIGHUP reads the keys again."""

    @pytest.fixture
    def issuer(self) -> Issuer:
        return Issuer(rs=ISSUER.rs, ps=ISSUER.ps)

    @pytest.fixture
    def file(self, issuer, tmp_path) -> KeyFile:
        return KeyFile(issuer, tmp_path / "jwks.json")

    @pytest.fixture
    def daemon(self, file, tmp_path):
        daemon = token_daemon(tmp_path, file).start()
        yield daemon
        daemon.kill()

    @staticmethod
    def status(daemon: Daemon, token: str) -> int:
        answer = get(daemon, "nothing", token)
        if answer.status == 401:
            check_unauthenticated(answer)
        return answer.status

    def test_accepts_new_keys_and_refuses_removed_ones_though_remembered(self, daemon, file, issuer):
        successor = Issuer(es=Key.make("ES256", "es-2"), rs=issuer.rs, ps=issuer.ps, hs=issuer.hs)
        old, new, other = issuer.service(), successor.service(), issuer.service(key=issuer.hs)
        assert [self.status(daemon, token) for token in (old, old, new, other)] == [404, 404, 401, 404]
        KeyFile(successor, file.path).write()
        assert [self.status(daemon, token) for token in (old, new)] == [404, 401], "nothing changes without the signal"
        (line,) = daemon.reload()
        assert issuer.name in line and "4 keys" in line
        assert [self.status(daemon, token) for token in (old, old, new, new, other)] == [401, 401, 404, 404, 404]
        file.write()
        daemon.reload()
        assert [self.status(daemon, token) for token in (old, new, other)] == [404, 401, 404]

    def test_refuses_an_exchanged_key_of_the_same_name(self, daemon, file, issuer):
        successor = Issuer(es=Key.make("ES256", "es-1"), rs=issuer.rs, ps=issuer.ps, hs=issuer.hs)
        token = issuer.service()
        assert self.status(daemon, token) == 404
        KeyFile(successor, file.path).write()
        daemon.reload()
        assert (self.status(daemon, token), self.status(daemon, successor.service())) == (401, 404)

    BAD_FILES = {
        "empty": b"",
        "no-json": b"{",
        "no-set": b'{"kty":"EC"}',
        "no-keys": b'{"keys":[]}',
        "html": b"<html>502</html>",
        "private": json.dumps({"keys": [ISSUER.es.jwk(d="AAAA")]}).encode(),
        "twice": json.dumps({"keys": [ISSUER.es.jwk(), ISSUER.es.jwk()]}).encode(),
        "bad-point": json.dumps({"keys": [ISSUER.es.jwk(x="A" * 43)]}).encode(),
        "weak-secret": json.dumps({"keys": [Key("HS256", "hs-1", b"secret").jwk()]}).encode(),
        "only-foreign": b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA","kid":"a"}]}',
    }

    @pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES)
    def test_keeps_the_keys_when_the_file_is_bad_and_says_so(self, daemon, file, issuer, content):
        token = issuer.service()
        assert self.status(daemon, token) == 404
        file.path.write_bytes(content)
        (line,) = daemon.reload()
        assert "old keys" in line and str(file.path) in line and issuer.name in line, line
        assert self.status(daemon, token) == 404
        assert self.status(daemon, issuer.service(key=issuer.hs, sub="new")) == 404, (
            "the keys themselves are still there"
        )

    def test_keeps_the_keys_when_the_file_is_gone(self, daemon, file, issuer):
        file.path.unlink()
        (line,) = daemon.reload()
        assert "old keys" in line and str(file.path) in line
        assert self.status(daemon, issuer.service()) == 404
        file.write()
        assert "as before" in daemon.reload()[0]

    def test_warns_of_keys_that_are_not_used_as_the_start_does(self, daemon, file, issuer):
        def warnings() -> list[str]:
            return [line for line in daemon.stderr.splitlines() if "is not used" in line]

        keys = {"keys": [*issuer.jwks()["keys"], ISSUER.rs.jwk(kid="for-secrets", use="enc")]}
        file.path.write_text(json.dumps(keys))
        reason = f"<4>issuer {issuer.name}: key file {file.path}: key 'for-secrets' is not used: its use is 'enc', not 'sig'"
        assert warnings() == []
        (line,) = daemon.reload()
        assert "4 keys, changed" in line and warnings() == [reason]
        (line,) = daemon.reload()
        assert "4 keys, as before" in line and warnings() == [reason] * 2
        daemon.restart()
        assert warnings() == [reason]
        file.path.write_text("no keys")
        daemon.reload()
        assert warnings() == [reason], "what the file held no longer counts"

    def test_of_one_issuer_leaves_the_others(self, file, issuer, tmp_path):
        other = KeyFile(Issuer("https://other.example", rs=ISSUER.rs, ps=ISSUER.ps), tmp_path / "other.json")
        directory = tmp_path / "two"
        directory.mkdir()
        daemon = token_daemon(directory, file, other).start()
        try:
            other.path.write_text("no keys")
            successor = KeyFile(Issuer(rs=ISSUER.rs, ps=ISSUER.ps), file.path).write()
            lines = daemon.reload()
            assert ["old keys" in line for line in lines] == [False, True], lines
            tokens = (issuer.service(), successor.issuer.service(), other.issuer.service())
            assert [self.status(daemon, token) for token in tokens] == [401, 404, 404]
        finally:
            daemon.kill()

    def test_disturbs_no_request(self, daemon, file, issuer):
        """While keys come and go, a token whose key always stays is always good."""
        token = issuer.service(key=issuer.hs)
        others = KeyFile(Issuer(es=Key.make("ES256", "es-9"), rs=issuer.rs, ps=issuer.ps, hs=issuer.hs), file.path)
        seen: list[int] = []
        is_over = threading.Event()

        def read():
            request = request_bytes("GET", path_of("nothing"), bearer(token))
            with daemon.wire() as wire:
                while not is_over.is_set():
                    seen.append(wire.exchange(request).status)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            for number in range(20):
                (others if number % 2 else file).write()
                daemon.reload()
        finally:
            is_over.set()
            reader.join()
        assert len(seen) > 50 and set(seen) == {404}, (len(seen), set(seen))

    def test_without_issuers_says_so(self, new_daemon):
        daemon = new_daemon().start()
        assert "no token keys" in daemon.reload()[0]
        assert daemon.request("GET", path_of("nothing")).status == 404

    @pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES)
    def test_a_start_with_a_bad_file_fails(self, file, tmp_path, content):
        daemon = token_daemon(tmp_path, file)
        file.path.write_bytes(content)
        with pytest.raises(StartFailed) as failure:
            daemon.start()
        assert failure.value.status == 2
        assert str(file.path) in str(failure.value).splitlines()[-1]


class TestFeeds:
    """Live feeds and the tokens that opened them."""

    def test_end_when_keys_are_replaced(self, tmp_path):
        issuer = Issuer(rs=ISSUER.rs, ps=ISSUER.ps)
        file = KeyFile(issuer, tmp_path / "jwks.json")
        daemon = token_daemon(tmp_path, file).start()
        try:
            token = issuer.service(AUDIT)
            with Feed(daemon, headers={"Authorization": f"Bearer {token}"}) as feed:
                feed.events("caught-up")
                KeyFile(Issuer(es=Key.make("ES256", "es-2"), rs=issuer.rs, ps=issuer.ps), file.path).write()
                daemon.reload()
                start = time.monotonic()
                while not feed.is_complete:
                    assert time.monotonic() < start + 20
                    feed.receive(1.0)
        finally:
            daemon.kill()


class TestCustomersToken:
    """The `saas-token`: whoever changes a customer's context on the management side shows to act for that customer."""

    METHODS = ["PUT", "PATCH"]

    @staticmethod
    def write(
        daemon: Daemon, session: str, method: str, document: dict, saas: str | None, version: int = 1, query: str = ""
    ):
        headers = bearer(ISSUER.service(), **({} if saas is None else {"saas_token": saas}))
        body = document | {"metadata": {"version": version}}
        return daemon.request(method, path_of(session, query=query), body, headers=headers)

    @pytest.fixture
    def anonymous(self, guarded, session) -> str:
        begin(guarded, session)
        return session

    @pytest.fixture
    def customers(self, guarded, session) -> str:
        begin(guarded, session, {"siteCode": "main", "customerId": "c1"}, {"saas-token": ISSUER.customer("c1")})
        return session

    def check_unchanged(self, guarded, session, customer: str | None):
        document = get(guarded, session, ISSUER.service()).json()
        assert document["metadata"]["version"] == 1
        assert document.get("customerId") == customer

    def test_is_not_required_without_a_customer(self, guarded, anonymous):
        assert self.write(guarded, anonymous, "PUT", {"siteCode": "us"}, None).status == 204
        assert self.write(guarded, anonymous, "PATCH", {"siteCode": "fr", "customerId": None}, None, 2).status == 204

    def test_is_required_to_begin_a_customers_session(self, guarded, session):
        def begin(saas: str | None):
            return self.write(guarded, session, "PUT", {"customerId": "c1"}, saas, query="upsert=true")

        check_forbidden(begin(None), SAAS_TOKEN_REQUIRED)
        check_forbidden(begin(ISSUER.customer("c2")))
        assert get(guarded, session, ISSUER.service()).status == 404
        assert begin(ISSUER.customer("c1")).status == 204

    @pytest.mark.parametrize("method", METHODS)
    def test_is_required_when_the_sent_context_has_a_customer(self, guarded, anonymous, method):
        check_forbidden(self.write(guarded, anonymous, method, {"customerId": "c1"}, None), SAAS_TOKEN_REQUIRED)
        check_forbidden(self.write(guarded, anonymous, method, {"customerId": "c1"}, ISSUER.customer("c2")))
        self.check_unchanged(guarded, anonymous, None)
        assert self.write(guarded, anonymous, method, {"customerId": "c1"}, ISSUER.customer("c1")).status == 204
        assert get(guarded, anonymous, ISSUER.service()).json()["customerId"] == "c1"

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize(
        "document", [{"siteCode": "us"}, {"customerId": None}, {"customerId": "c1"}, {"customerId": "c2"}], ids=str
    )
    def test_is_required_when_the_stored_context_has_a_customer(self, guarded, customers, method, document):
        check_forbidden(self.write(guarded, customers, method, document, None), SAAS_TOKEN_REQUIRED)
        check_forbidden(self.write(guarded, customers, method, document, ISSUER.customer("c2")))
        self.check_unchanged(guarded, customers, "c1")
        answer = self.write(guarded, customers, method, document, ISSUER.customer("c1"))
        assert answer.status == (403 if document.get("customerId") == "c2" else 204), answer

    @pytest.mark.parametrize("method", METHODS)
    def test_of_another_kind_is_refused(self, guarded, customers, method):
        def write(saas: str):
            return self.write(guarded, customers, method, {"siteCode": "us"}, saas)

        past = int(time.time()) - 3600
        for saas in (
            "",
            "x",
            ISSUER.customer("c1", iat=past - 60, exp=past),
            with_signature(ISSUER.customer("c1"), bytes(64)),
        ):
            check_unauthenticated(write(saas))
        for saas in (ISSUER.customer("c1", tenant="other"), ISSUER.service(sub="c1"), ISSUER.anonymous("c1")):
            check_forbidden(write(saas))
        self.check_unchanged(guarded, customers, "c1")

    @pytest.mark.parametrize("method", METHODS)
    def test_goes_before_the_version(self, guarded, customers, method):
        """Who may not write doesn't learn the version either."""
        answer = self.write(guarded, customers, method, {"siteCode": "us"}, None, version=7)
        check_forbidden(answer, SAAS_TOKEN_REQUIRED)

    def test_is_for_put_and_patch_alone(self, guarded, customers):
        headers = bearer(ISSUER.service())
        for method, parts, document in OPERATIONS:
            if method in self.METHODS:
                continue
            answer = guarded.request(method, path_of(customers, *parts), document, headers=headers)
            # The session's end is one of them, so that the rest finds it ended.
            assert answer.status in (200, 204, 404, 410), answer

    def test_is_not_for_the_own_side(self, guarded, customers):
        for version, token in enumerate((ISSUER.customer("c1", customers), ISSUER.anonymous(customers)), 1):
            document = {"language": f"l{version}", "metadata": {"version": version}}
            assert guarded.request("PATCH", own_path_of(), document, headers=bearer(token)).status == 204

    def test_alone_opens_nothing(self, guarded, customers):
        answer = guarded.request("GET", path_of(customers), headers={"saas-token": ISSUER.customer("c1")})
        check_unauthenticated(answer, was_sent=False)

    def test_can_be_left_out_by_configuration(self, new_issuer_daemon, session):
        daemon = new_issuer_daemon(requireSaasToken=False)
        begin(daemon, session, {"customerId": "c1"})
        for version, method, saas in ((1, "PUT", None), (2, "PATCH", None), (3, "PATCH", ISSUER.customer("c2"))):
            answer = self.write(daemon, session, method, {"customerId": f"c{version}"}, saas, version)
            assert answer.status == 204, answer
        assert get(daemon, session, ISSUER.service()).json()["customerId"] == "c3"
