"""What recording many expiries at once costs the writers beside it: python expiry.py --sessions 1000000

Fills a store with sessions that expire all together, and compares the latencies of 64 writers of other sessions
undisturbed and while the sweeper works them off.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from load import CONNECTIONS, HERE, Daemon, Server, add_options, check_tools, document, print_table

UNIT = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def figure(daemon: Daemon, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", daemon.admin("/metrics").body.decode(), re.MULTILINE)
    return float(found[1])


def write(daemon: Daemon, prefix: str, seconds: float) -> tuple[float, float, float]:
    """Lets the writers work; returns changes a second, and the median and 99th percentile in milliseconds."""
    body = document().replace('"siteCode"', '"customerId":"c1","siteCode"')
    command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds:g}s", "--latency", "--timeout", "10s"]
    command += ["-s", str(HERE / "put.lua"), f"http://{daemon.address}", "--", prefix, body]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    times = {share: float(value) * UNIT[unit] for share, value, unit in re.findall(r"(\d+)% +([\d.]+)(us|ms|s)", output)}
    rate = float(re.search(r"Requests/sec: +([\d.]+)", output)[1])
    return rate, times["50"], times["99"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--sessions", type=int, default=200_000)
    options = parser.parse_args()
    check_tools(options, "wrk")
    with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
        daemon = Daemon(Path(folder), config={"anonymousTTLSeconds": 0}, binary=options.binary).start()
        server = Server.of(daemon, "sessiond")
        number = 0
        while figure(daemon, "sessiond_log_events_total") < options.sessions:
            server.load("put.lua", 5, f"{number:02d}", document())
            number += 1
            time.sleep(1.1)
        write(daemon, "warm", 2)
        quiet = [write(daemon, f"q{number}", options.seconds) for number in range(options.rounds)]
        daemon.terminate()
        daemon.config = {"anonymousTTLSeconds": 1}
        started = time.monotonic()
        daemon.start()
        busy = []
        while True:
            before = figure(daemon, "sessiond_expired_sessions_total")
            turn = write(daemon, f"b{len(busy)}", options.seconds)
            expired = figure(daemon, "sessiond_expired_sessions_total") - before
            if figure(daemon, "sessiond_sweep_backlog") == 0:
                break
            busy.append((*turn, expired / options.seconds))
        seconds = time.monotonic() - started
        total = figure(daemon, "sessiond_expired_sessions_total")
        status = daemon.terminate()
    if status or not busy:
        sys.exit("the sweep ended before it could be measured; take more --sessions")
    rows = [("", "changes/s", "median ms", "p99 ms", "expiries/s")]
    rows += [("undisturbed", f"{r:,.0f}", f"{m:.2f}", f"{p:.1f}", "") for r, m, p in quiet]
    rows += [("while sweeping", f"{r:,.0f}", f"{m:.2f}", f"{p:.1f}", f"{e:,.0f}") for r, m, p, e in busy]
    print_table(rows)
    middle = lambda values: sorted(values)[len(values) // 2]  # noqa: E731
    ratio = middle([m for _, m, _, _ in busy]) / middle([m for _, m, _ in quiet])
    print(f"{total:,.0f} expiries in {seconds:.0f} s; the writers' median is {ratio:.2f} of the undisturbed one")


if __name__ == "__main__":
    main()
