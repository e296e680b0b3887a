"""Erasures without the daemon: by sessionctl erase, and again in what is restored from an older backup."""

from __future__ import annotations

import json
import random
import shutil
import signal

from conftest import SEED
from control import KILLS, control, duration, findings, kill_at_once
from daemon import path_of
from test_erasure import check_store, erase, feed, sessions_of
from test_expiry import begin

MARKER = "Zq7-erase-me"


def begin_marked(daemon, session: str, customer: str | None = MARKER):
    begin(daemon, session, {"context": {"a": MARKER * 40}} | ({"customerId": customer} if customer else {}))


def holds_marker(data) -> list:
    return [path for path in data.rglob("*") if path.is_file() and MARKER.encode() in path.read_bytes()]


def test_sessionctl_erases_as_the_api_does(new_daemon):
    daemon = new_daemon().start()
    for session in ("s1", "s2", "s3"):
        begin_marked(daemon, session)
    begin(daemon, "other", {"customerId": "c2"})
    assert "stop it" in control(daemon.data, "erase", "acme", "--session", "s1", expect=3).err
    daemon.signal(signal.SIGKILL)
    one = control(daemon.data, "erase", "acme", "--session", "s1", "--json").json()
    assert [(entry["sessionId"], entry["erasedPositions"], entry["position"]) for entry in one["sessions"]] == [
        ("s1", [1], 5)
    ]
    rest = control(daemon.data, "erase", "acme", "--customer", MARKER, "--json").json()
    assert [entry["sessionId"] for entry in rest["sessions"]] == ["s2", "s3"]
    chain = control(daemon.data, "verify", "--json").json()["chains"]["acme"]
    assert chain == {"position": rest["position"], "chain": rest["chainHead"]}
    assert "nothing was left to erase" in control(daemon.data, "erase", "acme", "--customer", MARKER).out
    assert "nothing was left to erase" in control(daemon.data, "erase", "acme", "--session", "s1").out
    control(daemon.data, "erase", "acme", "--session", "s4", expect=1)
    control(daemon.data, "erase", "unheard", "--customer", MARKER, expect=1)
    check_store(daemon.data, 3)
    daemon.start()
    assert sessions_of(daemon, MARKER) == [] and sessions_of(daemon, "c2") == ["other"]
    assert daemon.request("GET", path_of("s1")).status == 404 and daemon.request("GET", path_of("other")).status == 200
    assert [event["actor"] for event in feed(daemon) if event["type"] == "session.erased.v1"] == ["sessionctl erase"] * 3
    # The receipt is the API's.
    assert one.keys() == erase(daemon, sessionId="other").keys()


def test_killed_erasures_are_undone_or_done(new_daemon, tmp_path):
    daemon = new_daemon().start()
    for number in range(60):
        begin_marked(daemon, f"s{number}")
    assert daemon.terminate() == 0
    shutil.copytree(daemon.data, tmp_path / "timed")
    words = ("erase", "acme", "--customer", MARKER)
    took = duration(tmp_path / "timed", *words)
    draw = random.Random(SEED)
    for number in range(KILLS):
        data = shutil.copytree(daemon.data, tmp_path / f"copy-{number}")
        kill_at_once(data, *words, seconds=draw.uniform(0, 1.1 * took))
        report = control(data, "verify", "--json").json()
        assert report["findings"] == [] and report["erasedEvents"] in (0, 60)
        control(data, *words)
        check_store(data, 60)


