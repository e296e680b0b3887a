"""Measures sessiond against its references, each in the same run, and prints README's table.

    python3 table.py [--only get,put,…] [--sessions 5000000] [--events 10000000] [--rounds 5] [--seconds 3]
                     [--binary SESSIOND] [--bench SESSIONBENCH] [--directory DIR] [--output table.json]

One load thread, 64 connections, documents of 400 bytes, 100,000 sessions where nothing else is said. A figure is the
median of rounds in which sessiond and the reference take turns; server CPU is what the kernel counts for the server's
process. Every answer is checked. The exit status is 1 when a row misses its target. Needs wrk, cc, liblmdb-dev,
libmicrohttpd-dev, redis-server, webdis, etcd-server and the package `cryptography`. The whole takes about half an hour
and 15 GB of disk; --sessions and --events make it smaller.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import speed
import token_cost
from load import (
    CONNECTIONS,
    DOCUMENT_BYTES,
    REPOSITORY,
    SERVER_THREADS,
    Daemon,
    Round,
    Server,
    add_options,
    alternate,
    check_statuses,
    check_tools,
    compiled,
    document,
    median,
    path_of,
)
from references import Etcd, Program, Webdis
from shop import Shop, bench

FEW_SESSIONS = 50_000
SOME_SESSIONS = 100_000
APPENDED_EVENTS = 200_000
REPLAYED_EVENTS = 2_000_000
CHANGES = 5_000
SYNCS = 2_000
BATCH = 64


@dataclass
class Row:
    """One line of the table. `measured` must be at most or at least `target`; without one it only tells."""

    key: str
    what: str
    ours: str
    against: str
    reference: str
    measured: float
    target: float | None
    at_most: bool
    unit: str

    @property
    def is_met(self) -> bool:
        if self.target is None:
            return True
        return self.measured <= self.target if self.at_most else self.measured >= self.target

    def cells(self) -> tuple[str, ...]:
        sign = "≤" if self.at_most else "≥"
        reference = f"{self.against}: {self.reference}" if self.against else ""
        wanted = "" if self.target is None else f"{sign} {self.shown(self.target)}"
        return self.what, self.ours, reference, self.shown(self.measured), wanted

    def shown(self, value: float) -> str:
        digits = 2 if abs(value) < 100 and value != int(value) else 0
        return f"{value:,.{digits}f} {self.unit}"

    def stored(self) -> dict:
        return asdict(self) | {"met": self.is_met}


def times(key: str, what: str, against: str, figures: list[tuple[float, str]], limit: float | None, at_most: bool) -> Row:
    """A row whose figure is how many times as much ours is as the reference's, of two figures with their unit."""
    ours, reference = (f"{value:,.1f} {unit}" if value < 100 else f"{value:,.0f} {unit}" for value, unit in figures)
    return Row(key, what, ours, against, reference, figures[0][0] / figures[1][0], limit, at_most, "×")


# What bare_mhd does with --store.
LEAST = "the least in C: libmicrohttpd and LMDB, the same threads"


