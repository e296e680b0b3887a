"""Counts what a request costs, in units that don't depend on the machine, and compares with counts.json.

    python3 counts.py [--binary SESSIOND] [--bench SESSIONBENCH] [--requests 2000] [--write]

One connection; allocations are counted by a preloaded library, system calls, pages and syncs by strace, in the threads
that answer requests: the workers and the writer. The projector and the maintenance work by the clock and are left out.
Instructions are counted by callgrind, see instructions.py. A count above the one in counts.json fails, with both.
--write takes the present ones over. Needs cc, strace, valgrind and liblmdb-dev.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import instructions
from load import HERE, REPOSITORY, check_tools
from preload import built
from shop import Shop

SESSIONS = 1000
EVENTS = 64 * 500
BATCH = 64
PAGE_BYTES = 4096
LIMITS = HERE / "counts.json"
# The client's options for each kind of request.
KINDS: dict[str, tuple[str, ...]] = {"GET": ("--read",), "PUT": ()}
# How much more than when it was written a count may be. How often threads wait for each other, or wake for nothing,
# depends on when they get to run; the rest differs by what only some requests do.
MARGINS = {
    "system calls per GET": 1.05,
    "waits and wakes per GET": 1.1,
    "allocations per PUT": 1.05,
    "system calls per PUT": 1.05,
    "waits and wakes per PUT": 1.5,
    "instructions per GET": 1.03,
    "instructions per PUT": 1.03,
}
MARGIN = 1.01
BY_THE_CLOCK = ("projector", "maintenance")
CALL = re.compile(r"(\d+) +(\w+)\((.*)$")
RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)$")
DESCRIPTOR = re.compile(r"(\d+)<([^>]*)>")
WRITES = ("pwrite64", "pwritev", "write", "writev")
SYNCS = ("fdatasync", "fsync", "msync")
WAITS = ("futex", "epoll_wait", "epoll_pwait")


def thread_names(pid: int) -> dict[int, str]:
    names = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        names[int(task.name)] = (task / "comm").read_text().strip()
    return names


def is_synchronous(pid: int, descriptor: int) -> bool:
    """Whether each write to a file is a sync, too."""
    flags = re.search(r"^flags:\s+0(\d+)$", Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text(), re.MULTILINE)
    return bool(int(flags[1], 8) & os.O_DSYNC)


@dataclass
class Trace:
    """The system calls of the threads that matter, and what they did to the log's file."""

    calls: Counter = field(default_factory=Counter)
    # Calls that wait for another thread or for the network or wake one that does, and those that found nothing to do.
    waits: Counter = field(default_factory=Counter)
    written_bytes: int = 0
    syncs: int = 0

    @property
    def pages(self) -> float:
        return self.written_bytes / PAGE_BYTES

    @staticmethod
    def read(lines: list[str], leaves_out: set[int], synchronous: Callable[[str], bool]) -> Trace:
        """Takes strace's lines apart. `synchronous` is asked about a descriptor of the log's file."""
        trace = Trace()
        under_way: dict[str, tuple[str, str]] = {}
        for line in lines:
            if found := RESUMED.match(line):
                thread, name, rest = found.groups()
                name, descriptor = under_way.pop(thread, (name, ""))
            elif found := CALL.match(line):
                thread, name, rest = found.groups()
                where = DESCRIPTOR.match(rest)
                descriptor = where[1] if where and where[2].endswith("/log/data.mdb") else ""
                if rest.endswith("<unfinished ...>"):
                    under_way[thread] = (name, descriptor)
                    continue
            else:
                continue
            if int(thread) in leaves_out:
                continue
            result = rest.rpartition(" = ")[2]
            (trace.waits if name in WAITS or "EAGAIN" in result else trace.calls)[name] += 1
            if descriptor and name in SYNCS:
                trace.syncs += 1
            elif descriptor and name in WRITES:
                trace.written_bytes += int(result.split()[0])
                trace.syncs += synchronous(descriptor)
        return trace


def traced(shop: Shop, directory: Path, ask: Callable[[], None]) -> Trace:
    """What the daemon's threads that answer requests call while `ask` runs."""
    output = directory / "strace"
    pid = shop.server.pid
    process = subprocess.Popen(
        ["strace", "-f", "-y", "-q", "-s", "0", "-o", str(output), "-p", str(pid)], stderr=subprocess.PIPE, text=True
    )
    await_tracing(process, pid)
    names = thread_names(pid)
    ask()
    process.terminate()
    process.wait()
    leaves_out = {thread for thread, name in names.items() if name in BY_THE_CLOCK}
    if len(leaves_out) != len(BY_THE_CLOCK):
        sys.exit(f"the daemon's threads have other names: {names}")
    return Trace.read(
        output.read_text().splitlines(), leaves_out, lambda descriptor: is_synchronous(pid, int(descriptor))
    )


