"""What the benchmarks share: load by wrk, the CPU that it costs a server, figures of several rounds."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "outside"))

from daemon import REPOSITORY, Daemon, path_of  # noqa: E402
from wire import Answer  # noqa: E402

CONNECTIONS = 64
SERVER_THREADS = 2
READ_SESSIONS = 100_000
DOCUMENT_BYTES = 400
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


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

    @staticmethod
    def of(daemon: Daemon, name: str) -> Server:
        return Server(name, daemon.address.rpartition(":")[2], daemon.process.pid)

    def cpu_seconds(self) -> float:
        # proc(5): utime and stime are the 14th and 15th field; the second may hold blanks, but ends with the last ")".
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def load(
        self,
        script: str,
        seconds: float,
        *arguments: str,
        headers: dict[str, str] | None = None,
        connections: int = CONNECTIONS,
    ) -> Round:
        """Runs a script of wrk. `headers` go with each request that the script has wrk put together."""
        command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds:g}s", "--timeout", "10s"]
        command += [part for name, value in (headers or {}).items() for part in ("-H", f"{name}: {value}")]
        return self.measure([*command, "-s", str(HERE / script), f"http://127.0.0.1:{self.port}", "--", *arguments])

    def measure(self, command: list[str]) -> Round:
        """Runs a load generator, which prints RESULT and its figures, with every answer as it should be."""
        before = self.cpu_seconds()
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        used = self.cpu_seconds() - before
        found = re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", run.stdout, re.MULTILINE)
        if run.returncode or not found:
            sys.exit(f"{command[0]} gave no result:\n{run.stdout}\n{run.stderr}")
        requests, microseconds, broken, refused, p99 = map(int, found.groups())
        if broken or refused or not requests:
            failures = f"of {requests} requests {broken} broke and {refused} were refused"
            sys.exit(f"{self.name}: {failures}\n{run.stdout}\n{run.stderr}")
        return Round(requests, microseconds / 1e6, used, p99 / 1e3)


def compiled(source: str, directory: Path, *options: str) -> Path:
    """Compiles a C file that lies beside this one."""
    program = directory / Path(source).stem
    subprocess.run(["cc", "-O2", "-o", str(program), str(HERE / source), *options], check=True)
    return program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def document() -> str:
    """The body of a PUT: the whole document that a GET would answer, 400 bytes with an id of 11 characters for `ID`."""
    head = '{"sessionId":"ID","siteCode":"main","currency":"EUR","cartId":"61079711ce0eb90861357045",'
    head += '"targetLocation":"DE","language":"de","context":{"channel":"web","note":"'
    tail = '"},"metadata":{"version":1,"createdAt":"2022-09-20T12:33:52.456Z","modifiedAt":"2022-09-20T12:33:52.456Z"}}'
    return head + "x" * (DOCUMENT_BYTES - len(head) - len(tail) - 9) + tail


def fill(daemon: Daemon, server: Server, body: str, seconds: float, sessions: int) -> Answer:
    """Makes the sessions 00-00000001 and so on, so many or more. Returns a GET's answer."""
    made = 0
    while made < sessions:
        round = server.load("put.lua", seconds, "00", body, str(made))
        # The last ones of each connection may have been left without an answer, and are sent again.
        made += max(0, round.requests - 2 * CONNECTIONS)
    answer = daemon.request("GET", path_of(f"00-{sessions:08d}"))
    if answer.status != 200 or len(answer.body) != DOCUMENT_BYTES:
        sys.exit(f"a document of {DOCUMENT_BYTES} bytes should be there, but a GET got {answer}")
    return answer


def answered(daemon: Daemon) -> dict[tuple[str, str], int]:
    """The daemon's own count of answers by operation and status."""
    lines = daemon.admin("/metrics").body.decode().splitlines()
    pattern = re.compile(r'sessiond_requests_total\{operation="(\w+)",status="(\d+)"\} (\d+)')
    return {(found[1], found[2]): int(found[3]) for found in map(pattern.fullmatch, lines) if found}


def check_statuses(daemon: Daemon, but: dict[tuple[str, str], int] | None = None):
    """Every answer of the whole run has the status that it should have, but for so many answers as are named."""
    wrong = {
        key: count
        for key, count in answered(daemon).items()
        if key not in (("getContext", "200"), ("replaceContext", "204")) and count != (but or {}).get(key)
    }
    if wrong:
        sys.exit(f"answers with other statuses than 200 and 204: {wrong}")


def alternate(rounds: int, *turns: Callable[[int], Round]) -> list[list[Round]]:
    """A B A B …: the rounds of each turn."""
    played = [[turn(number) for turn in turns] for number in range(rounds)]
    return [list(column) for column in zip(*played)]


def median(rounds: list[Round], figure: str) -> float:
    return statistics.median(getattr(one, figure) for one in rounds)


def spread(rounds: list[Round], figure: str) -> str:
    values = sorted(getattr(one, figure) for one in rounds)
    return f"{values[0]:,.1f} to {values[-1]:,.1f}" if values[-1] < 1000 else f"{values[0]:,.0f} to {values[-1]:,.0f}"


def print_table(rows: list[tuple[str, ...]]):
    """Prints rows of cells, the first column to the left and the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  ".join(cells).rstrip())


def add_options(parser: argparse.ArgumentParser):
    """The options of every benchmark."""
    parser.add_argument("--binary", type=Path, default=REPOSITORY / ".build/release/sessiond")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument(
        "--read", type=int, default=READ_SESSIONS, metavar="SESSIONS", help="how many sessions are read"
    )


def check_tools(options: argparse.Namespace, *programs: str):
    """Ends the process when something is missing that the benchmark runs."""
    for program in programs:
        if shutil.which(program) is None:
            sys.exit(f"{program} is missing")
    if not options.binary.exists():
        sys.exit(f"{options.binary} is missing: swift build -c release, or name another one with --binary")
