"""Takes memory from the daemon: allocations that fail, little address space, ten thousand slow clients.

    python3 memory.py --cases N [--seed S] [--writers 8] [--binary FILE] [--sessionctl FILE]

Three kinds of cases, see faults.py for what must hold in each:

- A library that is loaded into the daemon lets the Nth allocation fail, or some from the Nth on, of any size or of large
  ones. The runtime ends a process that gets no memory; then it has said so. LMDB and libmicrohttpd go on or fail in order.
- The address space is limited to less than the files' maps, or a little more: a start is refused with what to do, or the
  daemon works.
- 10,000 connections that send their heads slowly or never: those above `limits.connections` are turned away, the memory
  stays bounded, and honest clients beside them are served.

Exit status: 0 fine, 1 a violation, whose data are kept, 2 wrong use. Needs cc, prlimit, and 20,000 open files or more.
"""

from __future__ import annotations

import random
import resource
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "outside"))

from daemon import Daemon  # noqa: E402
from faults import Fault, FaultCampaign, arguments, run  # noqa: E402
from kill9 import Violation  # noqa: E402
from options import checked  # noqa: E402
from preload import built  # noqa: E402
from wire import dial  # noqa: E402

CROWD = 10_000
# How many of them are let in: the rest, and no honest client, is turned away.
ADMITTED = 9_500
# What an open connection may take: its buffer of 24 KiB for a head of 12 KiB, and what belongs to it.
CONNECTION_BYTES = 32 << 10
BASE_BYTES = 96 << 20
REASONS = ("ended by SIG", "memory", "Memory", "bad_alloc")


class Crowd:
    """Clients that take connections and send next to nothing."""

    def __init__(self, daemon: Daemon, chance: random.Random):
        self.daemon = daemon
        self.chance = chance
        self.sockets: list[socket.socket] = []

    def __enter__(self) -> Crowd:
        # The honest ones connect first.
        time.sleep(0.2)
        head = b"GET /session-context/acme/context/slow HTTP/1.1\r\nHost: test\r\nX-Filling: " + b"x" * 9000
        for _ in range(CROWD):
            connected = dial(self.daemon.address)
            connected.setblocking(False)
            self.sockets.append(connected)
            if sent := self.chance.choice([0, 1, 20, len(head)]):
                try:
                    connected.send(head[:sent])
                except OSError:
                    pass  # It has been turned away already.
        return self

    def __exit__(self, *failure):
        try:
            if failure[0] is None:
                self.check()
        finally:
            for connected in self.sockets:
                connected.close()

    def check(self):
        resident = self.memory()
        limit = BASE_BYTES + ADMITTED * CONNECTION_BYTES
        if resident > limit:
            raise Violation(f"with {CROWD} slow connections it takes {resident} bytes, more than {limit}")
        turned_away = sum(self.is_closed(connected) for connected in self.sockets)
        if not CROWD - ADMITTED <= turned_away:
            raise Violation(f"{turned_away} of {CROWD} connections were turned away, where {ADMITTED} are let in")

    def memory(self) -> int:
        status = Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) << 10

    @staticmethod
    def is_closed(connected: socket.socket) -> bool:
        """Whether it has got its 503, or just its end."""
        try:
            data = connected.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return not data or data.startswith(b"HTTP/1.1 503")


class Campaign(FaultCampaign):
    def __init__(self, options, library: Path):
        super().__init__(options, self.draw_fault)
        self.library = library
        self.drawn = 0

    def draw_fault(self, chance: random.Random, directory: Path) -> Fault:
        self.drawn += 1
        if self.drawn % 15 == 8:
            timeouts = {"headerSeconds": 30, "idleSeconds": 60}
            return Fault(
                name="crowd of slow connections",
                config={"limits": {"connections": ADMITTED}, "timeouts": timeouts},
                beside=lambda daemon: Crowd(daemon, chance),
            )
        if self.drawn % 5 == 2:
            mebibytes = round(2 ** chance.uniform(5, 16))
            map_bytes = chance.choice([1 << 28, 1 << 34])
            return Fault(
                name=f"address-space of {mebibytes} MiB, maps of {map_bytes} bytes",
                prefix=("prlimit", f"--as={mebibytes << 20}"),
                config={"storage": {"mapSizeBytes": map_bytes}},
                reasons=(*REASONS, "address space", "limit on open files", "thread", "shared libraries"),
                may_crash=True,
            )
        least, most = chance.choice([(0, 60_000), (0, 2_000), (512, 6_000), (4096, 1_000), (16384, 200)])
        number, count = round(most ** chance.random()), chance.choice([1, 1, 3, 50])
        return Fault(
            name=f"allocation {number}, {count} of at least {least} bytes",
            variables={
                "LD_PRELOAD": str(self.library),
                "ALLOCATOR_FROM": str(number),
                "ALLOCATOR_COUNT": str(count),
                "ALLOCATOR_BYTES": str(least),
                "ALLOCATOR_DONE": str(directory / "done"),
            },
            reasons=REASONS,
            may_crash=True,
        )

    def has_happened(self, fault: Fault, directory: Path) -> bool:
        done = directory / "done"
        has = done.exists() or not fault.variables
        done.unlink(missing_ok=True)
        return has


def main() -> int:
    options = checked(arguments("Memory"))
    if shutil.which("cc") is None or shutil.which("prlimit") is None:
        print("cc and prlimit are needed", file=sys.stderr)
        return 2
    files = max(resource.getrlimit(resource.RLIMIT_NOFILE)[1], CROWD + 1000)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    except ValueError:
        print(f"{files} open files are needed, and only root may raise the limit", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="sessiond-memory-") as folder:
        return run(Campaign(options, built(HERE / "allocator.c", Path(folder))))


if __name__ == "__main__":
    sys.exit(main())
