"""Erasure: what is gone afterwards, what stays, and what a sudden end in the middle of it leaves."""

from __future__ import annotations

import json
import random
import signal
import threading
import time

import pytest
from conftest import SEED
from control import control, findings
from daemon import path_of
from test_expiry import await_kinds, begin, events, kinds, value
from test_metrics import figures
from wire import request_bytes

ERASURES = "/session-context/acme/erasures"


def erase(daemon, **subject) -> dict:
    answer = daemon.request("POST", ERASURES, subject)
    assert answer.status == 200, answer
    return answer.json()


def sessions_of(daemon, customer: str) -> list[str]:
    found, path = [], f"/session-context/acme/contexts?customerId={customer}"
    while path:
        page = daemon.request("GET", path).json()
        found += [item["context"]["sessionId"] for item in page["contexts"]]
        path = page.get("next")
    return found


def feed(daemon) -> list[dict]:
    answer = daemon.request("GET", "/session-context/acme/events", headers={"Accept": "application/x-ndjson"})
    assert answer.status == 200
    return [json.loads(line) for line in answer.body.splitlines()]


def everything(daemon, sessions: list[str]) -> bytes:
    """All that the API says of these sessions, and the feed."""
    parts = [json.dumps(feed(daemon)).encode()]
    for session in sessions:
        for path in (
            path_of(session),
            path_of(session, "events"),
            path_of(session, query="version=1"),
            path_of(session, query="version=2"),
            path_of(session, "diff", query="from=1&to=2"),
        ):
            parts.append(daemon.request("GET", path).body)
    return b"\n".join(parts)


def check_store(data, events_erased: int | None = None):
    report = control(data, "verify", "--json").json()
    assert report["findings"] == []
    if events_erased is not None:
        assert report["erasedEvents"] == events_erased


def test_a_customer_is_erased_from_every_session_that_ever_carried_it(new_daemon):
    daemon = new_daemon(config={"storage": {"flushIntervalMilliseconds": 50}}).start()
    begin(daemon, "login", {"currency": "EUR"})
    body = {"customerId": "k-8871", "context": {"mail": "anna@example.org"}, "metadata": {"version": 1}}
    assert daemon.request("PUT", path_of("login"), body).status == 204
    begin(daemon, "was", {"customerId": "k-8871"})
    assert daemon.request("PUT", path_of("was"), {"customerId": "other", "metadata": {"version": 1}}).status == 204
    begin(daemon, "ended", {"customerId": "k-8871"})
    assert daemon.request("DELETE", path_of("ended")).status == 204
    begin(daemon, "never", {"customerId": "other"})
    assert sessions_of(daemon, "k-8871") == ["ended", "login", "was"]
    receipt = erase(daemon, customerId="k-8871")
    assert [(entry["sessionId"], entry["erasedPositions"]) for entry in receipt["sessions"]] == [
        ("ended", [5, 6]),
        ("login", [1, 2]),
        ("was", [3, 4]),
    ]
    assert [entry["position"] for entry in receipt["sessions"]] == [8, 9, 10] and receipt["position"] == 10
    answers = everything(daemon, ["login", "was", "ended"])
    assert b"k-8871" not in answers and b"anna" not in answers
    assert sessions_of(daemon, "k-8871") == []
    assert sessions_of(daemon, "other") == ["never"]
    told = [event for event in feed(daemon) if event["type"] == "session.erased.v1"]
    assert [event["subject"] for event in told] == ["ended", "login", "was"]
    assert daemon.request("GET", path_of("never")).status == 200
    # No tombstone, and nothing old comes back.
    begin(daemon, "ended", {"customerId": "k-8871", "language": "de"})
    assert events(daemon, "ended")[-1]["sessionlife"] == 2
    assert sessions_of(daemon, "k-8871") == ["ended"]
    assert erase(daemon, customerId="nobody")["sessions"] == []
    reasons = figures(daemon)["sessiond_erased_sessions_total"]["samples"]
    assert reasons[("", (("reason", "request"),))] == 3
    assert value(daemon, "sessiond_erased_events_total") == 6
    assert "3 sessions with 6 events were erased" in daemon.stderr and "k-8871" not in daemon.stderr
    check_store(daemon.data, 6)
    chain = control(daemon.data, "verify", "--json").json()["chains"]["acme"]
    assert chain["position"] == 11
    assert daemon.terminate() == 0
    assert control(daemon.data, "rebuild").status == 0


