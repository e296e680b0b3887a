"""Measures how fast the daemon is, against a libmicrohttpd server that sends the same bytes and does nothing else.

    python3 speed.py [--binary FILE] [--rounds 5] [--seconds 3] [--directory DIR]

One load thread of wrk, 64 connections, distinct sessions, documents of 400 bytes. A figure is the median of several
rounds in which the daemon and the bare server take turns. CPU is what the kernel counts for the server's process. The
status of every answer is checked; the figures themselves are only printed. Needs wrk, cc and libmicrohttpd's header.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "outside"))

from daemon import REPOSITORY, Daemon, path_of  # noqa: E402

CONNECTIONS = 64
SERVER_THREADS = 2
READ_SESSIONS = 20_000
DOCUMENT_BYTES = 400
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
GET_TARGET = 1.4
PUT_TARGET = 25_000


@dataclass
class Round:
    """What one run of wrk came to."""

    requests: int
    seconds: float
    cpu_seconds: float
    p99_milliseconds: float

    @property
    def cpu_microseconds(self) -> float:
        return self.cpu_seconds / self.requests * 1e6

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


@dataclass
class Server:
    name: str
    port: str
    pid: int

    def cpu_seconds(self) -> float:
        # proc(5): utime and stime are the 14th and 15th field; the second may hold blanks, but ends with the last ")".
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def load(self, script: str, seconds: float, *arguments: str) -> Round:
        command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds:g}s", "--timeout", "10s"]
        command += ["-s", str(HERE / script), f"http://127.0.0.1:{self.port}", "--", *arguments]
        before = self.cpu_seconds()
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        used = self.cpu_seconds() - before
        found = re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+) (\d+)$", output, re.MULTILINE)
        if not found:
            sys.exit(f"wrk gave no result:\n{output}")
        requests, microseconds, broken, refused, p99 = map(int, found.groups())
        if broken or refused or not requests:
            sys.exit(f"{self.name}: of {requests} requests {broken} broke and {refused} were refused\n{output}")
        return Round(requests, microseconds / 1e6, used, p99 / 1e3)


def document() -> str:
    """The body of a PUT: the whole document that a GET would answer, 400 bytes with an id of 11 characters for `ID`."""
    head = '{"sessionId":"ID","siteCode":"main","currency":"EUR","cartId":"61079711ce0eb90861357045",'
    head += '"targetLocation":"DE","language":"de","context":{"channel":"web","note":"'
    tail = '"},"metadata":{"version":1,"createdAt":"2022-09-20T12:33:52.456Z","modifiedAt":"2022-09-20T12:33:52.456Z"}}'
    return head + "x" * (DOCUMENT_BYTES - len(head) - len(tail) - 9) + tail


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_bare(directory: Path, content: bytes) -> tuple[Server, subprocess.Popen]:
    binary = directory / "bare_mhd"
    subprocess.run(["cc", "-O2", "-o", binary, HERE / "bare_mhd.c", "-lmicrohttpd"], check=True)
    (directory / "content").write_bytes(content)
    port = free_port()
    process = subprocess.Popen([binary, "--port", str(port), "--threads", str(SERVER_THREADS), directory / "content"])
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return Server("bare", str(port), process.pid), process
        except ConnectionRefusedError:
            continue
    process.kill()
    sys.exit("the bare server did not start")


def answered(daemon: Daemon) -> dict[tuple[str, str], int]:
    """The daemon's own count of answers by operation and status."""
    lines = daemon.admin("/metrics").body.decode().splitlines()
    pattern = re.compile(r'sessiond_requests_total\{operation="(\w+)",status="(\d+)"\} (\d+)')
    return {(found[1], found[2]): int(found[3]) for found in map(pattern.fullmatch, lines) if found}


def check_statuses(daemon: Daemon):
    """Every answer of the whole run has the status that it should have."""
    wrong = {
        key: count
        for key, count in answered(daemon).items()
        if key not in (("getContext", "200"), ("replaceContext", "204"))
    }
    if wrong:
        sys.exit(f"answers with other statuses than 200 and 204: {wrong}")


def sync_microseconds(directory: Path) -> float:
    """How long the disk takes to make 4 KiB durable: the median of 200."""
    times = []
    with open(directory / "sync", "wb") as file:
        for _ in range(200):
            file.write(bytes(4096))
            file.flush()
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e6


