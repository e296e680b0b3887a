"""Surrounds honest clients with a thousand slow ones, and compares how long they wait with how long by themselves.

    python3 slowclients.py --seconds T [--seed S] [--slow 1000] [--binary FILE]

For T seconds each of three kinds: slow headers and slow bodies (a byte a second), and slow reading (256 bytes a second
of what is larger than the kernel takes: pages over a UNIX socket, streams of NDJSON, live feeds). In pairs of rounds,
one with the slow ones and one without, wrk reads sessions with 64 connections. In the median of the pairs, the 99th
percentile with them may be at most twice that without; a kind that comes out worse is measured for as long again, up to
three times, and all its pairs count. The seed draws which round of a pair comes first. A few slow ones of each kind
stay all the time.

Who is slow with a header must be cut off after timeouts.headerSeconds (10), with a body after bodySeconds (30), with
receiving an answer after sendSeconds (30); until then all stay connected. Streams are never cut for being slow: those
that stayed are read quickly in the end, and must come to their last event.
Exit status: 0 fine, 1 a violation, 2 wrong use. Needs wrk.
"""

from __future__ import annotations

import argparse
import random
import re
import select
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "outside"), str(HERE.parent / "Benchmarks")]

from daemon import Daemon, path_of  # noqa: E402
from load import Server, document, fill, print_table  # noqa: E402
from options import arguments, checked  # noqa: E402
from wire import dial, request_bytes  # noqa: E402

MOST_RATIO = 2.0
# How often a kind is measured before it counts as worse.
MEASURES = 4
# How many the honest ones read.
SESSIONS = 20_000
# Each of them moves once a second, and few at a time, as clients do that know nothing of each other.
TICKS = 50
TICK_SECONDS = 1 / TICKS
# How much earlier or later than its deadline a connection may end, on a machine that is busy.
EARLY_SECONDS, LATE_SECONDS = 0.5, 5.0
STAYING = 5
# Who reads slowly. Their kernel takes as little as it can: what it takes ahead of them the daemon knows nothing of, and
# while they read that, they take nothing as far as it can tell.
READ_BYTES, AHEAD_BYTES = 256, 1
LARGE = "large"
LARGE_EVENTS, LARGE_BYTES = 500, 6000
LAST_EVENT = b"the last of all"
CHUNK_SEAM = re.compile(rb"\r\n[0-9A-Fa-f]+\r\n")


class Violation(Exception):
    """Honest clients wait too long, or slow ones aren't cut off when they should be."""


# Slow ones


@dataclass(frozen=True)
class Way:
    """A way to be slow: what is sent at once, whether more is sent byte by byte, and when the daemon ends it."""

    name: str
    beginning: bytes
    drips: bool
    deadline_seconds: float | None
    is_local: bool = False  # Over the UNIX socket, where the kernel takes less for a client than a page.
    most: int = 1_000_000


def get(path: str, accept: str) -> bytes:
    return request_bytes("GET", path, {"Accept": accept})


EVENTS = f"/session-context/{LARGE}/events"
HEADERS = Way("headers", f"GET {path_of('a')} HTTP/1.1\r\nHost: a\r\nX-Slow: ".encode(), True, 10)
BODIES = Way("bodies", request_bytes("PUT", path_of("a"), {"Content-Length": "60000"}) + b"{", True, 30)
PAGES = Way("pages", get(f"{EVENTS}?limit={LARGE_EVENTS}", "application/json"), False, 30, is_local=True, most=300)
LINES = Way("lines", get(f"{EVENTS}?after=0", "application/x-ndjson"), False, None, most=350)
FEEDS = Way("feeds", get(f"{EVENTS}?after=0", "text/event-stream"), False, None)
KINDS = {"slow headers": [HEADERS], "slow bodies": [BODIES], "slow reading": [PAGES, LINES, FEEDS]}


@dataclass(eq=False)
class Slow:
    way: Way
    socket: socket.socket
    since: float
    is_answered: bool = False


