"""What goes on while a commit hangs, and what a stop in the middle of one does."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from control import control
from daemon import Daemon, path_of
from preload import built
from test_metrics import figures, value
from wire import Answer, request_bytes


class SlowDisk:
    """A daemon whose disk hangs for three seconds a commit, while it is told so."""

    def __init__(self, new_daemon, folder: Path, **options):
        self.file = folder / "slow"
        library = built(Path(__file__).with_name("slow_sync.c"), folder)
        variables = {"LD_PRELOAD": str(library), "SLOW_FILE": str(self.file)}
        self.daemon: Daemon = new_daemon(variables=variables, **options).start()
        self.answers: dict[str, Answer] = {}
        self.threads: list[threading.Thread] = []

    def ask(self, name: str, method: str, path: str, document=None):
        """Sends a request on a connection of its own, whose answer comes when it comes."""
        body = None if document is None else json.dumps(document).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}

        def run():
            with self.daemon.wire(30) as wire:
                self.answers[name] = wire.exchange(request_bytes(method, path, headers, body))

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def hang(self):
        """Begins a commit that takes three seconds."""
        self.file.touch()
        self.ask("hanging", "POST", path_of("s1", "attributes"), {"key": "a", "value": 1})
        time.sleep(0.5)

    def join(self):
        for thread in self.threads:
            thread.join(30)


@pytest.fixture
def slow(new_daemon, tmp_path) -> SlowDisk:
    slow = SlowDisk(new_daemon, tmp_path, config={"timeouts": {"drainSeconds": 1}})
    for session in ("s1", "s2"):
        assert slow.daemon.request("PUT", path_of(session, query="upsert=true"), {"currency": "EUR"}).status == 204
    return slow


def now() -> str:
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e6):06d}Z"


def test_questions_about_a_past_that_is_being_written_hold_up_nobody_else(slow):
    """They wait for the commit, and not on the threads that serve all others."""
    slow.hang()
    asked = now()
    for number in range(8):
        slow.ask(f"past {number}", "GET", path_of("s1" if number % 2 else "none", query=f"asOf={asked}"))
    time.sleep(0.3)
    for _ in range(8):
        started = time.monotonic()
        assert slow.daemon.request("GET", path_of("s2")).status == 200
        assert time.monotonic() - started < 1
    assert not [name for name in slow.answers if name.startswith("past")]
    slow.file.unlink()
    slow.join()
    assert slow.answers["hanging"].status == 204
    for number in range(8):
        answer = slow.answers[f"past {number}"]
        assert answer.status == (200 if number % 2 else 404), answer
        if number % 2:
            # The commit began before the time that was asked for, so that it belongs to it.
            assert answer.json()["context"] == {"a": 1}


def test_what_a_stop_refuses_is_not_done_later(slow):
    slow.hang()
    slow.ask("waiting", "DELETE", path_of("s2"))
    slow.ask("past", "GET", path_of("s2", query=f"asOf={now()}"))
    time.sleep(0.3)
    assert slow.daemon.terminate() == 0
    slow.join()
    assert slow.answers["waiting"].status == 503
    assert slow.answers["past"].status == 503
    slow.file.unlink()
    slow.daemon.start()
    # The one whose commit was under way is told that it may be done, and it is.
    assert slow.answers["hanging"].status == 503
    assert "may be done or not" in slow.answers["hanging"].json()["message"]
    assert slow.daemon.request("GET", path_of("s1")).json()["context"] == {"a": 1}
    assert slow.daemon.request("GET", path_of("s2")).status == 200
    assert control(slow.daemon.data, "verify", "--json").json()["findings"] == []


def test_a_log_that_is_removed_ends_the_daemon(new_daemon):
    """What it took from then on would be lost with the process."""
    daemon = new_daemon().start()
    assert daemon.request("PUT", path_of("s1", query="upsert=true"), {}).status == 204
    (daemon.data / "log/data.mdb").rename(daemon.directory / "elsewhere")
    deadline = time.monotonic() + 10
    while daemon.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert daemon.process.poll() == 1
    assert "log/data.mdb was removed or replaced while it was in use" in daemon.stderr
    daemon.kill()
    (daemon.directory / "elsewhere").rename(daemon.data / "log/data.mdb")
    assert daemon.start().request("GET", path_of("s1")).status == 200


def test_figures_of_the_store_are_there_from_the_first_scrape_on(new_daemon):
    daemon = new_daemon().start()
    for number in range(3):
        assert daemon.request("PUT", path_of(f"s{number}", query="upsert=true"), {}).status == 204
    assert daemon.terminate() == 0
    for _ in range(3):
        daemon.start()
        assert value(figures(daemon), "sessiond_log_events_total") == 3
        assert daemon.terminate() == 0
