"""Feeds over real sockets: every event once and in order, whatever breaks; and what they cost the others."""

from __future__ import annotations

import json
import random
import re
import resource
import select
import selectors
import socket
import statistics
import threading
import time
from pathlib import Path

import pytest
from conftest import SEED
from daemon import Daemon, path_of
from feeds import EVENTS, Feed, FeedEvent
from wire import NoAnswer, Wire, request_bytes

LINES = {"Accept": "application/x-ndjson"}


@pytest.fixture
def own(new_daemon) -> Daemon:
    return new_daemon().start()


def begin(daemon: Daemon, session: str, document: dict | None = None):
    answer = daemon.request("PUT", path_of(session, query="upsert=true"), document or {})
    assert answer.status == 204, answer


def impatient(new_daemon, seconds: int, sessions: int) -> Daemon:
    """One that gives a client so long to take something, with sessions of 50 KB."""
    daemon = new_daemon(config={"timeouts": {"sendSeconds": seconds}}).start()
    for number in range(sessions):
        begin(daemon, f"s{number}", {"context": {f"a{part}": "x" * 10_000 for part in range(5)}})
    return daemon


def set_attribute(daemon: Daemon, session: str, value="1"):
    answer = daemon.request("POST", path_of(session, "attributes"), body=f'{{"key":"a","value":{value}}}')
    assert answer.status == 204, answer


def lines_of(daemon: Daemon, query: str = "") -> list[dict]:
    answer = daemon.request("GET", f"{EVENTS}?{query}", headers=LINES)
    assert answer.status == 200, answer
    assert answer.body == b"" or answer.body.endswith(b"\n")
    return [json.loads(line) for line in answer.body.split(b"\n")[:-1]]


def without_marks(events: list[FeedEvent]) -> list[FeedEvent]:
    return [event for event in events if not event.is_mark]


# What a feed says


def test_history_then_what_happens(own):
    begin(own, "s1", {"siteCode": "main"})
    begin(own, "s2")
    with Feed(own) as feed:
        history = feed.events("caught-up")
        assert [(event.id, event.type) for event in history] == [
            ("1", "session.started.v1"),
            ("2", "session.started.v1"),
            ("2", "caught-up"),
        ]
        set_attribute(own, "s1")
        event = feed.event()
        assert (event.id, event.type) == ("3", "session.attribute-set.v1")
        assert event.json()["data"] == {"context": {"a": 1}}
        assert [history[0].json(), history[1].json(), event.json()] == lines_of(own)
        page = own.request("GET", EVENTS).json()["events"]
        assert page == lines_of(own)


def test_a_change_is_fed_soon_after_it_is_answered(own):
    with Feed(own) as feed:
        feed.events("caught-up")
        delays = []
        for number in range(20):
            begin(own, f"s{number}")
            start = time.monotonic()
            assert feed.event().position == number + 1
            delays.append(time.monotonic() - start)
        assert statistics.median(delays) < 0.25, delays


def test_line_breaks_in_stored_values_survive(own):
    begin(own, "s1")
    set_attribute(own, "s1", '{"x":\r\n[1,\n\n2,\r3],\t"y": "a\\nb"}')
    with Feed(own, "after=1") as feed:
        assert feed.event().json()["data"]["context"]["a"] == {"x": [1, 2, 3], "y": "a\nb"}
    assert lines_of(own, "after=1")[0]["data"]["context"]["a"] == {"x": [1, 2, 3], "y": "a\nb"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type=session.started.v1", [1, 2, 6]),
        ("sessionId=s1", [1, 3, 5]),
        ("customerId=c1", [2, 4, 5]),
        ("customerId=c1&type=session.attribute-set.v1", [4]),
    ],
)
def test_filters_hold_for_the_past_and_the_present(own, query, expected):
    begin(own, "s1")
    begin(own, "s2", {"customerId": "c1"})
    set_attribute(own, "s1")
    with Feed(own, query) as feed:
        past = without_marks(feed.events("caught-up"))
        set_attribute(own, "s2")
        patch = {"customerId": "c1", "metadata": {"version": 2}}
        assert own.request("PATCH", path_of("s1"), patch).status == 204
        begin(own, "s3")
        seen = [event.position for event in past]
        while seen != expected:
            event = feed.event()
            if not event.is_mark:
                seen.append(event.position)
            assert seen == expected[: len(seen)]
        # Nothing else comes but the note that position 6 was reached, unless the last event was that.
        if expected[-1] != 6:
            assert (event := feed.event()).is_mark and event.position <= 6, event