class Crowd(threading.Thread):
    """Keeps as many slow connections open as it is told to, and notes how long each lasts until the daemon ends it."""

    def __init__(self, daemon: Daemon):
        super().__init__(daemon=True)
        self.address, self.local_address = daemon.addresses
        self.wanted: dict[Way, int] = {}
        self.open: dict[int, Slow] = {}
        self.poll = select.epoll()
        self.lasted: dict[Way, list[float]] = defaultdict(list)
        self.error: Exception | None = None
        self.is_over = False

    def set(self, ways: list[Way], count: int):
        """From now on a few of every way, and `count` of these."""
        wanted = {way: STAYING for kind in KINDS.values() for way in kind}
        for way in ways:
            wanted[way] = min(way.most, count)
            count -= wanted[way]
        self.wanted = wanted
        deadline = time.monotonic() + 20
        while self.counts() != wanted:
            if self.error:
                raise self.error
            if time.monotonic() > deadline:
                raise Violation(f"{wanted} are to be connected, but after 20 s {self.counts()} are")
            time.sleep(TICK_SECONDS)

    def counts(self) -> dict[Way, int]:
        counts = dict.fromkeys(self.wanted, 0)
        for slow in list(self.open.values()):
            counts[slow.way] = counts.get(slow.way, 0) + 1
        return counts

    def run(self):
        try:
            tick = 0
            while not self.is_over:
                started = time.monotonic()
                self.adjust()
                self.look()
                for slow in [slow for number, slow in self.open.items() if number % TICKS == tick % TICKS]:
                    self.move(slow)
                tick += 1
                time.sleep(max(0, started + TICK_SECONDS - time.monotonic()))
        except Exception as error:  # It must not end with the thread.
            self.error = error

    def adjust(self):
        counts = self.counts()
        for way, wanted in self.wanted.items():
            for _ in range(wanted - counts.get(way, 0)):
                self.connect(way)
        for slow in reversed(list(self.open.values())):  # The oldest are those that stay.
            if counts[slow.way] > self.wanted.get(slow.way, 0):
                counts[slow.way] -= 1
                self.close(slow)

    def connect(self, way: Way):
        since = time.monotonic()
        address = self.local_address if way.is_local else self.address
        connected = dial(address, receive_bytes=None if way.drips else AHEAD_BYTES)
        connected.sendall(way.beginning)
        connected.setblocking(False)
        self.open[connected.fileno()] = Slow(way, connected, since)
        # Of what they don't read yet nobody needs to be told; that the daemon has gone is told always.
        self.poll.register(connected, (select.EPOLLIN if way.drips else 0) | select.EPOLLRDHUP)

    def look(self):
        for number, events in self.poll.poll(0):
            slow = self.open[number]
            if events & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR) or self.has_ended(slow):
                self.lasted[slow.way].append(time.monotonic() - slow.since)
                self.close(slow)

    def has_ended(self, slow: Slow) -> bool:
        try:
            return slow.socket.recv(1 << 16) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def move(self, slow: Slow):
        try:
            if slow.way.drips:
                slow.socket.send(b"x")
            else:
                data = slow.socket.recv(READ_BYTES)
                if data and not slow.is_answered and not data.startswith(b"HTTP/1.1 200 "):
                    raise Violation(f"{slow.way.beginning!r} got {data!r}")
                slow.is_answered = True
        except OSError:
            pass  # Nothing is there yet, or it has ended, which is looked at next.

    def read_rest(self, slow: Slow):
        """Reads a stream up to its last event, quickly."""
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        slow.socket.settimeout(10)
        count, rest = 0, b""
        while LAST_EVENT not in CHUNK_SEAM.sub(b"", rest):
            try:
                part = slow.socket.recv(1 << 16)
            except OSError as error:
                raise Violation(f"slow {slow.way.name} broke {count} bytes before their end came: {error}") from error
            if not part:
                raise Violation(f"slow {slow.way.name} were cut off: {count} bytes later they end, in {rest[-100:]!r}")
            count += len(part)
            # A seam, or two reads, may part the name.
            rest = rest[-100:] + part

    def close(self, slow: Slow):
        del self.open[slow.socket.fileno()]
        self.poll.unregister(slow.socket)
        slow.socket.close()

    def finish(self):
        self.is_over = True
        self.join()
        if self.error:
            raise self.error
        streams = [slow for slow in self.open.values() if slow.way.deadline_seconds is None]
        # All at once: who isn't read meanwhile takes nothing.
        with ThreadPoolExecutor(len(streams)) as readers:
            list(readers.map(self.read_rest, streams))
        for way in (way for kind in KINDS.values() for way in kind):
            lasted = sorted(self.lasted[way])
            if way.deadline_seconds is None:
                if lasted:
                    raise Violation(f"{len(lasted)} slow readers of {way.name} were cut off after {lasted[0]:.1f} s")
                print(f"slow {way.name}: none was cut off")
                continue
            if len(lasted) < STAYING:
                raise Violation(
                    f"slow {way.name} must be cut off after {way.deadline_seconds} s, but only {lasted} were"
                )
            low, high = way.deadline_seconds - EARLY_SECONDS, way.deadline_seconds + LATE_SECONDS
            if not low <= lasted[0] <= lasted[-1] <= high:
                raise Violation(
                    f"slow {way.name} must be cut off after {way.deadline_seconds} s, "
                    f"but were after {lasted[0]:.1f} to {lasted[-1]:.1f} s"
                )
            print(f"slow {way.name}: {len(lasted)} were cut off, after {lasted[0]:.1f} to {lasted[-1]:.1f} s")


