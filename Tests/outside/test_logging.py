"""What is written to standard error: priorities, levels, the access log, and nothing that must stay secret."""

from __future__ import annotations

import re
import time

import pytest
from daemon import path_of

SECRETS = ("SECRET-VALUE", "SECRET-TOKEN", "SECRET-QUERY")


def ask(daemon):
    headers = {"Authorization": "Bearer SECRET-TOKEN", "saas-token": "SECRET-TOKEN", "X-Request-Id": "request-17"}
    body = {"siteCode": "main", "context": {"note": "SECRET-VALUE"}}
    path = path_of("logged", query="upsert=true&note=SECRET-QUERY")
    assert daemon.request("PUT", path, body, headers=headers).status == 204


def test_each_line_has_a_priority_in_front(new_daemon):
    daemon = new_daemon().start()
    ask(daemon)
    assert daemon.terminate() == 0
    lines = daemon.stderr.splitlines()
    assert lines and all(re.match(r"<[3-7]>\S", line) for line in lines), lines
    assert any(line.startswith("<4>auth is none") for line in lines)


def test_the_access_log_is_off_by_default(new_daemon):
    daemon = new_daemon().start()
    ask(daemon)
    assert daemon.terminate() == 0
    assert "request-17" not in daemon.stderr and "replaceContext" not in daemon.stderr


def test_the_access_log_tells_what_happened_and_no_secret(new_daemon):
    daemon = new_daemon(config={"accessLog": True, "logLevel": "debug"}).start()
    ask(daemon)
    assert daemon.request("GET", path_of("logged")).status == 200
    assert daemon.request("GET", "/nowhere").status == 404
    assert daemon.terminate() == 0
    written = daemon.stderr
    (put,) = [line for line in written.splitlines() if "PUT replaceContext" in line]
    found = dict(pair.split("=", 1) for pair in put.split(" ") if "=" in pair)
    duration = int(found.pop("duration_us"))
    assert 0 < duration < 60_000_000
    assert re.fullmatch(r"127\.0\.0\.1:\d+", found.pop("client"))
    expected = {"status": "204", "tenant": "acme", "session": "logged", "position": "1", "request_id": "request-17"}
    assert found == expected
    assert "GET getContext status=200" in written and "GET none status=404" in written
    assert not [secret for secret in SECRETS if secret in written]


@pytest.mark.parametrize("level, written", [("error", set()), ("warning", {"4"}), ("info", {"4", "6"})])
def test_the_level_leaves_out_what_matters_less(new_daemon, level, written):
    daemon = new_daemon(config={"logLevel": level})
    daemon.launch()
    if level == "info":
        daemon.await_stderr("admin listening on")
        daemon.await_stderr(">listening on")
    else:
        # Nothing says at these levels that it has started.
        time.sleep(2)
    assert daemon.terminate() == 0
    assert {line[1] for line in daemon.stderr.splitlines()} == written, daemon.stderr