def events_until(feed: Feed, position: int) -> list[tuple[int, str]]:
    """What comes until a note says that `position` was reached, or its event does."""
    found = []
    while True:
        event = feed.event()
        if not event.is_mark:
            found.append((event.position, event.type))
        if event.position >= position:
            return found


def test_of_a_session_that_comes_to_carry_a_customer_events_of_another_kind_pass_afterwards(own):
    query = "type=session.ended.v1&customerId=c1"
    with Feed(own, query) as feed:
        feed.events("caught-up")
        begin(own, "s1", {"customerId": "c1"})
        begin(own, "s2")
        for session in ("s1", "s2"):
            assert own.request("DELETE", path_of(session)).status == 204
        assert events_until(feed, 4) == [(3, "session.ended.v1")]
    assert [event["position"] for event in lines_of(own, query)] == [3]


@pytest.mark.parametrize("kind", ["", "type=session.erased.v1&"])
def test_what_begins_under_the_id_of_an_erased_session_is_not_the_customers(own, kind):
    begin(own, "s1", {"customerId": "c1"})
    with Feed(own, f"{kind}customerId=c1") as feed:
        feed.events("caught-up")
        answer = own.request("POST", "/session-context/acme/erasures", {"customerId": "c1"})
        assert answer.status == 200, answer
        begin(own, "s1", {"customerId": "c2"})
        set_attribute(own, "s1")
        assert events_until(feed, 4) == [(2, "session.erased.v1")]
    assert lines_of(own, f"{kind}customerId=c1") == []
    assert [event["position"] for event in lines_of(own, "customerId=c2")] == [1, 2, 3, 4]


def test_a_filter_that_nothing_passes_still_moves_on(own):
    with Feed(own, "sessionId=none") as feed:
        feed.events("caught-up")
        for number in range(10):
            begin(own, f"s{number}")
        mark = feed.event()
        while mark.position < 10:
            assert mark.type == "checkpoint"
            mark = feed.event()
        assert mark.json() == {"position": 10}
    with Feed(own, last_id=feed.last_id) as feed:
        assert [event.type for event in feed.events("caught-up")] == ["caught-up"]


def test_an_idle_feed_has_heartbeats(own):
    with Feed(own) as feed:
        feed.events("caught-up")
        start = time.monotonic()
        while not feed.comments:
            assert time.monotonic() < start + 20
            feed.receive(1.0)
            assert feed.next() is None
        assert time.monotonic() - start > 10


def test_clients_that_have_gone_make_room_for_others(new_daemon):
    daemon = new_daemon(config={"limits": {"feeds": 20}}).start()
    begin(daemon, "s1")
    feeds = [Feed(daemon) for _ in range(20)]
    for feed in feeds:
        feed.events("caught-up")
    assert daemon.request("GET", EVENTS, headers={"Accept": "text/event-stream"}).status == 503
    for feed in feeds:
        feed.close()
    start = time.monotonic()
    while daemon.request("GET", f"{EVENTS}?after=0", headers=LINES).status == 503:
        assert time.monotonic() < start + 8
        time.sleep(0.1)


def test_a_client_that_only_has_nothing_more_to_say_still_hears(own):
    with Feed(own) as feed:
        feed.events("caught-up")
        feed.wire.socket.shutdown(socket.SHUT_WR)
        time.sleep(2.5)
        begin(own, "s1")
        assert feed.event().type == "session.started.v1"


def test_a_reader_that_is_slow_is_not_cut_off(new_daemon):
    """It takes a little all the time, less than one part of the stream in the time that sending may take."""
    daemon = impatient(new_daemon, seconds=2, sessions=12)
    wire = Wire(daemon.address, receive_bytes=4096)
    wire.send(request_bytes("GET", EVENTS, LINES))
    taken, start = 0, time.monotonic()
    while time.monotonic() < start + 12:
        part = wire.socket.recv(600)
        assert part, f"cut off after {taken} bytes and {time.monotonic() - start:.1f} s"
        taken += len(part)
        time.sleep(0.1)
    wire.close()


def test_a_reader_that_takes_some_before_each_time_for_it_is_over_is_not_cut_off(new_daemon):
    daemon = impatient(new_daemon, seconds=4, sessions=40)
    wire = Wire(daemon.address, receive_bytes=4096)
    wire.send(request_bytes("GET", EVENTS, LINES))
    taken, start = 0, time.monotonic()
    # 3 s without, again and again: less than the time, more than half of it.
    for _ in range(6):
        time.sleep(3)
        while select.select([wire.socket], [], [], 0.05)[0] and taken < 10_000 * (time.monotonic() - start):
            part = wire.socket.recv(4096)
            assert part, f"cut off after {taken} bytes and {time.monotonic() - start:.1f} s"
            taken += len(part)
    # What the kernel held already would arrive in any case.
    received = b""
    while b'"subject":"s39"' not in received:
        part = wire.socket.recv(1 << 20)
        assert part, f"cut off after {taken} bytes"
        taken += len(part)
        received = received[-100:] + part
    wire.close()


