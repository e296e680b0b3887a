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
from pathlib import Path

from load import (
    CONNECTIONS,
    DOCUMENT_BYTES,
    HERE,
    SERVER_THREADS,
    Daemon,
    Round,
    Server,
    add_options,
    alternate,
    check_statuses,
    check_tools,
    document,
    fill,
    median,
    print_table,
    spread,
)

GET_TARGET = 1.4
PUT_TARGET = 25_000


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


def measure(options: argparse.Namespace, directory: Path):
    daemon = Daemon(directory, config={"storage": {"httpThreads": SERVER_THREADS}}, binary=options.binary)
    bare_process = None
    load = os.getloadavg()[0]
    try:
        daemon.start()
        ours = Server.of(daemon, "sessiond")
        body = document()
        count, answer = fill(daemon, ours, body, max(2.0, options.seconds))  # Also the warm-up.
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
        print_table(rows)
        if daemon.terminate() != 0:
            sys.exit(f"the daemon did not stop in order\n{daemon.stderr}")
    finally:
        if bare_process is not None:
            bare_process.kill()
            bare_process.wait()
        daemon.kill()


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