# The campaign


def make_large(daemon: Daemon):
    """A tenant with more events than the kernel takes at once for a client that doesn't read."""
    path = path_of("s", tenant=LARGE)
    assert daemon.request("PUT", f"{path}?upsert=true", {}).status == 204
    for number in range(LARGE_EVENTS):
        answer = daemon.request("POST", f"{path}/attributes", {"key": "a", "value": f"{number}{'x' * LARGE_BYTES}"})
        assert answer.status == 204, answer
    answer = daemon.request("POST", f"{path}/attributes", {"key": "a", "value": LAST_EVENT.decode()})
    assert answer.status == 204, answer


def settle(server: Server):
    """Waits until the daemon has done what comes with connections that begin or end, since their staying counts."""
    for _ in range(20):
        before = server.cpu_seconds()
        time.sleep(0.5)
        if server.cpu_seconds() - before < 0.1:
            return
    raise Violation("10 s after slow connections began or ended, the daemon still works, with nobody else there")


def measure(
    kind: str, crowd: Crowd, options: argparse.Namespace, chance: random.Random, load: Callable[[int], float]
) -> list[tuple[float, float]]:
    """The 99th percentiles of honest clients in milliseconds, in pairs: without and with slow ones of a kind."""
    pairs = min(15, max(5, options.seconds // 4))
    seconds = max(1, options.seconds // pairs // 2)
    measured = []
    for _ in range(pairs):
        figures = {}
        # What changes with the time must weigh on both alike.
        for is_among in chance.choice([(False, True), (True, False)]):
            crowd.set(KINDS[kind] if is_among else [], options.slow)
            figures[is_among] = load(seconds)
        measured.append((figures[False], figures[True]))
    return measured


def ratio(measured: list[tuple[float, float]]) -> float:
    """How many times as long they wait. Others use the machine, too; two rounds side by side suffer alike from them."""
    return statistics.median(among / without for without, among in measured)


def run(options: argparse.Namespace, folder: Path):
    daemon = Daemon(folder, config={}, listen=("127.0.0.1:0", f"unix:{folder}/socket"), binary=options.binary)
    try:
        daemon.start()
        make_large(daemon)
        server = Server.of(daemon, "sessiond")
        fill(daemon, server, document(), 1, SESSIONS)

        def load(seconds: int) -> float:
            settle(server)
            return server.load("get.lua", seconds, "00", str(SESSIONS)).p99_milliseconds

        crowd = Crowd(daemon)
        crowd.start()
        started = time.monotonic()
        chance = random.Random(options.seed)
        rows = [("", "p99 without, ms", "with", "ratio of a pair")]
        ratios = {}
        for kind in KINDS:
            measured = measure(kind, crowd, options, chance, load)
            for _ in range(1, MEASURES):
                if ratio(measured) > MOST_RATIO:
                    measured += measure(kind, crowd, options, chance, load)
            print(f"{kind}: ratios {' '.join(f'{among / without:.2f}' for without, among in measured)}", flush=True)
            without, among = (statistics.median(column) for column in zip(*measured, strict=True))
            ratios[kind] = ratio(measured)
            rows.append((kind, f"{without:.2f}", f"{among:.2f}", f"{ratios[kind]:.2f}"))
        print_table(rows)
        crowd.set([], 0)
        # Those that stay must have had the time to be cut off.
        time.sleep(max(0.0, started + max(BODIES.deadline_seconds, PAGES.deadline_seconds) + 6 - time.monotonic()))
        crowd.finish()
        if max(ratios.values()) > MOST_RATIO:
            raise Violation(f"honest clients wait {max(ratios.values()):.2f} times as long among slow ones")
        if (status := daemon.terminate()) != 0:
            raise Violation(f"SIGTERM ended the daemon with status {status}")
        print(
            f"slow clients passed, {options.slow} connections of each kind for {options.seconds} s; seed {options.seed}"
        )
    finally:
        daemon.kill()


def main() -> int:
    parser = arguments("Slow clients", "seconds", has_control=False)
    parser.add_argument("--slow", type=int, default=1000, help="how many of each kind")
    options = checked(parser)
    if shutil.which("wrk") is None:
        print("wrk is missing: apt-get install wrk", file=sys.stderr)
        return 2
    print(f"seed {options.seed}, {options.seconds} s for each kind", flush=True)
    with tempfile.TemporaryDirectory(prefix="sessiond-slow-") as folder:
        try:
            run(options, Path(folder))
        except Violation as violation:
            print(f"VIOLATION: {violation}\nseed {options.seed}", flush=True)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
