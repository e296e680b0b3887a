"""Limits of tenants and of the disk, and what a failed commit does."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest


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
    daemon.await_stderr("changes are refused, and reads go on")
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


def test_own_sessions_that_begin_by_themselves_count_as_changes(new_daemon):
    daemon = new_daemon(config={"limits": {"writesPerSecondPerTenant": 5}, "autoCreate": True}).start()
    path = "/session-context/acme/me/context"
    statuses = [daemon.request("GET", path, headers={"session-id": f"s{number}"}).status for number in range(20)]
    assert statuses[:5] == [200] * 5
    assert statuses.count(429) >= 10
    # What has begun is read all the same.
    assert daemon.request("GET", path, headers={"session-id": "s0"}).status == 200


# Marks that Unicode's equality of texts has to sort, which takes quadratic time; and as many bytes of ASCII.
MARKS = ("\u0301" * 1400 + "\u0316" * 1400).encode()
PLAIN = b"a" * len(MARKS)


def quoted(text: bytes) -> bytes:
    return b"".join(b"%%%02X" % byte for byte in text[:1600] + text[-1600:])


@pytest.mark.parametrize(
    "target, field",
    [
        (lambda text: b"?" + quoted(text), lambda text: b""),
        (lambda text: b"", lambda text: b"traceparent: " + text + b"\r\n"),
        (lambda text: b"", lambda text: b"Origin: " + text + b"\r\n"),
        (lambda text: b"", lambda text: b'If-None-Match: "' + text + b'"\r\n'),
        (lambda text: b"", lambda text: b"Idempotency-Key: " + text + b"\r\n"),
        (lambda text: b"", lambda text: b"X-Request-Id: " + text + b"\r\n"),
        (lambda text: b"/events", lambda text: b"Accept: " + text + b"\r\n"),
        (lambda text: b"/events", lambda text: b"Last-Event-ID: " + text + b"\r\n"),
    ],
    ids=["query", "traceparent", "Origin", "If-None-Match", "Idempotency-Key", "X-Request-Id", "Accept", "Last-Event-ID"],
)
def test_texts_that_take_long_to_compare_are_not_compared(new_daemon, target, field):
    """Counted in processor time, of which the attack took a hundred times as much."""
    daemon = new_daemon(config={"corsOrigins": ["https://shop.example"]}).start()
    assert put(daemon, "acme", "s1").status == 204

    def seconds(text: bytes, count: int = 40) -> float:
        path = b"/session-context/acme" + (b"/events" if target(text) == b"/events" else b"/context/s1" + target(text))
        request = b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n" + field(text) + b"\r\n"
        before = processor_seconds(daemon)
        with daemon.wire() as wire:
            for _ in range(count):
                assert wire.exchange(request).status < 500
        return processor_seconds(daemon) - before

    seconds(PLAIN)
    assert seconds(MARKS) < 4 * seconds(PLAIN) + 0.15


def processor_seconds(daemon) -> float:
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
