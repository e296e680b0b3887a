"""Sessions that end by themselves or by command: exact expiry, its record by the sweeper, tombstones and new lives."""

from __future__ import annotations

import signal
import struct
import time
from pathlib import Path

import pytest
from control import control
from daemon import path_of
from preload import built
from test_metrics import figures


def events(daemon, session: str, tenant: str = "acme") -> list[dict]:
    answer = daemon.request("GET", path_of(session, "events", tenant=tenant))
    assert answer.status == 200, answer
    return list(reversed(answer.json()["events"]))


def kinds(daemon, session: str, tenant: str = "acme") -> list[str]:
    return [event["type"].removeprefix("session.").removesuffix(".v1") for event in events(daemon, session, tenant)]


def begin(daemon, session: str, document: dict | None = None, tenant: str = "acme"):
    answer = daemon.request("PUT", path_of(session, tenant=tenant, query="upsert=true"), document or {"currency": "EUR"})
    assert answer.status == 204, answer


def await_kinds(daemon, session: str, expected: list[str], tenant: str = "acme", seconds: float = 15):
    deadline = time.monotonic() + seconds
    while kinds(daemon, session, tenant) != expected:
        assert time.monotonic() < deadline, f"{kinds(daemon, session, tenant)} instead of {expected}\n{daemon.stderr}"
        time.sleep(0.05)


def value(daemon, name: str) -> float:
    return figures(daemon)[name]["samples"][("", ())]


def config(**settings) -> dict:
    return {"anonymousTTLSeconds": 2, "storage": {"flushIntervalMilliseconds": 50}} | settings


def test_expiry_is_exact_on_read_and_recorded_once(new_daemon):
    daemon = new_daemon(config=config()).start()
    before = time.monotonic()
    begin(daemon, "s1")
    after = time.monotonic()
    begin(daemon, "customer", {"customerId": "c1"})
    while (answer := daemon.request("GET", path_of("s1"))).status == 200:
        assert time.monotonic() - after < 2.2, "it is read after its time"
    assert answer.status == 404
    assert time.monotonic() - before >= 2, "it is gone before its time"
    assert daemon.request("POST", path_of("s1", "attributes"), {"key": "a", "value": 1}).status == 404
    await_kinds(daemon, "s1", ["started", "expired"])
    recorded = events(daemon, "s1")[1]
    assert recorded["actor"] == "expiry" and recorded["data"] == {} and recorded["sessionversion"] == 2
    time.sleep(1.5)
    assert kinds(daemon, "s1") == ["started", "expired"]
    assert kinds(daemon, "customer") == ["started"]
    assert daemon.request("GET", path_of("customer")).status == 200
    assert value(daemon, "sessiond_expired_sessions_total") == 1
    assert value(daemon, "sessiond_sweeps_total") >= 1
    assert value(daemon, "sessiond_sweep_backlog") == 0
    assert control(daemon.data, "verify").status == 0


