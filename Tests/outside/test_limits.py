"""Limits of tenants and of the disk, and what a failed commit does."""

from __future__ import annotations

import json
import time


def put(daemon, tenant: str, session: str, body=None):
    path = f"/session-context/{tenant}/context/{session}?upsert=true"
    return daemon.request("PUT", path, json=body or {"currency": "EUR"})


def test_a_tenant_may_have_only_so_many_open_sessions(new_daemon):
    daemon = new_daemon(config={"limits": {"sessionsPerTenant": 2}}).start()
    assert put(daemon, "acme", "one").status == 204
    assert put(daemon, "acme", "two").status == 204
    refused = put(daemon, "acme", "three")
    assert refused.status == 507
    assert "2 open sessions" in json.loads(refused.body)["message"]
    # Nobody else's session was ended for it, another tenant is not concerned, and changes go on.
    assert daemon.request("GET", "/session-context/acme/context/one").status == 200
    assert put(daemon, "other", "three").status == 204
    patch = {"currency": "USD", "metadata": {"version": 1}}
    assert daemon.request("PATCH", "/session-context/acme/context/one", json=patch).status == 204
    # An ended session makes room, also across a crash.
    assert daemon.request("DELETE", "/session-context/acme/context/one").status == 204
    daemon.kill()
    daemon.start()
    assert put(daemon, "acme", "three").status == 204
    assert put(daemon, "acme", "four").status == 507


def test_a_tenant_may_make_only_so_many_changes_a_second(new_daemon):
    daemon = new_daemon(config={"limits": {"writesPerSecondPerTenant": 5}}).start()
    answers = [put(daemon, "acme", f"s{number}") for number in range(20)]
    statuses = [answer.status for answer in answers]
    assert statuses[:5] == [204] * 5
    assert 429 in statuses
    refused = next(answer for answer in answers if answer.status == 429)
    seconds = int(refused.headers["retry-after"])
    assert seconds >= 1
    # Reads and other tenants are not concerned.
    assert daemon.request("GET", "/session-context/acme/context/s0").status == 200
    assert put(daemon, "other", "s0").status == 204
    # After the time that was named there is room again.
    time.sleep(seconds)
    assert put(daemon, "acme", "later").status == 204


def test_a_full_log_fails_the_change_and_nothing_that_was_acknowledged_is_lost(new_daemon):
    small = {"storage": {"mapSizeBytes": 1 << 24}}
    daemon = new_daemon(config=small).start()
    value = "x" * 15_000
    acknowledged, failed = 0, None
    for number in range(3000):
        body = {"context": {f"a{part}": value for part in range(4)}}
        answer = put(daemon, "acme", f"s{number}", body)
        if answer.status != 204:
            failed = answer
            break
        acknowledged += 1
    assert failed is not None and failed.status == 507
    assert "retry-after" in failed.headers
    assert "changes are refused, and reads go on" in daemon.stderr
    assert "mapSizeBytes" in daemon.stderr

    def check_that_reads_go_on():
        for number in range(acknowledged):
            assert daemon.request("GET", f"/session-context/acme/context/s{number}").status == 200, number

    # Also after a restart.
    check_that_reads_go_on()
    assert put(daemon, "acme", "small").status == 507
    assert daemon.terminate() == 0
    daemon.config = {**small, "storage": {**small["storage"], "flushIntervalMilliseconds": 100}}
    daemon.start()
    time.sleep(2)
    check_that_reads_go_on()
    assert daemon.terminate() == 0
    daemon.config = {"storage": {"mapSizeBytes": 1 << 28}}
    daemon.start()
    for number in range(acknowledged):
        assert daemon.request("GET", f"/session-context/acme/context/s{number}").status == 200, number
    assert daemon.request("GET", f"/session-context/acme/context/s{acknowledged}").status == 404
    assert put(daemon, "acme", "after").status == 204
