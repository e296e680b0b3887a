"""Measures what it costs the daemon to look at a token: a GET with a valid ES256 token against one with auth none.

    python3 token_cost.py [--binary FILE] [--rounds 5] [--seconds 3]

Two daemons with the same data take turns: one lets in everybody, the other who has a token. One load thread of wrk,
64 connections, distinct sessions, documents of 400 bytes. A figure is the median of the rounds; CPU is what the kernel
counts for the server's process. The first daemon is also measured with the token in each request, which it doesn't look
at: that tells receiving the token from verifying it. The ratio is the median of the rounds' ratios, so that a load of
the machine that comes and goes counts on both sides. The status of every answer is checked, and that the second daemon
refuses other callers; the figures themselves are only printed. Needs wrk and the package `cryptography`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
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
    path_of,
    print_table,
    spread,
)

sys.path.insert(0, str(HERE.parent / "outside"))

from callers import KeyFile, bearer  # noqa: E402
from tokens import Issuer  # noqa: E402

TARGET = 1.1


def check_refusal(daemon: Daemon):
    """The daemon with tokens really looks at them. This one refusal is its first answer."""
    answer = daemon.request("GET", path_of("00-00000000"))
    if answer.status != 401:
        sys.exit(f"a GET without a token got {answer}")


def compare(options: argparse.Namespace, directory: Path) -> tuple[list[Round], list[Round], list[Round]]:
    """The rounds of the daemon that lets in everybody, without and with a token, and of the other one, with it."""
    issuer = Issuer()
    keys = KeyFile(issuer, directory / "jwks.json").write()
    storage = {"storage": {"httpThreads": SERVER_THREADS}}
    folders = [directory / name for name in ("open", "guarded")]
    for folder in folders:
        folder.mkdir()
    everybody = Daemon(folders[0], config=storage, binary=options.binary)
    guarded = Daemon(folders[1], config=storage | {"issuers": [keys.entry()]}, options=(), binary=options.binary)
    try:
        # 1. The same data for both.
        everybody.start()
        count = options.read
        fill(everybody, Server.of(everybody, "auth none"), document(), 2.0, count)
        if everybody.terminate() != 0:
            sys.exit(f"the daemon did not stop in order\n{everybody.stderr}")
        shutil.copytree(everybody.data, guarded.data)
        everybody.start()
        guarded.start()
        check_refusal(guarded)
        # 2. Turns.
        token = bearer(issuer.service(exp=int(time.time()) + 86_400))
        open_server, guarded_server = Server.of(everybody, "auth none"), Server.of(guarded, "ES256 token")

        def get(server: Server, headers: dict[str, str], seconds: float = options.seconds) -> Callable[[int], Round]:
            return lambda _: server.load("get.lua", seconds, "00", str(count), headers=headers)

        for server in (open_server, guarded_server):
            get(server, token, 1)(0)
        turns = get(open_server, {}), get(open_server, token), get(guarded_server, token)
        bare, ignored, verified = alternate(options.rounds, *turns)
        check_statuses(everybody)
        check_statuses(guarded, but={("getContext", "401"): 1})
        for daemon in (everybody, guarded):
            if daemon.terminate() != 0:
                sys.exit(f"the daemon did not stop in order\n{daemon.stderr}")
        return bare, ignored, verified
    finally:
        everybody.kill()
        guarded.kill()


def ratio(bare: list[Round], verified: list[Round], figure: str = "cpu_microseconds") -> float:
    """How many times as much it is with a verified token: the median of the rounds."""
    return statistics.median(getattr(after, figure) / getattr(before, figure) for before, after in zip(bare, verified))


def measure(options: argparse.Namespace, directory: Path):
    load = os.getloadavg()[0]
    bare, ignored, verified = compare(options, directory)
    print(
        f"{os.cpu_count()} CPUs, {options.rounds} rounds of {options.seconds:g} s, {CONNECTIONS} connections, "
        f"{DOCUMENT_BYTES} bytes a document, load of the machine at the start: {load:.1f}\n"
    )
    rows = [("", "auth none", "token ignored", "token verified", "ratio", "target", "range with token")]
    for name, figure, digits, target in (
        ("CPU µs a GET", "cpu_microseconds", 2, f"<= {TARGET}"),
        ("GET/s", "per_second", 0, ""),
        ("GET p99 ms", "p99_milliseconds", 2, ""),
    ):
        cells = [f"{median(rounds, figure):,.{digits}f}" for rounds in (bare, ignored, verified)]
        rows.append((name, *cells, f"{ratio(bare, verified, figure):.3f}", target, spread(verified, figure)))
    print_table(rows)


def main():
    parser = argparse.ArgumentParser(description="Measures what a token costs; see the head of this file.")
    add_options(parser)
    options = parser.parse_args()
    check_tools(options, "wrk")
    with tempfile.TemporaryDirectory(prefix="sessiond-token-cost-") as directory:
        measure(options, Path(directory))


if __name__ == "__main__":
    main()
