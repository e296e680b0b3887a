"""A daemon whose store holds as many sessions as wanted, and load on sessions picked at random.

`sessionbench` fills the store in process, through the same store as over HTTP; `client` then reads and replaces.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from load import CONNECTIONS, SERVER_THREADS, Daemon, Round, Server, compiled, document


def bench(options: argparse.Namespace, command: str, directory: Path, **numbers: int) -> dict:
    """Runs sessionbench and returns its figures."""
    line = [str(options.bench), command, str(directory)]
    line += [part for name, number in numbers.items() for part in (f"--{name}", str(number))]
    run = subprocess.run(line, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{line} ended with {run.returncode}: {run.stderr}")
    return json.loads(run.stdout)


class Shop:
    """A store of so many sessions in `directory`, each at version 1, and the daemon that serves it."""

    def __init__(self, options: argparse.Namespace, directory: Path, sessions: int):
        directory.mkdir(parents=True, exist_ok=True)
        self.sessions = sessions
        # Nothing expires, so that the sweeper adds no events.
        config = {"anonymousTTLSeconds": 0, "storage": {"httpThreads": SERVER_THREADS}}
        self.daemon = Daemon(directory, config=config, binary=options.binary)
        bench(options, "fill", self.daemon.data, sessions=sessions, events=sessions)
        self.versions = self.beginnings(directory / "versions")
        self.other_versions = self.beginnings(directory / "other-versions")
        self.client = compiled("client.c", directory)
        self.body = document().replace('"version":1', '"version":VERSION')
        self.turns = 0

    def beginnings(self, path: Path) -> Path:
        """The client's file for sessions that are at version 1."""
        path.write_bytes((1).to_bytes(4, sys.byteorder) * self.sessions)
        return path

    def start(self) -> Shop:
        self.daemon.start()
        self.server = Server.of(self.daemon, f"sessiond with {self.sessions:,} sessions")
        return self

    def stop(self):
        """Ends the daemon in order, so that the projections are clean."""
        if self.daemon.terminate() != 0:
            sys.exit(f"the daemon did not stop in order\n{self.daemon.stderr}")

    def ask(
        self, *arguments: str, seconds: float, connections: int = CONNECTIONS, server: Server | None = None
    ) -> Round:
        """Lets the client work. Each time it picks other sessions. `server` is another one than the daemon."""
        self.turns += 1
        versions = self.other_versions if server else self.versions
        server = server or self.server
        command = [str(self.client), "--port", server.port, "--sessions", str(self.sessions)]
        command += ["--versions", str(versions), "--seconds", f"{seconds:g}", "--connections", str(connections)]
        return server.measure([*command, "--seed", str(self.turns), *arguments, self.body])

    def reading(self, seconds: float, **more) -> Callable[[int], Round]:
        return lambda _: self.ask("--read", seconds=seconds, **more)

    def writing(self, seconds: float, *arguments: str, **more) -> Callable[[int], Round]:
        return lambda _: self.ask(*arguments, seconds=seconds, **more)

    def anonymous_bytes(self) -> int:
        """The daemon's memory that no file backs."""
        for line in Path(f"/proc/{self.server.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) << 10
        sys.exit("the kernel doesn't tell RssAnon")