class SetClock:
    """A clock that stands where it was set."""

    def __init__(self, folder: Path):
        self.file = folder / "clock"
        self.start = time.time_ns() // 1000
        self.set(self.start)
        library = built(Path(__file__).with_name("clock.c"), folder)
        self.variables = {"LD_PRELOAD": str(library), "CLOCK_FILE": str(self.file)}

    def set(self, microseconds: int):
        with self.file.open("r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("<q", microseconds))


def test_a_clock_that_is_ahead_for_a_moment_expires_and_erases_nothing_for_good(new_daemon, tmp_path):
    clock = SetClock(tmp_path)
    daemon = new_daemon(
        config=config(anonymousTTLSeconds=3600, retentionDays=30), variables=clock.variables
    ).start()
    begin(daemon, "live")
    begin(daemon, "ended", {"currency": "EUR"})
    assert daemon.request("DELETE", path_of("ended")).status == 204
    time.sleep(1.2)
    clock.set(clock.start + 365 * 86_400_000_000)
    time.sleep(3)
    # Who reads meanwhile reads by the clock.
    assert daemon.request("GET", path_of("live")).status == 404
    clock.set(clock.start)
    time.sleep(2.5)
    assert daemon.request("GET", path_of("live")).status == 200
    assert kinds(daemon, "live") == ["started"]
    assert kinds(daemon, "ended") == ["started", "ended"]
    assert events(daemon, "ended")[0]["data"] == {"currency": "EUR"}
    assert "nothing is expired or erased for good by it" in daemon.stderr


def test_reading_and_changing_agree_after_the_clock_was_ahead(new_daemon, tmp_path):
    """What is recorded doesn't go back with the clock, so the tenant's sessions are looked at by its last event's time."""
    clock = SetClock(tmp_path)
    daemon = new_daemon(
        config=config(anonymousTTLSeconds=3600), variables=clock.variables
    ).start()
    begin(daemon, "old")
    assert daemon.request("PUT", "/session-context/rival/context/other?upsert=true", {}).status == 204
    clock.set(clock.start + 7_200_000_000)
    begin(daemon, "new")
    clock.set(clock.start + 1)
    document = {"currency": "USD", "metadata": {"version": 1}}
    for session, read, changed in (("old", 404, 404), ("new", 200, 204)):
        assert daemon.request("GET", path_of(session)).status == read
        assert daemon.request("PUT", path_of(session), document).status == changed
    # Another tenant's time is its own.
    assert daemon.request("GET", "/session-context/rival/context/other").status == 200
    assert daemon.request("PUT", "/session-context/rival/context/other", document).status == 204


def test_a_start_tells_of_events_of_a_time_to_come(new_daemon, tmp_path):
    clock = SetClock(tmp_path)
    daemon = new_daemon(variables=clock.variables).start()
    begin(daemon, "s1")
    assert "still to come" not in daemon.stderr
    clock.set(clock.start - 59_000_000)
    daemon.restart()
    assert "still to come" not in daemon.stderr
    clock.set(clock.start - 86_400_000_000)
    daemon.restart()
    assert "the last event of tenant acme is of 20" in daemon.stderr
    assert "still to come (tenants like that: 1)" in daemon.stderr


def test_expiry_is_exact_to_the_microsecond(new_daemon, tmp_path):
    """Two seconds after the last activity it is gone, a microsecond before it is there; whether it is flushed or not."""
    clock = SetClock(tmp_path)
    start, set_clock, variables = clock.start, clock.set, clock.variables
    for number, interval in enumerate([20, 60_000]):
        daemon = new_daemon(config=config(storage={"flushIntervalMilliseconds": interval}), variables=variables).start()
        begin(daemon, "s1")
        begun = start + number * 10_000_000
        time.sleep(0.2)
        set_clock(begun + 1_999_999)
        assert daemon.request("GET", path_of("s1")).status == 200
        set_clock(begun + 2_000_000)
        assert daemon.request("GET", path_of("s1")).status == 404
        set_clock(begun + 10_000_000)


def test_activity_moves_the_expiry(new_daemon):
    daemon = new_daemon(config=config()).start()
    begin(daemon, "s1")
    headers = {"session-id": "s1"}
    for _ in range(8):
        time.sleep(0.5)
        assert daemon.request("GET", "/session-context/acme/me/context", headers=headers).status == 200
    found = kinds(daemon, "s1")
    assert found[0] == "started" and set(found[1:]) == {"touched"}
    await_kinds(daemon, "s1", [*kinds(daemon, "s1"), "expired"])


def test_a_new_life_begins_after_an_expiry_recorded_or_not(new_daemon):
    daemon = new_daemon(config=config(anonymousTTLSeconds=1)).start()
    begin(daemon, "s1", {"currency": "EUR"})
    await_kinds(daemon, "s1", ["started", "expired"])
    begin(daemon, "s1", {"language": "de"})
    document = daemon.request("GET", path_of("s1")).json()
    assert document["metadata"]["version"] == 1 and document["language"] == "de" and "currency" not in document
    assert [event["sessionlife"] for event in events(daemon, "s1")] == [1, 1, 2]


def test_an_expiry_that_the_sweeper_has_not_seen_is_recorded_before_the_next_life(new_daemon):
    daemon = new_daemon(config=config(anonymousTTLSeconds=1)).start()
    names = [f"s{number}" for number in range(8)]
    for name in names:
        begin(daemon, name, {"currency": "EUR"})
        time.sleep(0.1)
    for name in names:
        while daemon.request("GET", path_of(name)).status != 404:
            pass
        begin(daemon, name, {"language": "de"})
        assert kinds(daemon, name) == ["started", "expired", "started"]
        recorded = events(daemon, name)[1]
        assert recorded["actor"] == "expiry" and recorded["sessionlife"] == 1 and recorded["sessionversion"] == 2


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_what_came_due_while_nothing_ran_is_recorded_after_the_start(new_daemon, ending):
    daemon = new_daemon(config=config()).start()
    for number in range(600):
        begin(daemon, f"s{number}", tenant="acme" if number % 2 else "beta")
    daemon.signal(ending)
    time.sleep(2.1)
    daemon.start()
    for number in (0, 1, 299, 598, 599):
        tenant = "acme" if number % 2 else "beta"
        assert daemon.request("GET", path_of(f"s{number}", tenant=tenant)).status == 404
        await_kinds(daemon, f"s{number}", ["started", "expired"], tenant)
    # Those that it began before, and was slow enough to see expire, count as well.
    deadline = time.monotonic() + 60
    while (count := sum(figures(daemon)["sessiond_open_sessions"]["samples"].values())) > 0:
        assert time.monotonic() < deadline, f"{count} are open"
        time.sleep(0.05)
    assert daemon.terminate() == 0
    assert control(daemon.data, "verify").status == 0
    assert control(daemon.data, "rebuild").status == 0, "the old projections weren't what the log folds to"


def test_late_saves_get_410_until_the_tombstone_falls(new_daemon):
    daemon = new_daemon(config=config(tombstoneSeconds=2)).start()
    begin(daemon, "s1", {"currency": "EUR", "context": {"a": 1}})
    assert daemon.request("DELETE", path_of("s1")).status == 204
    ended = time.monotonic()
    assert daemon.request("GET", path_of("s1")).status == 404
    assert daemon.request("PATCH", path_of("s1"), {"metadata": {"version": 2}}).status == 410
    while (answer := daemon.request("PUT", path_of("s1", query="upsert=true"), {"language": "de"})).status == 410:
        assert time.monotonic() - ended < 3
        time.sleep(0.02)
    assert answer.status == 204 and time.monotonic() - ended >= 1.9
    document = daemon.request("GET", path_of("s1")).json()
    assert document["metadata"]["version"] == 1 and "currency" not in document and "context" not in document


def test_an_ended_session_leaves_a_skeleton_in_the_projections(new_daemon):
    daemon = new_daemon(config=config()).start()
    begin(daemon, "s1", {"currency": "EUR", "context": {"secret": "sw0rdfish" * 20}})
    assert daemon.request("DELETE", path_of("s1")).status == 204
    shown = control(daemon.data, "show", "acme", "s1", "--json").json()
    assert shown["state"] == "ended" and "currency" not in shown["document"] and "context" not in shown["document"]
    before = control(daemon.data, "show", "acme", "s1", "--version", "1", "--json").json()
    assert before["document"]["currency"] == "EUR"
