"""Plays scenarios: files that say who sends what and what must come back, one step after the other.

A scenario is JSON: `title`, `config` (of the daemon), `variables`, `callers` and `steps`.

A caller has a `token`: `anonymous` (with `session`), `customer` (with `customer`, maybe `session`) or `service` (maybe
with `scope`); `tenant` when it isn't the scenario's; `headers` that it sends always.

A step has a `note`, `who`, `method` and `path` (below `/session-context/{tenant}`, or below the root with `//` in
front); maybe `headers`, `json` or `body` (text), and `with`: members that replace or add to those of `json`. Of the
answer it expects: `status` always; `answers`, the exact body as JSON, null for none; `holds`, a part of it; `lacks`,
names that its object doesn't have; `carries`, header fields with their values, null for a field that must be absent.
`captures` keeps parts of the answer as variables: the name of a header field, or a JSON pointer (RFC 6901), the empty
one for the whole body.

`{name}` stands for a variable: within a text its text, alone its value of whatever type. `token of CALLER` is one for
each caller. In what is expected `<time>` stands for any timestamp, `<text>` for any text.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from callers import bearer
from daemon import Daemon
from tokens import MANAGE, TENANT, Issuer
from wire import Answer

VARIABLE = re.compile(r"\{([a-zA-Z][\w -]*)\}")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(\d{3})?Z")
SCENARIO_KEYS = {"title", "config", "variables", "callers", "steps"}
CALLER_KEYS = {"token", "session", "customer", "scope", "tenant", "headers"}
STEP_KEYS = {
    "note", "who", "method", "path", "headers", "json", "with", "body",
    "status", "answers", "holds", "lacks", "carries", "captures",
}  # fmt: skip


class Failure(AssertionError):
    """A step that didn't come out as the scenario says."""


class Scenario:
    """A scenario, as its file gives it."""

    def __init__(self, content: dict):
        self.content = content
        _check_keys("the scenario", content, SCENARIO_KEYS, {"title", "callers", "steps"})
        for name, caller in content["callers"].items():
            _check_keys(f"the caller {name}", caller, CALLER_KEYS, {"token"})
        for number, step in enumerate(content["steps"], 1):
            _check_keys(f"step {number}", step, STEP_KEYS, {"note", "who", "method", "path", "status"})

    @staticmethod
    def load(path: Path) -> Scenario:
        return Scenario(json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique))

    @property
    def config(self) -> dict:
        return self.content.get("config", {})

    def play(self, daemon: Daemon, issuer: Issuer, **variables):
        """Plays it to the end or fails in the first step that comes out otherwise."""
        Play(self, daemon, issuer, variables).run()


class Play:
    """One performance of a scenario."""

    def __init__(self, scenario: Scenario, daemon: Daemon, issuer: Issuer, variables: dict):
        self.steps = scenario.content["steps"]
        self.callers = scenario.content["callers"]
        self.daemon = daemon
        self.variables = {"tenant": TENANT} | scenario.content.get("variables", {}) | variables
        for name, caller in self.callers.items():
            self.variables[f"token of {name}"] = self.token(self.fill(caller), issuer)

    def token(self, caller: dict, issuer: Issuer) -> str:
        tenant = caller.get("tenant", self.variables["tenant"])
        match caller["token"]:
            case "anonymous":
                return issuer.anonymous(caller["session"], tenant=tenant)
            case "customer":
                return issuer.customer(caller["customer"], caller.get("session"), tenant=tenant)
            case "service":
                return issuer.service(caller.get("scope", MANAGE), tenant=tenant)
        raise ValueError(f"no caller has a token of the kind {caller['token']}")

    def run(self):
        for number, step in enumerate(self.steps, 1):
            answer = self.send(step)
            try:
                self.check(step, answer)
            except Failure as failure:
                request = f"{step['who']}: {step['method']} {step['path']}"
                raise Failure(f"step {number}, {step['note']} ({request}): {failure}\n{answer}") from None

    def send(self, step: dict) -> Answer:
        path = self.fill(step["path"])
        target = path[1:] if path.startswith("//") else f"/session-context/{self.variables['tenant']}{path}"
        headers = bearer(self.variables[f"token of {step['who']}"])
        headers |= self.fill(self.callers[step["who"]].get("headers", {})) | self.fill(step.get("headers", {}))
        document = self.fill(step.get("json"))
        if "with" in step:
            document = document | self.fill(step["with"])
        return self.daemon.request(step["method"], target, document, headers=headers, body=self.fill(step.get("body")))

    def check(self, step: dict, answer: Answer):
        if answer.status != step["status"]:
            raise Failure(f"the status is {answer.status} instead of {step['status']}")
        for name, value in self.fill(step.get("carries", {})).items():
            _compare(f"the field {name}", answer.headers.get(name.lower()), value, is_exact=True)
        if "answers" in step:
            expected = self.fill(step["answers"])
            if expected is None:
                _compare("the body", answer.body, b"", is_exact=True)
            else:
                _compare("", answer.json(), expected, is_exact=True)
        if "holds" in step:
            _compare("", answer.json(), self.fill(step["holds"]), is_exact=False)
        for name in step.get("lacks", ()):
            if name in answer.json():
                raise Failure(f"there is a member {name}")
        for variable, source in step.get("captures", {}).items():
            is_pointer = source == "" or source.startswith("/")
            self.variables[variable] = _at(answer.json(), source) if is_pointer else answer.headers[source.lower()]

    def fill(self, value):
        """The value with variables in the places of their names."""
        if isinstance(value, dict):
            return {self.fill(name): self.fill(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.fill(member) for member in value]
        if not isinstance(value, str):
            return value
        if found := VARIABLE.fullmatch(value):
            return self.variables[found[1]]
        return VARIABLE.sub(lambda found: str(self.variables[found[1]]), value)


def _compare(where: str, actual, expected, is_exact: bool):
    """Compares JSON. `is_exact`: objects have no more members than expected. Arrays are always as long as expected."""
    name = where or "the body"
    if isinstance(expected, dict) and isinstance(actual, dict):
        missing = expected.keys() - actual.keys()
        surplus = actual.keys() - expected.keys() if is_exact else set()
        if missing or surplus:
            raise Failure(f"{name} lacks {sorted(missing)} and has {sorted(surplus)} besides")
        for member in expected:
            _compare(f"{where}/{member}", actual[member], expected[member], is_exact)
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(actual) != len(expected):
            raise Failure(f"{name} has {len(actual)} elements instead of {len(expected)}")
        for index, pair in enumerate(zip(actual, expected)):
            _compare(f"{where}/{index}", *pair, is_exact)
    elif expected == "<time>":
        if not (isinstance(actual, str) and TIMESTAMP.fullmatch(actual)):
            raise Failure(f"{name} is {actual!r}, which is no timestamp")
    elif expected == "<text>":
        if not (isinstance(actual, str) and actual):
            raise Failure(f"{name} is {actual!r}, which is no text")
    elif type(actual) is not type(expected) or actual != expected:
        raise Failure(f"{name} is {actual!r} instead of {expected!r}")


def _at(document, pointer: str):
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        document = document[int(part) if isinstance(document, list) else part]
    return document


def _check_keys(where: str, content: dict, allowed: set[str], required: set[str]):
    if unknown := content.keys() - allowed:
        raise ValueError(f"{where} has unknown keys {sorted(unknown)}")
    if missing := required - content.keys():
        raise ValueError(f"{where} lacks {sorted(missing)}")


def _unique(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a name occurs twice in {names}")
    return dict(pairs)
