"""Measures how fast the daemon is, against a libmicrohttpd server that sends the same bytes and does nothing else, and
against the least that a store in C with the same threads has to do: see bare_mhd.c.

    python3 speed.py [--binary FILE] [--rounds 5] [--seconds 3] [--directory DIR]

One load thread of wrk, 64 connections, distinct sessions, documents of 400 bytes. A figure is the median of several
rounds in which the servers take turns. CPU is what the kernel counts for the server's process. The status of every
answer is checked; the figures themselves are only printed. Needs wrk, cc and the headers of libmicrohttpd and LMDB.
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


class BareServer:
    """A running bare_mhd."""

    def __init__(self, directory: Path, content: bytes, *options: str):
        directory.mkdir()
        binary = compiled("bare_mhd.c", directory, "-lmicrohttpd", "-llmdb", "-lpthread")
        (directory / "content").write_bytes(content)
        port = free_port()
        line = [binary, "--port", str(port), "--threads", str(SERVER_THREADS), *options, directory / "content"]
        self.process = subprocess.Popen(line)
        deadline = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                self.server = Server("bare", str(port), self.process.pid)
                return
            except ConnectionRefusedError:
                time.sleep(0.01)
        self.stop()
        sys.exit("the bare server did not start")

    @staticmethod
    def storing(directory: Path, content: bytes, sessions: int) -> BareServer:
        """One that looks up and commits."""
        store = directory.with_name(f"{directory.name}-store")
        store.mkdir()
        return BareServer(directory, content, "--store", str(store), "--sessions", str(sessions))

    def stop(self):
        self.process.kill()
        self.process.wait()


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
    """The rounds of reading and writing, of the daemon, of the bare server and of the one that stores."""

    gets: list[Round]
    bare_gets: list[Round]
    store_gets: list[Round]
    puts: list[Round]
    bare_puts: list[Round]
    store_puts: list[Round]


def compare(options: argparse.Namespace, directory: Path) -> Speed:
    """Has the daemon and the bare servers take turns. Ends the process when an answer is not as it should be."""
    daemon = Daemon(directory, config={"storage": {"httpThreads": SERVER_THREADS}}, binary=options.binary)
    bares: list[BareServer] = []
    try:
        daemon.start()
        ours = Server.of(daemon, "sessiond")
        body = document()
        count = options.read
        answer = fill(daemon, ours, body, max(2.0, options.seconds), count)  # Also the warm-up.
        bares.append(BareServer(directory / "bare", answer.body))
        bares.append(BareServer.storing(directory / "least", answer.body, count))
        servers = [ours, *(bare.server for bare in bares)]
        for server in servers:
            server.load("get.lua", 1, "00", str(count))

        def get(server: Server) -> Callable[[int], Round]:
            return lambda _: server.load("get.lua", options.seconds, "00", str(count))

        def put(server: Server) -> Callable[[int], Round]:
            return lambda number: server.load("put.lua", options.seconds, f"{number + 1:02d}", body)

        gets = alternate(options.rounds, *map(get, servers))
        puts = alternate(options.rounds, *map(put, servers))
        check_statuses(daemon)
        if daemon.terminate() != 0:
            sys.exit(f"the daemon did not stop in order\n{daemon.stderr}")
        return Speed(*gets, *puts)
    finally:
        for bare in bares:
            bare.stop()
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
    rows = [("", "sessiond", "bare", "ratio", "target", "storing, in C", "ratio", "range of sessiond")]
    measured = {
        "GET": (speed.gets, speed.bare_gets, speed.store_gets),
        "durable PUT": (speed.puts, speed.bare_puts, speed.store_puts),
    }
    for name, figure, digits in (
        ("CPU µs a {}", "cpu_microseconds", 1), ("{}/s", "per_second", 0), ("{} p99 ms", "p99_milliseconds", 2),
    ):  # fmt: skip
        for (operation, servers), target in zip(measured.items(), (GET_TARGET, PUT_TARGET)):
            ours, bare, least = (median(rounds, figure) for rounds in servers)
            rows.append((
                name.format(operation), f"{ours:,.{digits}f}", f"{bare:,.{digits}f}", f"{ours / bare:.2f}",
                f"<= {target}" if figure == "cpu_microseconds" else "", f"{least:,.{digits}f}", f"{ours / least:.2f}",
                spread(servers[0], figure),
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
