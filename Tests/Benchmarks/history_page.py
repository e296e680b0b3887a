"""Measures how long the first page of a session's history takes: with 100 events, and with many in the same log.

    python3 history_page.py [--binary FILE] [--events 100000] [--rounds 200]

Pages of both sessions are read in turns, by one connection. A figure is the median of all rounds. The times are only
printed; what the pages must hold is checked. Needs wrk.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from load import Daemon, Server, add_options, check_tools, path_of, print_table

FEW = 100
PAGE = 50


def version(daemon: Daemon, session: str) -> int:
    return json.loads(daemon.request("GET", path_of(session)).body)["metadata"]["version"]


def first_page(daemon: Daemon, session: str, newest: int) -> float:
    """Reads the page, which must begin with the newest event, and returns how long that took."""
    started = time.perf_counter()
    answer = daemon.request("GET", path_of(session) + f"/events?limit={PAGE}")
    used = time.perf_counter() - started
    events = json.loads(answer.body)["events"]
    if [event["sessionversion"] for event in events] != list(range(newest, newest - PAGE, -1)):
        sys.exit(f"the first page of {session} is wrong: {answer}")
    return used


def measure(options: argparse.Namespace, directory: Path):
    daemon = Daemon(directory, binary=options.binary)
    try:
        daemon.start()
        server = Server.of(daemon, "sessiond")
        for session in ("few", "many"):
            assert daemon.request("PUT", path_of(session) + "?upsert=true", body=b"{}").status == 204
        attribute = {"Content-Type": "application/json"}
        for number in range(FEW - 1):
            body = json.dumps({"key": "note", "value": number}).encode()
            assert daemon.request("POST", path_of("few") + "/attributes", body=body, headers=attribute).status == 204
        while version(daemon, "many") < options.events:
            server.load("history.lua", 2, "many")
        newest = {session: version(daemon, session) for session in ("few", "many")}
        times: dict[str, list[float]] = {"few": [], "many": []}
        for _ in range(options.rounds):
            for session, taken in times.items():
                taken.append(first_page(daemon, session, newest[session]) * 1e6)
        few, many = statistics.median(times["few"]), statistics.median(times["many"])
        print_table([
            ("events of the session", "first page", "ratio"),
            (f"{newest['few']:,}", f"{few:,.0f} µs", ""),
            (f"{newest['many']:,}", f"{many:,.0f} µs", f"{many / few:.2f}"),
        ])  # fmt: skip
        if daemon.terminate() != 0:
            sys.exit(f"the daemon did not stop in order\n{daemon.stderr}")
    finally:
        daemon.kill()


def main():
    parser = argparse.ArgumentParser(description="Measures a history's first page; see the head of this file.")
    add_options(parser)
    parser.add_argument("--events", type=int, default=100_000)
    parser.set_defaults(rounds=200)
    options = parser.parse_args()
    check_tools(options, "wrk")
    with tempfile.TemporaryDirectory(prefix="sessiond-history-") as directory:
        measure(options, Path(directory))


if __name__ == "__main__":
    main()