def test_a_reader_that_takes_nothing_is_cut_off(new_daemon):
    daemon = impatient(new_daemon, seconds=2, sessions=40)
    wire = daemon.wire()
    wire.send(request_bytes("GET", EVENTS, {"Accept": "text/event-stream"}))

    def feeds() -> str:
        return re.search(rb"^sessiond_feeds (\d+)", daemon.admin("/metrics").body, re.MULTILINE)[1].decode()

    start = time.monotonic()
    while feeds() == "0":
        assert time.monotonic() < start + 5
    while feeds() == "1":
        assert time.monotonic() < start + 30
        time.sleep(0.1)
    wire.close()


def test_a_position_of_another_log_is_refused(own):
    begin(own, "s1")
    live = {"Accept": "text/event-stream"}
    for headers in ({"Accept": "application/json"}, LINES, live, live | {"Last-Event-ID": "2"}):
        answer = own.request("GET", f"{EVENTS}?after={'0' if 'Last-Event-ID' in headers else '2'}", headers=headers)
        assert answer.status == 400, answer


@pytest.mark.parametrize("customer", ["", "x" * 201, "%00", "a%7f"])
def test_a_customer_id_that_cannot_be_one_is_refused(own, customer):
    for target in (EVENTS, EVENTS.replace("events", "contexts")):
        answer = own.request("GET", f"{target}?customerId={customer}")
        assert answer.status == 400 and "customerId: must be 1 to 200 bytes" in answer.json()["details"][0], answer


def test_head_and_what_is_not_acceptable(own):
    begin(own, "s1")
    kinds = {"text/event-stream": "text/event-stream", "application/x-ndjson": "application/x-ndjson"}
    for accept, kind in (kinds | {"*/*": "application/json"}).items():
        answer = own.request("HEAD", EVENTS, headers={"Accept": accept})
        assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert own.request("GET", EVENTS, headers={"Accept": "text/html"}).status == 406
    assert own.request("GET", path_of("s1")).status == 200


def test_http_1_0_gets_lines_until_the_connection_ends(own):
    begin(own, "s1")
    begin(own, "s2")
    with own.wire() as wire:
        wire.send(f"GET {EVENTS} HTTP/1.0\r\nAccept: application/x-ndjson\r\n\r\n".encode())
        head, _, body = wire.read_to_end().partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert [json.loads(line)["position"] for line in body.splitlines()] == [1, 2]


def test_a_stop_ends_feeds_properly(own):
    begin(own, "s1")
    feeds = [Feed(own) for _ in range(20)]
    for feed in feeds:
        feed.events("caught-up")
    start = time.monotonic()
    assert own.terminate() == 0
    assert time.monotonic() - start < 5
    for feed in feeds:
        with pytest.raises(NoAnswer, match="the feed ended"):
            while feed.receive(5.0):
                pass
        feed.close()


# Nothing lost, nothing twice


