"""Other stores that sessiond is measured against, each on free ports and with a folder of its own."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from load import Server, free_port
from wire import Answer, NoAnswer, Wire, request_bytes

START_SECONDS = 20.0


def exchange(port: str | int, method: str, path: str, body: bytes | None = None) -> Answer:
    """One request over a connection of its own."""
    with Wire(f"127.0.0.1:{port}") as wire:
        return wire.exchange(request_bytes(method, path, {"Connection": "close"}, body))


class Program:
    """Processes that serve together; what they print goes to files in their folder."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.processes: list[subprocess.Popen] = []
        directory.mkdir(parents=True)

    def run(self, *command: str | Path):
        with open(self.directory / f"{Path(command[0]).name}.log", "wb") as log:
            process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory
            )
        self.processes.append(process)
        return process

    def await_answer(self, is_there: Callable[[], bool]):
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if is_there():
                    return
            except (NoAnswer, OSError):
                pass
            ended = [process.args[0] for process in self.processes if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in self.directory.glob("*.log"))
                sys.exit(f"{ended or 'a server'} did not start\n{logs}")
            time.sleep(0.02)

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Webdis(Program):
    """webdis in front of a Redis that makes every change durable before it answers."""

    def __init__(self, directory: Path):
        super().__init__(directory)
        self.redis_port, port = free_port(), free_port()
        (directory / "redis.conf").write_text(
            f'bind 127.0.0.1\nport {self.redis_port}\ndir {directory}\nsave ""\nappendonly yes\nappendfsync always\n'
        )
        config = {"redis_host": "127.0.0.1", "redis_port": self.redis_port, "http_host": "127.0.0.1", "http_port": port}
        # As Debian configures it, but for the places; it logs to the file alone.
        config |= {"threads": 2, "daemonize": False, "database": 0, "verbosity": 3}
        config["logfile"] = str(directory / "webdis.out")
        (directory / "webdis.json").write_text(json.dumps(config))
        try:
            self.run("redis-server", directory / "redis.conf")
            self.await_answer(lambda: Wire(f"127.0.0.1:{self.redis_port}").close() is None)
            webdis = self.run("webdis", directory / "webdis.json")
            self.await_answer(lambda: exchange(port, "GET", "/PING").status == 200)
            self.server = Server("webdis", str(port), webdis.pid)
            policy = self.ask("CONFIG GET appendfsync")
            if policy != ["appendfsync", "always"]:
                sys.exit(f"Redis has another policy than asked for: {policy}")
        except BaseException:
            self.stop()
            raise

    def ask(self, command: str) -> int | str | list | None:
        """Asks Redis itself: webdis mixes up answers once clients have gone away from theirs."""
        with (
            socket.create_connection(("127.0.0.1", self.redis_port)) as connection,
            connection.makefile("rwb") as stream,
        ):
            stream.write(command.encode() + b"\r\n")
            stream.flush()
            return self._read(stream)

    def _read(self, stream: BinaryIO) -> int | str | list | None:
        line = stream.readline().decode().rstrip("\r\n")
        kind, rest = line[:1], line[1:]
        if kind == ":":
            return int(rest)
        if kind == "$":
            return stream.read(int(rest) + 2)[:-2].decode() if int(rest) >= 0 else None
        if kind == "*":
            return [self._read(stream) for _ in range(int(rest))]
        sys.exit(f"Redis says {line!r}")

    def check(self, requests: int, key: str, value: str):
        """Every answered change is there, and a value is the one that was sent."""
        held, found = self.ask("DBSIZE"), self.ask(f"GET {key}")
        if held < requests or found != value:
            sys.exit(f"Redis holds {held} keys after {requests} changes, and {key} is {found!r}")


class Etcd(Program):
    """A single etcd, which makes every change durable before it answers."""

    def __init__(self, directory: Path):
        super().__init__(directory)
        port, peers = free_port(), free_port()
        client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
        command = ["etcd", "--data-dir", directory / "data", "--logger", "zap"]
        command += ["--listen-client-urls", client, "--advertise-client-urls", client]
        command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        command += ["--initial-cluster", f"default={peer}"]
        # So that a long run can't fill its default of 2 GiB.
        command += ["--quota-backend-bytes", str(8 << 30)]
        try:
            process = self.run(*command)
            self.server = Server("etcd", str(port), process.pid)
            self.await_answer(lambda: exchange(port, "GET", "/health").json().get("health") == "true")
        except BaseException:
            self.stop()
            raise

    @staticmethod
    def coded(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    def ask(self, **query) -> dict:
        return json.loads(exchange(self.server.port, "POST", "/v3/kv/range", json.dumps(query).encode()).body)

    def check(self, requests: int, key: str, value: str):
        """Every answered change is there, and a value is the one that was sent."""
        # The range of all keys: from the first possible one on without an end.
        everything = base64.b64encode(b"\0").decode()
        held = int(self.ask(key=everything, range_end=everything, count_only=True)["count"])
        found = self.ask(key=self.coded(key)).get("kvs", [{}])[0].get("value")
        if held < requests or found != self.coded(value):
            sys.exit(f"etcd holds {held} keys after {requests} changes, and {key} is {found!r}")