def alternate(
    rounds: int, first: Callable[[int], Round], second: Callable[[int], Round]
) -> tuple[list[Round], list[Round]]:
    """A B A B …"""
    pairs = [(first(number), second(number)) for number in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def median(rounds: list[Round], figure: str) -> float:
    return statistics.median(getattr(one, figure) for one in rounds)


def spread(rounds: list[Round], figure: str) -> str:
    values = sorted(getattr(one, figure) for one in rounds)
    return f"{values[0]:,.1f} to {values[-1]:,.1f}" if values[-1] < 1000 else f"{values[0]:,.0f} to {values[-1]:,.0f}"


def measure(options: argparse.Namespace, directory: Path):
    daemon = Daemon(directory, config={"storage": {"httpThreads": SERVER_THREADS}}, binary=options.binary)
    bare_process = None
    load = os.getloadavg()[0]
    try:
        daemon.start()
        ours = Server("sessiond", daemon.address.rpartition(":")[2], daemon.process.pid)
        body = document()
        created = ours.load("put.lua", max(2.0, options.seconds), "00", body)  # Also the warm-up.
        # The last ones of each connection may have been left without an answer.
        count = min(READ_SESSIONS, created.requests - 2 * CONNECTIONS)
        answer = daemon.request("GET", path_of(f"00-{count:08d}"))
        if answer.status != 200 or len(answer.body) != DOCUMENT_BYTES:
            sys.exit(f"a document of {DOCUMENT_BYTES} bytes should be there, but a GET got {answer}")
        bare, bare_process = start_bare(directory, answer.body)
        bare.load("get.lua", 1, "00", str(count))
        ours.load("get.lua", 1, "00", str(count))

        def get(server: Server) -> Callable[[int], Round]:
            return lambda _: server.load("get.lua", options.seconds, "00", str(count))

        def put(server: Server) -> Callable[[int], Round]:
            return lambda number: server.load("put.lua", options.seconds, f"{number + 1:02d}", body)

        gets, bare_gets = alternate(options.rounds, get(ours), get(bare))
        puts, bare_puts = alternate(options.rounds, put(ours), put(bare))
        check_statuses(daemon)
        print(
            f"{os.cpu_count()} CPUs, {options.rounds} rounds of {options.seconds:g} s, {CONNECTIONS} connections, "
            f"{DOCUMENT_BYTES} bytes a document, load of the machine at the start: {load:.1f}\n"
            f"data in {directory}: {sync_microseconds(directory):,.0f} µs to make 4 KiB durable\n"
        )
        rows = [("", "sessiond", "bare", "ratio", "target", "range of sessiond")]
        for name, mine, others, target in (
            ("CPU µs a GET", gets, bare_gets, f"<= {GET_TARGET}"),
            ("CPU µs a durable PUT", puts, bare_puts, ""),
        ):
            ours_figure, bare_figure = median(mine, "cpu_microseconds"), median(others, "cpu_microseconds")
            rows.append((
                name, f"{ours_figure:.1f}", f"{bare_figure:.1f}", f"{ours_figure / bare_figure:.2f}", target,
                spread(mine, "cpu_microseconds"),
            ))  # fmt: skip
        for name, mine, others, target in (
            ("GET/s", gets, bare_gets, ""),
            ("durable PUT/s", puts, bare_puts, f">= {PUT_TARGET:,}"),
        ):
            ours_figure, bare_figure = median(mine, "per_second"), median(others, "per_second")
            rows.append((
                name, f"{ours_figure:,.0f}", f"{bare_figure:,.0f}", f"{ours_figure / bare_figure:.2f}", target,
                spread(mine, "per_second"),
            ))  # fmt: skip
        for name, mine, others in (("GET p99 ms", gets, bare_gets), ("durable PUT p99 ms", puts, bare_puts)):
            figures = median(mine, "p99_milliseconds"), median(others, "p99_milliseconds")
            rows.append((name, f"{figures[0]:.2f}", f"{figures[1]:.2f}", "", "", spread(mine, "p99_milliseconds")))
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        for row in rows:
            cells = [row[0].ljust(widths[0])] + [row[column].rjust(widths[column]) for column in range(1, 6)]
            print("  ".join(cells).rstrip())
        if daemon.terminate() != 0:
            sys.exit(f"the daemon did not stop in order\n{daemon.stderr}")
    finally:
        if bare_process is not None:
            bare_process.kill()
            bare_process.wait()
        daemon.kill()


def main():
    parser = argparse.ArgumentParser(description="Measures how fast the daemon is; see the head of this file.")
    parser.add_argument("--binary", type=Path, default=REPOSITORY / ".build/release/sessiond")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument(
        "--directory", type=Path, help="where to put the data; default: the system's for temporary files"
    )
    options = parser.parse_args()
    for program in ("wrk", "cc"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is missing")
    if not options.binary.exists():
        sys.exit(f"{options.binary} is missing: swift build -c release, or name another one with --binary")
    directory = Path(tempfile.mkdtemp(prefix="sessiond-speed-", dir=options.directory))
    try:
        measure(options, directory)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