def test_the_receipts_chain_head_is_the_logs(new_daemon, tmp_path):
    daemon = new_daemon().start()
    begin(daemon, "s1")
    control(daemon.data, "backup", str(tmp_path / "backup"))
    receipt = erase(daemon, sessionId="s1")
    chain = control(daemon.data, "verify", "--json").json()["chains"]["acme"]
    assert chain == {"position": receipt["position"], "chain": receipt["chainHead"]}
    assert erase(daemon, sessionId="s1")["sessions"] == []
    assert daemon.request("POST", ERASURES, {"sessionId": "s2"}).status == 404

    # A receipt proves later that the log still holds the erasure, wherever it has gone on to.
    begin(daemon, "s2")
    head = f"{receipt['position']}:{receipt['chainHead']}"

    def problems(data, head: str) -> list[str]:
        return [finding["problem"] for finding in findings(data, "--tenant", "acme", "--head", head)]

    assert problems(daemon.data, head) == []
    text = control(daemon.data, "verify", "--tenant", "acme", "--head", head).out
    assert f"the chain came to the one that was named at position {receipt['position']}" in text
    other = receipt["chainHead"][:-1] + ("0" if receipt["chainHead"][-1] != "0" else "1")
    assert problems(daemon.data, f"{receipt['position']}:{other}") == [
        "the chain isn't the one that was named: this log came to other records"
    ]
    # A backup from before ends before it; a store that is made from it and goes on comes to another chain.
    control(tmp_path / "restored", "restore", str(tmp_path / "backup"))
    assert "before the chain that was named" in problems(tmp_path / "restored", head)[0]
    again = new_daemon()
    (tmp_path / "restored").rename(again.data)
    again.start()
    begin(again, "s3")
    assert "came to other records" in problems(again.data, head)[0]
    for words in (
        ("--head", head),
        ("--tenant", "acme", "--head", receipt["chainHead"]),
        ("--tenant", "acme", "--head", f"0:{receipt['chainHead']}"),
        ("--tenant", "acme", "--head", head, "--resume", str(tmp_path / "marks")),
    ):
        assert "--head" in control(daemon.data, "verify", *words, expect=2).err


def test_no_byte_of_erased_values_is_in_a_backup_or_an_answer(new_daemon, tmp_path):
    chance = random.Random(SEED)
    daemon = new_daemon(config={"storage": {"flushIntervalMilliseconds": 20}}).start()
    marker = "Zq7-erase-me"
    sessions = [f"s{number}" for number in range(60)]
    for round_ in range(6):
        for number, session in enumerate(sessions):
            is_hers = number % 3 == 0
            # Of all sizes: some share a page with others, some have pages of their own.
            filler = (marker if is_hers else "other") * chance.choice([1, 3, 20, 90, 170, 330, 340, 400, 900])
            context = {"context": {f"a{index}": filler for index in range(chance.choice([1, 1, 3]))}}
            if is_hers:
                context["customerId"] = f"{marker}-customer"
            context["metadata"] = {"version": round_}
            answer = daemon.request("PUT", path_of(session, query="upsert=true"), context)
            assert answer.status == 204, answer
    assert marker.encode() in everything(daemon, sessions[:1])
    receipt = erase(daemon, customerId=f"{marker}-customer")
    assert len(receipt["sessions"]) == 20
    assert sum(len(entry["erasedPositions"]) for entry in receipt["sessions"]) == 120
    assert marker.encode() not in everything(daemon, [s for s in sessions if int(s[1:]) % 3 == 0])
    backup = tmp_path / "backup"
    control(daemon.data, "backup", str(backup))
    files = [path for path in backup.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) > 100_000
    for path in files:
        assert marker.encode() not in path.read_bytes(), path
    restored = tmp_path / "restored"
    control(restored, "restore", str(backup))
    for path in (path for path in restored.rglob("*") if path.is_file()):
        assert marker.encode() not in path.read_bytes(), path
    check_store(restored, 120)