def await_tracing(process: subprocess.Popen, pid: int):
    """Waits until strace holds every thread, which only the kernel tells."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        tracers = [
            re.search(r"^TracerPid:\s+(\d+)$", (task / "status").read_text(), re.MULTILINE)[1]
            for task in Path(f"/proc/{pid}/task").iterdir()
        ]
        if all(int(tracer) == process.pid for tracer in tracers):
            return
        if process.poll() is not None:
            break
        time.sleep(0.01)
    sys.exit(f"strace can't trace the daemon: {process.stderr.read() if process.poll() is not None else tracers}")


class Allocations:
    """The file in which the preloaded library counts, for each thread of the daemon."""

    RECORD = struct.Struct("=QQQ")

    def __init__(self, directory: Path):
        self.path = directory / "allocations"
        self.path.touch()
        library = built(HERE / "allocations.c", directory)
        self.variables = {"LD_PRELOAD": str(library), "ALLOCATIONS_FILE": str(self.path)}

    def count(self, pid: int) -> int:
        """How often the threads that answer requests have allocated so far."""
        names = thread_names(pid)
        total = 0
        for thread, calls, _ in self.RECORD.iter_unpack(self.path.read_bytes()):
            if thread and names.get(thread) not in BY_THE_CLOCK:
                total += calls
        return total


def over_http(options: argparse.Namespace, directory: Path) -> dict[str, float]:
    """The counts of GET and PUT."""
    shop = Shop(options, directory / "shop", SESSIONS)
    allocations = Allocations(directory)
    shop.daemon.variables = allocations.variables
    requests = options.requests
    counts: dict[str, float] = {}
    try:
        shop.start()
        for name, flags in KINDS.items():

            def ask(flags: tuple[str, ...] = flags):
                done = shop.ask(*flags, "--requests", str(requests), seconds=120, connections=1)
                if done.requests != requests:
                    sys.exit(f"{done.requests} of {requests} requests were answered in time")

            ask()  # The warm-up: buffers grow, tables are looked up for the first time.
            before = allocations.count(shop.server.pid)
            ask()
            counts[f"allocations per {name}"] = (allocations.count(shop.server.pid) - before) / requests
            trace = traced(shop, directory, ask)
            counts[f"system calls per {name}"] = trace.calls.total() / requests
            counts[f"waits and wakes per {name}"] = trace.waits.total() / requests
            for what, made in (("system calls", trace.calls), ("waits and wakes", trace.waits)):
                shown = ", ".join(f"{call} {count / requests:.2f}" for call, count in made.most_common(8))
                print(f"  {what} of a {name}: {shown}")
            if name == "PUT":
                # One connection: each change is a commit of its own.
                counts["pages written per commit of 1"] = trace.pages / requests
                counts["syncs per commit of 1"] = trace.syncs / requests
        shop.stop()
    finally:
        shop.daemon.kill()
    return counts


def in_process(options: argparse.Namespace, directory: Path) -> dict[str, float]:
    """The counts of commits of many events."""
    output = directory / "strace"
    line = ["strace", "-f", "-y", "-s", "0", "-o", str(output), str(options.bench), "append", str(directory / "append")]
    line += ["--events", str(EVENTS), "--batch", str(BATCH)]
    run = subprocess.run(line, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{line} ended with {run.returncode}: {run.stderr}")
    batches = json.loads(run.stdout)["batches"]
    lines = output.read_text().splitlines()
    # The process is gone, and so its descriptors' flags: they are told where the file was opened.
    durable = {
        found[1] for text in lines if "O_DSYNC" in text and (found := re.search(r"= (\d+)<[^>]*/log/data.mdb>", text))
    }
    trace = Trace.read(lines, set(), lambda descriptor: descriptor in durable)
    return {
        f"pages written per commit of {BATCH}": trace.pages / batches,
        f"syncs per commit of {BATCH}": trace.syncs / batches,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=REPOSITORY / ".build/release/sessiond")
    parser.add_argument("--bench", type=Path, default=REPOSITORY / ".build/release/sessionbench")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--write", action="store_true", help="write the counts to counts.json")
    options = parser.parse_args()
    check_tools(options, "cc", "strace", "valgrind")
    with tempfile.TemporaryDirectory(prefix="sessiond-counts-") as directory:
        counts = over_http(options, Path(directory)) | in_process(options, Path(directory))
        counts |= instructions.counted(options, Path(directory), KINDS)
    if options.write:
        limits = {name: math.ceil(count * MARGINS.get(name, MARGIN) * 100) / 100 for name, count in counts.items()}
        LIMITS.write_text(json.dumps(limits, indent=2) + "\n")
    limits = json.loads(LIMITS.read_text())
    if limits.keys() != counts.keys():
        sys.exit(f"counts.json has other counts than {', '.join(counts)}: write it anew with --write")
    grown = []
    for name, count in counts.items():
        note = ""
        if count > limits[name]:
            grown.append(f"{name}: {count:.2f}, and it was {limits[name]:.2f}")
            note = "   GROWN"
        elif count < 0.9 * limits[name] / MARGINS.get(name, MARGIN):
            note = "   less than it was: take it over with --write"
        print(f"{name:<32}{count:>10.2f}   at most {limits[name]:.2f}{note}")
    if grown:
        sys.exit("counts have grown:\n" + "\n".join(grown))


if __name__ == "__main__":
    main()
