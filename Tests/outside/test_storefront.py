"""Scenarios, played against a daemon of their own: see `scenarios/` and the interpreter, `scenario.py`."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from callers import KeyFile, token_daemon
from daemon import Daemon
from scenario import Failure, Scenario
from tokens import Issuer

FILES = sorted((Path(__file__).parent / "scenarios").glob("*.json"))
ISSUER = Issuer()


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts the daemon that a scenario asks for, once."""
    started: dict[str, Daemon] = {}

    def start(scenario: Scenario) -> Daemon:
        config = scenario.config
        key = json.dumps(config, sort_keys=True)
        if key not in started:
            directory = tmp_path_factory.mktemp("scenario")
            started[key] = token_daemon(directory, KeyFile(ISSUER, directory / "jwks.json"), **config).start()
        return started[key]

    yield start
    for daemon in started.values():
        status = daemon.terminate()
        assert status == 0, f"it ended with status {status}\n{daemon.stderr}"


def test_there_are_scenarios():
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario(start, session, path):
    scenario = Scenario.load(path)
    scenario.play(start(scenario), ISSUER, session=session)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario_survives_restarts(start, session, path):
    """The same with the daemon killed and started again before every fifth step."""
    scenario = Scenario.load(path)
    daemon = start(scenario)

    class Restarting:
        count = 0

        def request(self, *arguments, **options):
            self.count += 1
            if self.count % 5 == 0:
                daemon.kill()
                daemon.start()
            return daemon.request(*arguments, **options)

    scenario.play(Restarting(), ISSUER, session=session)


class TestInterpreter:
    """Its checks can fail."""

    STEP = {
        "note": "a look at nothing",
        "who": "visitor",
        "method": "GET",
        "path": "/me/context",
        "status": 404,
        "answers": {"code": 404, "message": "Session not found", "sessionId": "{session}"},
        "carries": {"content-type": "application/json", "etag": None},
    }

    def play(self, start, session, **changes):
        step = copy.deepcopy(self.STEP) | changes
        callers = {"visitor": {"token": "anonymous", "session": "{session}"}}
        scenario = Scenario({"title": "", "callers": callers, "steps": [step]})
        scenario.play(start(scenario), ISSUER, session=session)

    def test_lets_pass_what_is_right(self, start, session):
        self.play(start, session)
        self.play(start, session, answers={"code": 404, "message": "<text>", "sessionId": "<text>"})
        self.play(start, session, holds={"code": 404}, lacks=["details"])

    @pytest.mark.parametrize(
        "changes, text",
        [
            ({"status": 200}, "status"),
            ({"answers": {"code": 404, "message": "Session not found"}}, "sessionId"),
            ({"answers": None}, "body"),
            ({"answers": {"code": "404", "message": "<text>", "sessionId": "<text>"}}, "/code"),
            ({"answers": {"code": 404, "message": "<time>", "sessionId": "<text>"}}, "/message"),
            ({"holds": {"code": 404, "details": []}}, "details"),
            ({"lacks": ["code"]}, "code"),
            ({"carries": {"content-type": "text/plain"}}, "content-type"),
            ({"carries": {"content-type": None}}, "content-type"),
            ({"carries": {"ETag": '"1"'}}, "ETag"),
        ],
        ids=str,
    )
    def test_stops_at_what_is_not(self, start, session, changes, text):
        with pytest.raises(Failure, match=r"step 1, a look at nothing") as failure:
            self.play(start, session, **changes)
        assert text in str(failure.value)

    def test_refuses_files_that_can_not_be_meant(self):
        good = {"title": "", "callers": {}, "steps": [self.STEP]}
        Scenario(good)
        for wrong in (
            good | {"step": []},
            good | {"steps": [self.STEP | {"expects": 1}]},
            good | {"steps": [{name: value for name, value in self.STEP.items() if name != "status"}]},
            good | {"callers": {"x": {}}},
        ):
            with pytest.raises(ValueError):
                Scenario(wrong)