@pytest.mark.parametrize("seed", range(6))
def test_kill_9_in_the_middle_leaves_it_undone_or_done(new_daemon, seed):
    chance = random.Random(SEED + seed)
    daemon = new_daemon(config={"storage": {"flushIntervalMilliseconds": 20}}).start()
    names = sorted(f"s{number}" for number in range(120))
    for session in names:
        begin(daemon, session, {"customerId": "secret-customer", "context": {"a": "x" * 3000}})
    for session in names[:40]:
        body = {"key": "b", "value": "y"}
        assert daemon.request("POST", path_of(session, "attributes"), body).status == 204
    data = request_bytes(
        "POST", ERASURES, {"Content-Type": "application/json"}, json.dumps({"customerId": "secret-customer"}).encode()
    )
    wire = daemon.wire()
    answered = threading.Event()

    def ask():
        try:
            if wire.exchange(data, "POST").status == 200:
                answered.set()
        except Exception:  # noqa: BLE001: however the connection ends, there was no answer
            pass

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(chance.choice([0, 0.002, 0.005, 0.01, 0.02, 0.05]))
    daemon.signal(signal.SIGKILL)
    thread.join()
    check_store(daemon.data)
    daemon.start()
    carriers = sessions_of(daemon, "secret-customer")
    assert carriers in ([], names)
    erased = [event for event in feed(daemon) if event.get("erased")]
    assert len(erased) == (0 if carriers else 160)
    if answered.is_set():
        assert carriers == []
    if not carriers:
        assert b"secret-customer" not in everything(daemon, names[:5])
    check_store(daemon.data, len(erased))
    receipt = erase(daemon, customerId="secret-customer")
    assert len(receipt["sessions"]) == len(carriers)
    assert sessions_of(daemon, "secret-customer") == []
    assert daemon.terminate() == 0
    check_store(daemon.data, 160)
    assert control(daemon.data, "rebuild").status == 0


def test_kill_9_before_the_flush_leaves_nothing_in_the_index(new_daemon):
    daemon = new_daemon(config={"storage": {"flushIntervalMilliseconds": 60000}}).start()
    begin(daemon, "s1", {"customerId": "secret-customer"})
    begin(daemon, "s2", {"customerId": "other"})
    assert daemon.restart()
    body = {"customerId": "secret-customer", "metadata": {"version": 1}}
    assert daemon.request("PUT", path_of("s2"), body).status == 204
    assert len(erase(daemon, customerId="secret-customer")["sessions"]) == 2
    daemon.signal(signal.SIGKILL)
    check_store(daemon.data, 3)
    daemon.start()
    assert sessions_of(daemon, "secret-customer") == [] and sessions_of(daemon, "other") == []
    assert [daemon.request("GET", path_of(session)).status for session in ("s1", "s2")] == [404, 404]
    assert daemon.terminate() == 0
    check_store(daemon.data, 3)


def test_erasure_beside_writers(new_daemon):
    """Writers go on with the same sessions: each of their changes is erased or belongs to a new life."""
    daemon = new_daemon(config={"storage": {"flushIntervalMilliseconds": 10}}).start()
    stop = threading.Event()
    failures = []

    def write(number: int):
        with daemon.wire() as wire:
            while not stop.is_set():
                body = json.dumps({"customerId": "c1", "cartId": f"cart-{number}"}).encode()
                headers = {"Content-Type": "application/json"}
                path = path_of(f"s{number % 4}", query="upsert=true")
                status = wire.exchange(request_bytes("PUT", path, headers, body), "PUT").status
                if status not in (204, 400, 409):
                    failures.append(status)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    receipts = []
    for _ in range(30):
        receipts.append(erase(daemon, customerId="c1"))
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    receipts.append(erase(daemon, customerId="c1"))
    assert sessions_of(daemon, "c1") == []
    erased = sorted(p for r in receipts for entry in r["sessions"] for p in entry["erasedPositions"])
    found = [event["position"] for event in feed(daemon) if event.get("erased")]
    assert erased == found
    log = feed(daemon)
    assert all(event.get("erased") or event["type"] == "session.erased.v1" for event in log)
    assert daemon.terminate() == 0
    check_store(daemon.data, len(found))
    assert control(daemon.data, "rebuild").status == 0


def test_expired_sessions_are_erased_like_others(new_daemon):
    config = {"anonymousTTLSeconds": 1, "storage": {"flushIntervalMilliseconds": 20}}
    daemon = new_daemon(config=config).start()
    begin(daemon, "s1", {"context": {"a": "secret"}})
    await_kinds(daemon, "s1", ["started", "expired"])
    assert erase(daemon, sessionId="s1")["sessions"][0]["erasedPositions"] == [1, 2]
    assert kinds(daemon, "s1") == ["started", "expired", "erased"]
    assert b"secret" not in everything(daemon, ["s1"])