class Measurement:
    """The options of a run, and the stores that its rows share."""

    def __init__(self, options: argparse.Namespace, directory: Path):
        self.options = options
        self.directory = directory
        self.rounds, self.seconds = options.rounds, options.seconds
        self._large: Shop | None = None

    def folder(self, name: str) -> Path:
        path = self.directory / name
        path.mkdir()
        return path

    # Over HTTP, against bare libmicrohttpd

    def http(self) -> Iterator[Row]:
        measured = speed.compare(self.options, self.folder("http"))
        for key, name, mine, bare, least, limit in (
            ("get", "GET", measured.gets, measured.bare_gets, measured.store_gets, speed.GET_TARGET),
            ("put", "durable PUT", measured.puts, measured.bare_puts, measured.store_puts, speed.PUT_TARGET),
        ):
            ours, others, fewest = ((median(rounds, "cpu_microseconds"), "µs") for rounds in (mine, bare, least))
            yield times(key, f"{name}, server CPU", "bare libmicrohttpd", [ours, others], limit, at_most=True)
            yield times(f"{key} least", "the same", LEAST, [ours, fewest], None, at_most=True)
        figures = [(median(rounds, "per_second"), "/s") for rounds in (measured.puts, measured.store_puts)]
        yield times("rate least", "durable PUT/s", LEAST, figures, None, at_most=False)

    def token(self) -> Iterator[Row]:
        open_rounds, _, verified = token_cost.compare(self.options, self.folder("token"))
        ours, reference = (f"{median(rounds, 'cpu_microseconds'):.1f} µs" for rounds in (verified, open_rounds))
        ratio = token_cost.ratio(open_rounds, verified)
        what = "GET with a valid token, server CPU"
        yield Row("token", what, ours, "without", reference, ratio, token_cost.TARGET, True, "×")

    # Against other stores

    def redis(self) -> Iterator[Row]:
        yield self.against(Webdis, "webdis.lua", "redis", "webdis + Redis, `appendfsync always`", 1.2)

    def etcd(self) -> Iterator[Row]:
        yield self.against(Etcd, "etcd.lua", "etcd", "etcd's JSON gateway", 4)

    def against(self, kind: type[Program], script: str, key: str, name: str, limit: float) -> Row:
        """Durable changes a second: the same bodies to new keys of both."""
        folder = self.folder(key)
        other = kind(folder / "reference")
        daemon = Daemon(folder, config={"storage": {"httpThreads": SERVER_THREADS}}, binary=self.options.binary)
        try:
            ours = Server.of(daemon.start(), "sessiond")
            body = document()
            # The reference stores it as one value; an id of as many bytes as ours stands in it.
            value = body.replace("ID", "0000-000000", 1)
            sent = value if kind is Webdis else Etcd.coded(value)

            def put_ours(number: int) -> Round:
                return ours.load("put.lua", self.seconds, f"{number:02d}", body)

            def put_other(number: int) -> Round:
                return other.server.load(script, self.seconds, f"{number:03d}", sent)

            for turn in (put_ours, put_other):
                turn(0)  # The warm-up.
            mine, others = alternate(
                self.rounds, lambda number: put_ours(number + 1), lambda number: put_other(number + 1)
            )
            check_statuses(daemon)
            other.check(sum(one.requests for one in others), f"{self.rounds:03d}-00000001", value)
            if daemon.terminate() != 0:
                sys.exit(f"the daemon did not stop in order\n{daemon.stderr}")
        finally:
            daemon.kill()
            other.stop()
        figures = [(median(rounds, "per_second"), "/s") for rounds in (mine, others)]
        return times(key, "durable PUT/s", name, figures, limit, at_most=False)

    def latency(self) -> Iterator[Row]:
        """The 99th percentile with requests at even distances, at half the rate that can be kept up at most."""
        folder = self.folder("latency")
        shop = Shop(self.options, folder, min(SOME_SESSIONS, self.options.sessions)).start()
        bare = speed.BareServer.storing(folder / "least", b"", 0)
        try:
            shop.ask(seconds=1)
            most = statistics.median(shop.ask(seconds=self.seconds).per_second for _ in range(self.rounds))
            rate = int(most / 2)
            rounds, least, syncs = [], [], []
            for _ in range(self.rounds):
                syncs.append(percentile(speed.sync_microseconds(shop.daemon.directory, SYNCS), 99))
                rounds.append(shop.ask("--rate", str(rate), seconds=self.seconds))
                if rounds[-1].per_second < 0.95 * rate:
                    sys.exit(f"the client could not keep up {rate} requests/s, but {rounds[-1].per_second:.0f}")
                least.append(shop.ask("--rate", str(rate), seconds=self.seconds, server=bare.server))
            check_statuses(shop.daemon)
            shop.stop()
        finally:
            bare.stop()
            shop.daemon.kill()
        ours, fewest = ((median(each, "p99_milliseconds"), "ms") for each in (rounds, least))
        sync = (statistics.median(syncs) / 1e3, "ms")
        what = f"durable PUT, p99 at half the maximal rate, {rate:,}/s"
        yield times("latency", what, "one fdatasync of 4 KiB, p99", [ours, sync], 10, at_most=True)
        yield times("latency least", "the same", LEAST, [ours, fewest], None, at_most=True)

    # In process

    def append(self) -> Iterator[Row]:
        folder = self.folder("append")
        bare = compiled("bare_append.c", folder, "-llmdb")
        ours, reference = [], []
        for number in range(self.rounds):
            mine, other = folder / f"{number}", folder / f"{number}-bare"
            other.mkdir()
            figures = bench(self.options, "append", mine, events=APPENDED_EVENTS, batch=BATCH)
            line = subprocess.run([bare, mine / "log", other, str(BATCH)], capture_output=True, text=True, check=True)
            events, batches, size, seconds, _ = line.stdout.split()
            if [int(events), int(batches), int(size)] != [figures[name] for name in ("events", "batches", "bytes")]:
                sys.exit(f"the reference appended something else than {figures}: {line.stdout}")
            ours.append(APPENDED_EVENTS / figures["seconds"])
            reference.append(APPENDED_EVENTS / float(seconds))
            shutil.rmtree(mine)
            shutil.rmtree(other)
        figures = [(statistics.median(rates), "events/s") for rates in (ours, reference)]
        against = "the same bytes with `MDB_APPEND` in C"
        yield times("append", f"in-process append, durable batches of {BATCH}", against, figures, 0.7, at_most=False)

    def replay(self) -> Iterator[Row]:
        folder = self.folder("replay")
        scan = compiled("bare_scan.c", folder, "-llmdb")
        sessions = min(SOME_SESSIONS, self.options.sessions)
        events = min(REPLAYED_EVENTS, self.options.events)
        # A commit for many events, since only the log that comes out counts here.
        bench(self.options, "append", folder, events=events, sessions=sessions, batch=4096)
        ours, reference = [], []
        for _ in range(self.rounds):
            figures = bench(self.options, "replay", folder)
            records, _, seconds, _ = subprocess.run(
                [scan, folder / "log"], capture_output=True, text=True, check=True
            ).stdout.split()
            if not figures["events"] == int(records) == events or figures["sessions"] != sessions:
                sys.exit(f"{events} events of {sessions} sessions came to {figures}, and {records} in the reference")
            ours.append(events / figures["processorSeconds"])
            reference.append(events / float(seconds))
        figures = [(statistics.median(rates), "events/s") for rates in (ours, reference)]
        what = f"replay: fold of one log of {events:,} events, by CPU"
        yield times("replay", what, "a cursor scan in C of every byte", figures, 0.3, at_most=False)
        rate = figures[0][0]
        yield Row("replay rate", "the same", f"{rate:,.0f} events/s", "", "", rate, 1e6, False, "events/s")

    # At size

    def large(self) -> Shop:
        """The store with many sessions, made once for all rows."""
        if self._large is None:
            self._large = Shop(self.options, self.folder("many"), self.options.sessions)
        return self._large

    def sizes(self) -> Iterator[Row]:
        many = self.large()
        few = Shop(self.options, self.folder("few"), min(FEW_SESSIONS, self.options.sessions // 2))
        shops = (many, few)
        try:
            for shop in shops:
                shop.start()
                shop.ask("--read", seconds=1)
                shop.ask(seconds=1)
            reads = alternate(self.rounds, *(shop.reading(self.seconds) for shop in shops))
            writes = alternate(self.rounds, *(shop.writing(self.seconds) for shop in shops))
            memory = [shop.anonymous_bytes() / (1 << 20) for shop in shops]
            for shop in shops:
                check_statuses(shop.daemon)
                shop.stop()
        finally:
            for shop in shops:
                shop.daemon.kill()
        at, against = f"at {many.sessions:,} sessions, at random", f"at {few.sessions:,}"
        cpu = [(median(rounds, "cpu_microseconds"), "µs") for rounds in reads]
        rate = [(median(rounds, "per_second"), "/s") for rounds in writes]
        yield times("size get", f"GET, server CPU, {at}", against, cpu, 1.3, at_most=True)
        yield times("size put", f"durable PUT/s {at}", against, rate, 0.5, at_most=False)
        ours, reference = (f"{value:,.0f} MiB" for value in memory)
        what = f"anonymous memory after both, {at}"
        yield Row("size memory", what, ours, against, reference, memory[0] - memory[1], 64, True, "MiB more")

    def start(self) -> Iterator[Row]:
        shop = self.large()
        daemon = shop.daemon
        bench(self.options, "fill", daemon.data, sessions=shop.sessions, events=self.options.events)
        taken = []
        try:
            for _ in range(self.rounds):
                started = time.monotonic()
                daemon.start()
                taken.append(time.monotonic() - started)
                if "replayed" in daemon.stderr:
                    sys.exit(f"the projections were not clean\n{daemon.stderr}")
                events = metric_when_told(daemon, "sessiond_log_events_total")
                if events < self.options.events:
                    sys.exit(f"the log holds {events} events")
                shop.stop()
        finally:
            daemon.kill()
        seconds = statistics.median(taken)
        what = f"start until ready, {events:,.0f} events of {shop.sessions:,} sessions, projections clean"
        yield Row("start", what, f"{seconds:.2f} s", "", "", seconds, 1, True, "s")

    # On disk

    def bytes(self) -> Iterator[Row]:
        daemon = Daemon(self.folder("bytes"), binary=self.options.binary)
        try:
            daemon.start()
            path = path_of(str(uuid.uuid4()))
            body = document().replace('"sessionId":"ID",', "")
            if (answer := daemon.request("PUT", f"{path}?upsert=true", body=body)).status != 204:
                sys.exit(f"the session was not begun: {answer}")
            before = metric(daemon, "sessiond_log_bytes")
            for version in range(1, CHANGES + 1):
                change = {"currency": ("USD", "EUR")[version % 2], "metadata": {"version": version}}
                answer = daemon.request("PATCH", path, change, headers={"X-Request-Id": str(uuid.uuid4())})
                if answer.status != 204:
                    sys.exit(f"change {version} got {answer}")
            grown = (metric(daemon, "sessiond_log_bytes") - before) / CHANGES
            if daemon.terminate() != 0:
                sys.exit(f"the daemon did not stop in order\n{daemon.stderr}")
        finally:
            daemon.kill()
        what = "log bytes for a change of one field, the ids of session and request with 36 bytes"
        yield Row("bytes", what, f"{grown:.0f} bytes", "", "", grown, 350, True, "bytes")


GROUPS: dict[str, Callable[[Measurement], Iterator[Row]]] = {
    "http": Measurement.http,
    "token": Measurement.token,
    "redis": Measurement.redis,
    "etcd": Measurement.etcd,
    "latency": Measurement.latency,
    "append": Measurement.append,
    "replay": Measurement.replay,
    "sizes": Measurement.sizes,
    "bytes": Measurement.bytes,
    "start": Measurement.start,
}


def percentile(ordered: list[float], share: int) -> float:
    return ordered[(len(ordered) - 1) * share // 100]


def metric(daemon: Daemon, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", daemon.admin("/metrics").body.decode(), re.MULTILINE)
    if not found:
        sys.exit(f"{name} isn't among the metrics")
    return float(found[1])


def metric_when_told(daemon: Daemon, name: str) -> float:
    """A figure that the writer sets in its first second."""
    deadline = time.monotonic() + 5
    while (value := metric(daemon, name)) == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


def markdown(rows: list[Row]) -> str:
    lines = ["| what | sessiond | reference | measured | wanted |", "|---|---|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row.cells())} |" for row in rows])


def machine(directory: Path) -> dict:
    """What the figures depend on."""
    names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "cpus": os.cpu_count(),
        "cpu": names[0] if names else "",
        "kernel": os.uname().release,
        "sync_microseconds": statistics.median(speed.sync_microseconds(directory)),
        "load": os.getloadavg()[0],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--bench", type=Path, default=REPOSITORY / ".build/release/sessionbench")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(GROUPS), metavar="|".join(GROUPS))
    parser.add_argument("--sessions", type=int, default=5_000_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--directory", type=Path, help="where to put the data, on a disk; default: the system's")
    parser.add_argument("--output", type=Path, help="a file for the figures, as JSON")
    options = parser.parse_args()
    if unknown := set(options.only) - set(GROUPS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    check_tools(options, "wrk", "cc", *(("redis-server", "webdis") if "redis" in options.only else ()))
    check_tools(options, *(("etcd",) if "etcd" in options.only else ()))
    if not options.bench.exists():
        sys.exit(f"{options.bench} is missing: swift build -c release, or name another one with --bench")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="sessiond-table-", dir=options.directory) as name:
        measurement = Measurement(options, Path(name))
        surroundings = machine(Path(name))
        for group in (group for group in GROUPS if group in options.only):
            started = time.monotonic()
            for row in GROUPS[group](measurement):
                rows.append(row)
                print(f"{row.key}: {' | '.join(row.cells()[1:])}{'' if row.is_met else '   MISSED'}", flush=True)
            print(f"  ({group} took {time.monotonic() - started:.0f} s)", file=sys.stderr)
    print(
        f"\n{surroundings['cpus']} CPUs ({surroundings['cpu']}), {options.rounds} rounds of {options.seconds:g} s, "
        f"{CONNECTIONS} connections, {DOCUMENT_BYTES} bytes a document, {surroundings['sync_microseconds']:,.0f} µs to "
        f"make 4 KiB durable, load of the machine at the start: {surroundings['load']:.1f}\n\n{markdown(rows)}"
    )
    if options.output:
        figures = {"machine": surroundings, "rounds": options.rounds, "seconds": options.seconds}
        figures["rows"] = [row.stored() for row in rows]
        options.output.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    missed = [row.key for row in rows if not row.is_met]
    print(f"\n{len(rows) - len(missed)} of {len(rows)} rows as wanted; missed: {', '.join(missed) or 'none'}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
