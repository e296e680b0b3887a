"""The past stays as it was told: a question about a time that has come has one answer."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime

from conftest import SEED
from control import control
from daemon import Daemon, path_of


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_an_answer_about_this_moment_stays(new_daemon):
    """While changes are written all the time, what is answered about now is answered about that time later, too."""
    daemon = new_daemon().start()
    sessions = [f"s{number}" for number in range(4)]
    for session in sessions:
        assert daemon.request("PUT", path_of(session, query="upsert=true"), {}).status == 204
    stop = threading.Event()

    def write(session: str):
        writer = Daemon(daemon.directory, binary=daemon.binary)
        writer.addresses = daemon.addresses
        number = 0
        while not stop.is_set():
            number += 1
            writer.request("POST", path_of(session, "attributes"), {"key": "n", "value": number})

    threads = [threading.Thread(target=write, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    draw = random.Random(SEED)
    told = []
    try:
        for _ in range(500):
            path = path_of(draw.choice(sessions), query=f"asOf={now()}")
            answer = daemon.request("GET", path)
            assert answer.status == 200, answer
            told.append((path, answer.headers["sessiond-position"], answer.body))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len({position for _, position, _ in told}) > 10
    for path, position, body in told:
        answer = daemon.request("GET", path)
        assert (answer.headers["sessiond-position"], answer.body) == (position, body), path


def test_before_the_first_version_come_the_lives_before(new_daemon):
    daemon = new_daemon().start()
    path = path_of("s1")
    attributes = path_of("s1", "attributes")
    for key in ("a", "b"):
        assert daemon.request("PUT", path + "?upsert=true", {}).status == 204
        assert daemon.request("POST", attributes, {"key": key, "value": 1}).status == 204
        assert daemon.request("POST", "/session-context/acme/erasures", {"sessionId": "s1"}).status == 200
    assert daemon.request("PUT", path + "?upsert=true", {}).status == 204
    assert daemon.request("POST", attributes, {"key": "c", "value": 1}).status == 204

    def positions(query: str) -> list[int]:
        return [event["position"] for event in daemon.request("GET", path + "/events" + query).json()["events"]]

    assert positions("") == [8, 7, 6, 5, 4, 3, 2, 1]
    assert positions("?before=2") == [7, 6, 5, 4, 3, 2, 1]
    assert positions("?before=1") == [6, 5, 4, 3, 2, 1]
    assert positions("?before=1&limit=2") == [6, 5]


def test_erased_events_are_told_in_differences(new_daemon):
    daemon = new_daemon().start()
    assert daemon.request("PUT", path_of("s1", query="upsert=true"), {"currency": "EUR"}).status == 204
    assert daemon.request("PATCH", path_of("s1"), {"currency": "USD", "metadata": {"version": 1}}).status == 204
    assert daemon.request("POST", "/session-context/acme/erasures", {"sessionId": "s1"}).status == 200
    answer = daemon.request("GET", path_of("s1", "diff", query="from=1&to=2"))
    assert (answer.headers["sessiond-erased"], answer.json()["changes"]) == ("true", [])
    words = ("diff", "acme", "s1", "--from", "1", "--to", "2")
    assert control(daemon.data, *words, "--json").json() == answer.json() | {"erased": True}
    assert control(daemon.data, *words).out.splitlines()[0] == "life 1, version 1 to 2, with erased events"


def test_a_session_was_there_as_long_as_its_life_went_on_whatever_was_erased_since(new_daemon):
    """Of whom the session was says how long it lives without activity; of an erased one the next event tells."""
    daemon = new_daemon(config={"anonymousTTLSeconds": 1, "requireSaasToken": False}).start()
    assert daemon.request("PUT", path_of("s1", query="upsert=true"), {"customerId": "c1"}).status == 204
    time.sleep(1.5)
    between = now()
    time.sleep(0.1)
    assert daemon.request("PATCH", path_of("s1"), {"currency": "USD", "metadata": {"version": 1}}).status == 204
    path = path_of("s1", query=f"asOf={between}")
    before = daemon.request("GET", path)
    assert (before.status, before.json()["customerId"]) == (200, "c1")
    assert daemon.request("POST", "/session-context/acme/erasures", {"customerId": "c1"}).status == 200
    after = daemon.request("GET", path)
    assert (after.status, after.headers["sessiond-erased"]) == (200, "true")
    assert after.json()["metadata"] == before.json()["metadata"]
    assert "customerId" not in after.json()
