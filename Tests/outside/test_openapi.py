"""The OpenAPI document against the daemon that serves it: schemathesis sends what it allows and what it doesn't.

TEST_EXAMPLES sets how many requests are made up for each operation, besides the systematic ones: a sixth of
it, since each of the three runs takes all operations.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jsonschema_rs
import pytest
from callers import KeyFile, token_daemon
from conftest import EXAMPLES, SEED
from daemon import REPOSITORY, Daemon, environment
from tokens import AUDIT, ERASE, MANAGE, Issuer

FILE = REPOSITORY / "Sources/SessionAPI/openapi.json"
DOCUMENT = json.loads(FILE.read_text(encoding="utf-8"))
HOOKS = Path(__file__).with_name("openapi_hooks.py")
MADE_UP = max(1, EXAMPLES // 6)
SECONDS = 600 + 20 * MADE_UP

# A method and a path of the document.
Operation = tuple[str, str]
METHODS = ("get", "head", "put", "patch", "post", "delete", "options")
OPERATIONS: list[Operation] = [
    (method, path) for path, item in DOCUMENT["paths"].items() for method in METHODS if method in item
]


def definition(operation: Operation) -> dict:
    method, path = operation
    return DOCUMENT["paths"][path][method]


# schemathesis takes the document from there, and doesn't ask again.
SOURCE: Operation = ("get", "/openapi.json")
# Those that ask for no token.
OPEN = [operation for operation in OPERATIONS if definition(operation).get("security") == []]

# A well-formed request may meet a session in a state that it doesn't fit; a malformed one may be refused for that, too.
CONFIG = f"""
hooks = {json.dumps(str(HOOKS))}
warnings = false

[checks.positive_data_acceptance]
expected-statuses = ["2xx", 304, 401, 403, 404, 409, 410, 412, 422]

[checks.negative_data_rejection]
expected-statuses = ["4xx"]

[output.sanitization]
enabled = false
"""
WITHOUT_AUTH = """
[generation]
with-security-parameters = false

[checks.ignored_auth]
enabled = false
"""


class Run:
    """A run of schemathesis over all operations of the document that a daemon serves."""

    def __init__(
        self,
        daemon: Daemon,
        folder: Path,
        token: str = "",
        session: str = "",
        is_let_in: bool = True,
        has_auth: bool = True,
    ):
        """`session` is the one that `token` carries; `has_auth` says whether the daemon asks for tokens."""
        config = folder / "schemathesis.toml"
        config.write_text(CONFIG if has_auth else CONFIG + WITHOUT_AUTH, encoding="utf-8")
        answers = folder / "answers"
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
        command += [f"http://{daemon.address}/openapi.json", "--max-examples", str(MADE_UP), "--seed", str(SEED)]
        command += ["-H", f"Authorization: Bearer {token}"] if token else []
        variables = {
            "OPENAPI_TEST_ADDRESS": daemon.address,
            "OPENAPI_TEST_ANSWERS": str(answers),
            "OPENAPI_TEST_TOKEN": token,
            "OPENAPI_TEST_SESSION": session,
            "OPENAPI_TEST_LET_IN": "yes" if is_let_in else "no",
        }
        self.result = subprocess.run(
            command,
            cwd=folder,
            env=environment(PYTHONPATH=str(HOOKS.parent), **variables),
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        # How often each operation gave each status.
        self.answers: dict[Operation, Counter[int]] = {}
        for line in answers.read_text(encoding="utf-8").splitlines() if answers.exists() else []:
            method, path, status = line.split(" ")
            self.answers.setdefault((method, path), Counter())[int(status)] += 1

    def check(self):
        """Every operation was asked for, and each answer was as the document says."""
        assert self.result.returncode == 0, f"{self.result.stdout}\n{self.result.stderr}"
        assert {operation for operation in OPERATIONS if operation not in self.answers} <= {SOURCE}

    def statuses(self, operation: Operation) -> set[int]:
        return set(self.answers[operation]) if operation != SOURCE else {200}


def successes(operation: Operation) -> set[int]:
    return {int(status) for status in definition(operation)["responses"] if status.startswith("2")}


def test_with_a_token_that_may_everything(tmp_path):
    issuer = Issuer()
    daemon = token_daemon(tmp_path, KeyFile(issuer, tmp_path / "jwks.json"), tombstoneSeconds=0).start()
    try:
        run = Run(daemon, tmp_path, issuer.service(f"{MANAGE} {AUDIT} {ERASE}", session_id="own-session"), "own-session")
    finally:
        daemon.kill()
    run.check()
    for operation in OPERATIONS:
        assert run.statuses(operation) >= successes(operation), (operation, run.answers.get(operation))


def test_without_a_token(tmp_path):
    daemon = token_daemon(tmp_path, KeyFile(Issuer(), tmp_path / "jwks.json")).start()
    try:
        run = Run(daemon, tmp_path, is_let_in=False)
    finally:
        daemon.kill()
    run.check()
    for operation in OPERATIONS:
        if operation in OPEN:
            assert run.statuses(operation) & successes(operation), (operation, run.answers.get(operation))
        else:
            # What can't be taken apart is refused before anybody is asked for a token.
            assert run.statuses(operation) <= {400, 401}, (operation, run.answers.get(operation))
            assert 401 in run.statuses(operation), (operation, run.answers.get(operation))


def test_where_everybody_is_let_in(tmp_path, new_daemon):
    run = Run(new_daemon().start(), tmp_path, has_auth=False)
    run.check()
    for operation in OPERATIONS:
        assert not run.statuses(operation) & {401, 403}, (operation, run.answers.get(operation))
        assert run.statuses(operation) >= successes(operation), (operation, run.answers.get(operation))


def test_is_served_byte_for_byte(daemon):
    answer = daemon.request("GET", "/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body == FILE.read_bytes()
    head = daemon.request("HEAD", "/openapi.json")
    assert (head.status, head.headers["content-length"]) == (200, str(len(answer.body)))
    other = daemon.request("POST", "/openapi.json", {})
    assert (other.status, other.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    preflight = daemon.request("OPTIONS", "/openapi.json")
    assert (preflight.status, preflight.headers["allow"], preflight.body) == (204, "GET, HEAD, OPTIONS", b"")


def examples() -> list:
    """The examples of the document, each with the schema that it is one of."""
    found = []

    def visit(value, path: str):
        if isinstance(value, dict):
            schema = value.get("schema")
            if schema is not None:
                if "example" in value:
                    found.append(pytest.param(schema, value["example"], id=path))
                for name, example in value.get("examples", {}).items():
                    found.append(pytest.param(schema, example["value"], id=f"{path}/{name}"))
            elif "type" in value and isinstance(value.get("examples"), list):
                found.extend(pytest.param(value, example, id=path) for example in value["examples"])
            for name, member in value.items():
                if name not in ("example", "examples"):
                    visit(member, f"{path}/{name}")
        elif isinstance(value, list):
            for index, element in enumerate(value):
                visit(element, f"{path}/{index}")

    visit(DOCUMENT, "")
    return found


@pytest.mark.parametrize("schema, example", examples())
def test_its_examples_fit_their_schemas(schema, example):
    # References are to components of the document.
    root = {"components": DOCUMENT["components"], "allOf": [schema]}
    jsonschema_rs.Draft202012Validator(root).validate(example)