class Writers:
    """Threads that write to sessions of their own; they go on over a restart of the daemon."""

    def __init__(self, daemon: Daemon, count: int):
        self.daemon = daemon
        self.is_running = True
        self.acknowledged: list[str] = []
        self.threads = [threading.Thread(target=self._write, args=(number,), daemon=True) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def _write(self, writer: int):
        wire = None
        number = 0
        while self.is_running:
            number += 1
            session = f"w{writer}-{number}"
            try:
                wire = wire or Wire(self.daemon.address, 5.0)
                headers = {"Content-Type": "application/json"}
                answer = wire.exchange(
                    request_bytes("PUT", path_of(session, query="upsert=true"), headers, b'{"siteCode":"main"}')
                )
                if answer.status == 204:
                    self.acknowledged.append(session)
            except (NoAnswer, OSError, IndexError):
                # The daemon is down; its address is another one when it's back.
                if wire is not None:
                    wire.close()
                wire = None
                time.sleep(0.01)

    def stop(self):
        self.is_running = False
        for thread in self.threads:
            thread.join()


def follow(daemon: Daemon, events: list[FeedEvent], rng: random.Random, until: float, restarts: list[float]):
    """Collects events, over broken connections and restarts of the daemon, until that time."""
    last_id: str | None = None
    while time.monotonic() < until:
        try:
            with Feed(daemon, "after=0", last_id=last_id) as feed:
                leave = time.monotonic() + rng.uniform(0.02, 0.8)
                while time.monotonic() < min(leave, until):
                    while (event := feed.next()) is not None:
                        events.append(event)
                        last_id = event.id
                    if restarts and time.monotonic() >= restarts[0]:
                        restarts.pop(0)
                        daemon.kill()
                        daemon.start()
                        break
                    feed.receive(0.05)
        except (NoAnswer, OSError):
            continue


def test_every_event_comes_once_and_in_order_whatever_breaks(own):
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    writers = Writers(own, 8)
    events: list[FeedEvent] = []
    start = time.monotonic()
    restarts = sorted(start + rng.uniform(1.0, 6.0) for _ in range(2))
    follow(own, events, rng, start + 7.0, restarts)
    assert not restarts
    writers.stop()
    # The rest, up to the end.
    last_id = events[-1].id if events else None
    with Feed(own, last_id=last_id) as feed:
        events += feed.events("caught-up")
    positions = [event.position for event in events if not event.is_mark]
    assert positions == list(range(1, len(positions) + 1))
    known = 0
    for event in events:
        # A mark never runs ahead of, nor falls behind, what was sent: there is no filter.
        known = max(known, event.position) if not event.is_mark else known
        assert event.position == known
    sessions = [event.json()["subject"] for event in events if not event.is_mark]
    assert len(set(sessions)) == len(sessions)
    missing = set(writers.acknowledged) - set(sessions)
    assert not missing, missing
    assert len(positions) > 100
    lines = []
    with own.wire() as wire:
        wire.send(request_bytes("GET", EVENTS, LINES | {"Connection": "close"}))
        raw = bytearray(wire.read_to_end())
        body = raw.partition(b"\r\n\r\n")[2]
        while body:
            size, _, body = body.partition(b"\r\n")
            lines.append(bytes(body[: int(size, 16)]))
            body = body[int(size, 16) + 2 :]
    fed = [event.json() for event in events if not event.is_mark]
    assert [json.loads(line) for line in b"".join(lines).splitlines()] == fed
    print(f"{len(positions)} events, {len(writers.acknowledged)} acknowledged changes")


# What feeds cost the others


def put_seconds(daemon: Daemon, prefix: str, count: int) -> list[float]:
    seconds = []
    for number in range(count):
        start = time.monotonic()
        begin(daemon, f"{prefix}-{number}", {"context": {"a": "x" * 2000}})
        seconds.append(time.monotonic() - start)
    return seconds


def test_a_stuck_reader_slows_nobody(own):
    before = put_seconds(own, "before", 300)
    stuck = []
    for _ in range(50):
        wire = own.wire()
        wire.send(request_bytes("GET", EVENTS, {"Accept": "text/event-stream"}))
        stuck.append(wire)
    with Feed(own) as feed:
        during = put_seconds(own, "during", 300)
        last = 0
        while last < 600:
            last = feed.event().position
    medians = statistics.median(before), statistics.median(during)
    print(f"a PUT takes {medians[0] * 1e3:.2f} ms without, {medians[1] * 1e3:.2f} ms beside 50 stuck feeds")
    assert medians[1] < 5 * medians[0] + 0.02
    for wire in stuck:
        wire.close()


def resident_kib(pid: int) -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def test_a_thousand_feeds_hear_everything(own):
    count = 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * count + 200:
        pytest.skip(f"{hard} open files are not enough")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * count + 200), hard))
    begin(own, "s0")
    before = resident_kib(own.process.pid)
    feeds = [Feed(own) for _ in range(count)]
    try:
        for feed in feeds:
            feed.events("caught-up")
        after = resident_kib(own.process.pid)
        kib = (after - before) / count
        print(f"a waiting feed takes {kib:.1f} KiB")
        assert kib < 256
        changes = 20
        start = time.monotonic()
        for number in range(1, changes + 1):
            begin(own, f"s{number}")
        seen = {feed: [] for feed in feeds}
        deadline = time.monotonic() + 20
        with selectors.DefaultSelector() as waiting:
            for feed in feeds:
                waiting.register(feed, selectors.EVENT_READ)
            while waiting.get_map():
                assert time.monotonic() < deadline, f"{len(waiting.get_map())} feeds lack events"
                for key, _ in waiting.select(1.0):
                    feed = key.fileobj
                    feed.receive(0)
                    while (event := feed.next()) is not None:
                        seen[feed].append(event.position)
                    if len(seen[feed]) >= changes:
                        waiting.unregister(feed)
        print(f"{changes} changes reached {count} feeds in {time.monotonic() - start:.2f} s")
        assert all(positions == list(range(2, changes + 2)) for positions in seen.values())
    finally:
        for feed in feeds:
            feed.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