def test_what_was_erased_after_a_backup_is_erased_in_what_is_restored(new_daemon, tmp_path):
    """With the ledger nothing of it is in any file; without it, it is there again; only what the ledger says goes."""
    daemon = new_daemon(config={"storage": {"flushIntervalMilliseconds": 20}}).start()
    for session in ("early", "s1", "s2", "s3"):
        begin_marked(daemon, session)
    begin(daemon, "kept", {"customerId": "c2", "context": {"a": "stays"}})
    begin(daemon, "beta", {"customerId": "c2"})
    erase(daemon, sessionId="early")
    backup = tmp_path / "backup"
    control(daemon.data, "backup", str(backup))
    begin_marked(daemon, "late")
    assert len(erase(daemon, customerId=MARKER)["sessions"]) == 4
    begin(daemon, "s1", {"customerId": "new"})
    ledger = tmp_path / "ledger"
    path = "/session-context/acme/events?type=session.erased.v1"
    ledger.write_bytes(daemon.request("GET", path, headers={"Accept": "application/x-ndjson"}).body)
    told = ["replay", "--type", "session.erased.v1", "--format", "ndjson"]
    assert ledger.read_text() == control(daemon.data, *told).out and len(ledger.read_text().splitlines()) == 5

    plain = tmp_path / "plain"
    control(plain, "restore", str(backup))
    assert holds_marker(plain)

    restored = tmp_path / "restored"
    run = control(restored, "restore", str(backup), "--erasures", str(ledger), "--json").json()
    assert run["erasures"] == {"known": 1, "needless": 1, "sessions": 3, "events": 3}
    assert holds_marker(restored) == []
    assert sorted(entry.name for entry in restored.iterdir()) == ["log", "projections"]
    check_store(restored, 4)
    history = control(restored, "history", "acme", "s1", "--json").json()["events"]
    assert [event["type"] for event in history] == ["session.erased.v1", "session.started.v1"]
    assert history[0]["actor"] == "sessionctl restore"
    assert control(restored, "show", "acme", "kept", "--json").json()["document"]["context"] == {"a": "stays"}
    # All events may stand in the file: what is none of an erasure is passed over.
    ledger.write_text(control(daemon.data, "replay", "--format", "ndjson").out)
    again = tmp_path / "again"
    text = control(again, "restore", str(backup), "--erasures", str(ledger)).out
    assert "erased again: 3 sessions with 3 events; 1 erasure of the file in the backup itself, 1 of sessions" in text
    assert holds_marker(again) == []
    assert findings(again) == []
    # A backup without anything to erase again is restored as it is.
    newer = tmp_path / "newer"
    control(daemon.data, "backup", str(newer))
    run = control(tmp_path / "last", "restore", str(newer), "--erasures", str(ledger), "--json").json()
    assert run["erasures"] == {"known": 5, "needless": 0, "sessions": 0, "events": 0}
    chains = [control(data, "verify", "--json").json()["chains"] for data in (tmp_path / "last", newer)]
    assert chains[0] == chains[1]


def test_a_ledger_that_cannot_be_meant_restores_nothing(new_daemon, tmp_path):
    daemon = new_daemon().start()
    begin_marked(daemon, "s1")
    begin_marked(daemon, "s2")
    erase(daemon, sessionId="s1")
    backup, ledger, target = tmp_path / "backup", tmp_path / "ledger", tmp_path / "target"
    control(daemon.data, "backup", str(backup))
    erase(daemon, sessionId="s2")
    good = feed(daemon)[-1]
    assert good["type"] == "session.erased.v1"

    def refused(*lines: str) -> str:
        ledger.write_text("".join(line + "\n" for line in lines))
        error = control(target, "restore", str(backup), "--erasures", str(ledger), expect=3).err
        assert not (target / "log").exists()
        return error

    assert "line 2, is no event" in refused(json.dumps(good), "{}")
    assert "line 1, is no event" in refused("not JSON")
    assert "line 1, is no event" in refused(json.dumps([good]))
    for name, value in (("subject", 1), ("source", "/acme"), ("time", "today"), ("position", "4"), ("position", -1)):
        assert "line 1, is no event" in refused(json.dumps(good | {name: value})), name
    # Of another store: another event stands there, or it was recorded before the backup was made.
    assert "are of another store" in refused(json.dumps(good | {"position": 1}))
    assert "are of another store" in refused(json.dumps(good | {"position": 3}))
    assert "are of another store" in refused(json.dumps(good | {"time": "2020-01-01T00:00:00.000000Z"}))
    control(target, "restore", str(backup), "--erasures", str(tmp_path / "nothing"), expect=3)
    # An empty one may be meant, and may be what a replay that failed has left.
    ledger.write_text("")
    told = control(tmp_path / "empty", "restore", str(backup), "--erasures", str(ledger)).err
    assert "tells of no erasure" in told
    ledger.write_text(json.dumps(good))
    control(target, "restore", str(backup), "--erasures", str(ledger))
    check_store(target, 2)


def test_killed_restores_with_a_ledger_leave_no_store_or_the_whole(new_daemon, tmp_path):
    daemon = new_daemon().start()
    for number in range(60):
        begin_marked(daemon, f"s{number}")
    backup, ledger, target = tmp_path / "backup", tmp_path / "ledger", tmp_path / "target"
    control(daemon.data, "backup", str(backup))
    erase(daemon, customerId=MARKER)
    ledger.write_text(control(daemon.data, "replay", "--type", "erased", "--json").out)
    words = ("restore", str(backup), "--erasures", str(ledger))
    took = duration(target, *words)
    draw = random.Random(SEED)
    for _ in range(KILLS):
        shutil.rmtree(target)
        kill_at_once(target, *words, seconds=draw.uniform(0, 1.1 * took))
        if not (target / "log").exists():
            control(target, *words)
        check_store(target, 60)
        assert holds_marker(target) == []
        assert not list(target.glob("*.restoring"))
