"""Measures how fast the daemon is, against a libmicrohttpd server that sends the same bytes and does nothing else.

    python3 speed.py [--binary FILE] [--rounds 5] [--seconds 3] [--directory DIR]

One load thread of wrk, 64 connections, distinct sessions, documents of 400 bytes. A figure is the median of several
rounds in which the daemon and the bare server take turns. CPU is what the kernel counts for the server's process. The
status of every answer is checked; the figures themselves are only printed. Needs wrk, cc and libmicrohttpd's header.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from load import (
    CONNECTIONS,
    DOCUMENT_BYTES,
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
    fill,
    free_port,
    median,
    print_table,
    spread,
)

GET_TARGET = 1.2
PUT_TARGET = 2.5


def start_bare(directory: Path, content: bytes) -> tuple[Server, subprocess.Popen]:
    binary = compiled("bare_mhd.c", directory, "-lmicrohttpd")
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


def sync_microseconds(directory: Path, count: int = 200) -> list[float]:
    """How long the disk takes to make 4 KiB durable, again and again, in order of time taken."""
    times = []
    with open(directory / "sync", "wb", buffering=0) as file:
        for _ in range(count):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - started) * 1e6)
    return sorted(times)


@dataclass
class Speed:
    """The rounds of reading and writing, of the daemon and of the bare server."""

    gets: list[Round]
    bare_gets: list[Round]
    puts: list[Round]
    bare_puts: list[Round]


def compare(options: argparse.Namespace, directory: Path) -> Speed:
    """Has the daemon and the bare server take turns. Ends the process when an answer is not as it should be."""
    daemon = Daemon(directory, config={"storage": {"httpThreads": SERVER_THREADS}}, binary=options.binary)
    bare_process = None
    try:
        daemon.start()
        ours = Server.of(daemon, "sessiond")
        body = document()
        count = options.read
        answer = fill(daemon, ours, body, max(2.0, options.seconds), count)  # Also the warm-up.
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
        if daemon.terminate() != 0:
            sys.exit(f"the daemon did not stop in order\n{daemon.stderr}")
        return Speed(gets, bare_gets, puts, bare_puts)
    finally:
        if bare_process is not None:
            bare_process.kill()
            bare_process.wait()
        daemon.kill()


def measure(options: argparse.Namespace, directory: Path):
    load = os.getloadavg()[0]
    sync = statistics.median(sync_microseconds(directory))
    speed = compare(options, directory)
    print(
        f"{os.cpu_count()} CPUs, {options.rounds} rounds of {options.seconds:g} s, {CONNECTIONS} connections, "
        f"{DOCUMENT_BYTES} bytes a document, load of the machine at the start: {load:.1f}\n"
        f"data in {directory}: {sync:,.0f} µs to make 4 KiB durable\n"
    )
    rows = [("", "sessiond", "bare", "ratio", "target", "range of sessiond")]
    pairs = {"GET": (speed.gets, speed.bare_gets), "durable PUT": (speed.puts, speed.bare_puts)}
    for name, figure, digits in (
        ("CPU µs a {}", "cpu_microseconds", 1), ("{}/s", "per_second", 0), ("{} p99 ms", "p99_milliseconds", 2),
    ):  # fmt: skip
        for (operation, (mine, others)), target in zip(pairs.items(), (GET_TARGET, PUT_TARGET)):
            ours_figure, bare_figure = median(mine, figure), median(others, figure)
            rows.append((
                name.format(operation), f"{ours_figure:,.{digits}f}", f"{bare_figure:,.{digits}f}",
                f"{ours_figure / bare_figure:.2f}", f"<= {target}" if figure == "cpu_microseconds" else "",
                spread(mine, figure),
            ))  # fmt: skip
    print_table(rows)


def main():
    parser = argparse.ArgumentParser(description="Measures how fast the daemon is; see the head of this file.")
    add_options(parser)
    parser.add_argument(
        "--directory", type=Path, help="where to put the data; default: the system's for temporary files"
    )
    options = parser.parse_args()
    check_tools(options, "wrk", "cc")
    with tempfile.TemporaryDirectory(prefix="sessiond-speed-", dir=options.directory) as directory:
        measure(options, Path(directory))


if __name__ == "__main__":
    main()
