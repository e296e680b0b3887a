"""Measures how fast sessionctl verifies and rebuilds, beside a plain scan of the same log with an LMDB cursor.

    python3 verify_speed.py [--binary SESSIOND] [--control SESSIONCTL] [--events 1000000] [--sessions 50000]
                            [--rounds 5] [--directory DIR | --data DIR]

The log is filled over HTTP with events of about 300 bytes; --data measures one that is there. A figure is the median of
several rounds of CPU time, children included, so that other work on the machine counts little; elapsed time is beside it.
The figures are only printed; what a round must come to (no findings, equal projections) is checked. Needs wrk, cc and
LMDB's header.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "outside"))

from daemon import REPOSITORY, Daemon, environment

VALUE_BYTES = 128
VERIFY_TARGET = 400_000
REBUILD_TARGET = 500_000


def control(options: argparse.Namespace, data: Path, *arguments: str) -> dict:
    command = [str(options.control), "--data-dir", str(data), *arguments, "--json"]
    return json.loads(subprocess.run(command, capture_output=True, check=True, env=environment()).stdout)


def fill(options: argparse.Namespace, directory: Path) -> Path:
    # Nothing expires, so that the sweeper adds no events.
    daemon = Daemon(directory, config={"anonymousTTLSeconds": 0}, binary=options.binary).start()
    try:
        url = f"http://{daemon.address}"
        events = 0
        while events < options.events:
            command = ["wrk", "-t", "1", "-c", "64", "-d", "10s", "--timeout", "10s", "-s", str(HERE / "fill.lua"), url]
            command += ["--", str(options.sessions), str(VALUE_BYTES), str(events)]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found = re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+) (\d+)$", output, re.MULTILINE)
            if not found or int(found[3]):
                sys.exit(f"the log could not be filled:\n{output}")
            events = control(options, daemon.data, "status")["events"]
            print(f"{events:,} events", file=sys.stderr)
        assert daemon.terminate() == 0, daemon.stderr
    finally:
        daemon.kill()
    return daemon.data


def timed(command: list[str]) -> tuple[float, float, str]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    elapsed = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode != 0:
        sys.exit(f"{command} ended with {run.returncode}\n{run.stdout}\n{run.stderr}")
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return cpu, elapsed, run.stdout


def measure(options: argparse.Namespace, data: Path, directory: Path):
    scan = directory / "bare_scan"
    subprocess.run(["cc", "-O2", "-o", str(scan), str(HERE / "bare_scan.c"), "-llmdb"], check=True)
    base = [str(options.control), "--data-dir", str(data)]
    scans, verifications, rebuilds = [], [], []
    for _ in range(options.rounds):
        records, size, _, _ = (scanned := timed([str(scan), str(data / "log")]))[2].split()
        scans.append(scanned)
        verifications.append(timed([*base, "verify", "--json"]))
        report = json.loads(verifications[-1][2])
        assert report["events"] == int(records) and report["findings"] == [] and report["projectionsCompared"], report
        rebuilds.append(timed([*base, "rebuild", "--json"]))
        report = json.loads(rebuilds[-1][2])
        assert report["events"] == int(records) and report["compared"] and report["differences"] == [], report
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    sessions = control(options, data, "status")["sessions"]
    print(
        f"{int(records):,} events of {int(size) / int(records):.0f} bytes, {sessions:,} sessions, {os.cpu_count()} CPUs, "
        f"{options.rounds} rounds, load {os.getloadavg()[0]:.1f}, largest process {peak:.0f} MiB\n"
    )
    print(f"{'':<10}{'events/s of CPU':>18}{'events/s elapsed':>18}{'target':>12}")
    for name, rounds, target in (
        ("scan", scans, ""),
        ("verify", verifications, f">= {VERIFY_TARGET:,}"),
        ("rebuild", rebuilds, f">= {REBUILD_TARGET:,}"),
    ):
        cpu = int(records) / statistics.median(used for used, _, _ in rounds)
        elapsed = int(records) / statistics.median(took for _, took, _ in rounds)
        print(f"{name:<10}{cpu:>18,.0f}{elapsed:>18,.0f}{target:>12}")
    print("\nrebuild counts the comparison with the old projections, too")


def main():
    parser = argparse.ArgumentParser(description="Measures verify and rebuild; see the head of this file.")
    parser.add_argument("--binary", type=Path, default=REPOSITORY / ".build/release/sessiond")
    parser.add_argument("--control", type=Path, default=REPOSITORY / ".build/release/sessionctl")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--directory", type=Path, help="where to put the data; default: the system's for temporary files"
    )
    parser.add_argument("--data", type=Path, help="a data directory to measure, which is then rebuilt")
    options = parser.parse_args()
    for tool in ("wrk", "cc"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing")
    directory = Path(tempfile.mkdtemp(prefix="sessiond-verify-speed-", dir=options.directory))
    try:
        measure(options, options.data or fill(options, directory), directory)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
