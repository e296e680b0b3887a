"""A sessiond process for tests: starts it on free ports, talks to it, ends it in every way that a process can end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import quote

from wire import Answer, NoAnswer, Wire, request_bytes

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("SESSIOND_BIN", REPOSITORY / ".build/debug/sessiond")).absolute()
START_SECONDS = 20.0
STOP_SECONDS = 20.0

_LISTENING = re.compile(r"\b(admin )?listening on (\S+)$")


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without settings of sessiond, with these ones instead.

    A crash says in a line what went wrong; the runtime's backtrace would keep the dead process around.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SESSIOND_")}
    return {"SWIFT_BACKTRACE": "enable=no"} | kept | variables


class StartFailed(Exception):
    """The process ended before it was ready; `status` is None when it didn't end in time."""

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status


class Daemon:
    """One data directory and, between `start` and an end, one process that serves it.

    `directory` holds the data, in `data`, and the configuration file. `config` is written to that file; `variables` are
    added to the process's environment. `prefix` is a command that becomes the daemon when it is run with the daemon's.
    """

    def __init__(
        self,
        directory: Path,
        config: dict | None = None,
        listen: tuple[str, ...] = ("127.0.0.1:0",),
        options: tuple[str, ...] = ("--auth", "none"),
        binary: Path = BINARY,
        variables: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ):
        self.directory = Path(directory)
        self.data = self.directory / "data"
        self.config = config
        self.listen = listen
        self.options = options
        self.binary = binary
        self.variables = variables or {}
        self.prefix = prefix
        self.process: subprocess.Popen | None = None
        self.addresses: list[str] = []
        self.admin_address = ""
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._reader: threading.Thread | None = None
        self._wire: Wire | None = None

    # Life

    def command(self) -> list[str]:
        command = [*self.prefix, str(self.binary), "--admin-listen", "127.0.0.1:0", "--data-dir", str(self.data)]
        command += self.options
        for address in self.listen:
            command += ["--listen", address]
        if self.config is not None:
            path = self.directory / "sessiond.json5"
            path.write_text(json.dumps(self.config))
            command += ["--config", str(path)]
        return command

    def start(self, *, is_asked: bool = True) -> Daemon:
        """Starts the process and waits until it is ready: says that it listens, and when asked answers so.

        One whose answers can't arrive is taken at its word: not `is_asked`.
        """
        self.launch()
        try:
            self._await_listeners()
            if is_asked:
                self._await_readiness()
        except BaseException:
            self.kill()
            raise
        return self

    def launch(self):
        """Starts the process and doesn't wait for anything."""
        assert self.process is None, "it runs already"
        self._lines = []
        self.addresses = []
        self.admin_address = ""
        self.process = subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(**self.variables),
        )
        self._reader = threading.Thread(target=self._read_stderr, args=(self.process.stderr,), daemon=True)
        self._reader.start()

    def _read_stderr(self, stream):
        with stream:
            for raw in stream:
                line = raw.decode("utf-8", "replace").rstrip("\n")
                with self._news:
                    self._lines.append(line)
                    if found := _LISTENING.search(line):
                        if found[1]:
                            self.admin_address = found[2]
                        else:
                            self.addresses.append(found[2])
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def _await_listeners(self):
        def is_done():
            ended = not self._reader.is_alive() or self.process.poll() is not None
            return ended or (self.admin_address and len(self.addresses) == len(self.listen))

        deadline = time.monotonic() + START_SECONDS
        with self._news:
            # The wake-up in between is for a process that ends while a child of it keeps stderr open.
            while not is_done():
                if time.monotonic() > deadline:
                    raise StartFailed(f"no listeners after {START_SECONDS} s\n{self.stderr}")
                self._news.wait(0.05)
        if not self.admin_address or len(self.addresses) != len(self.listen):
            status = self.process.wait()
            self._reader.join()
            raise StartFailed(f"it ended with status {status}\n{self.stderr}", status)

    def _await_readiness(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            answer = None
            try:
                answer = self.admin("/readyz")
                if answer.status == 200:
                    return
            except (NoAnswer, OSError):
                pass
            if time.monotonic() > deadline:
                raise StartFailed(f"not ready after {START_SECONDS} s, but {answer}\n{self.stderr}")
            try:
                status = self.process.wait(0.005)
                raise StartFailed(f"it ended with status {status} before it was ready\n{self.stderr}", status)
            except subprocess.TimeoutExpired:
                continue

    def signal(self, number: int) -> int:
        """Sends a signal that ends the process and returns its status: negative for a signal's own effect."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Waits until the process ends by itself, returns its status."""
        self._disconnect()
        status = self.process.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        self.process = None
        return status

    def kill(self):
        """SIGKILL; does nothing when it has ended already."""
        if self.process is not None:
            self.signal(signal.SIGKILL)

    def terminate(self) -> int:
        return self.signal(signal.SIGTERM)

    def reload(self) -> list[str]:
        """Sends SIGHUP and waits for what it says to that: a line for each issuer, or the one that there is none."""
        expected = len((self.config or {}).get("issuers", ())) or 1
        with self._news:
            before = len(self._lines)
            self.process.send_signal(signal.SIGHUP)

            def lines() -> list[str]:
                return [line for line in self._lines[before:] if "SIGHUP" in line]

            assert self._news.wait_for(lambda: len(lines()) >= expected, STOP_SECONDS), "\n".join(self._lines)
            return lines()

    def restart(self) -> Daemon:
        """Ends it in order and starts it again on the same data."""
        status = self.terminate()
        assert status == 0, f"SIGTERM ended it with status {status}\n{self.stderr}"
        return self.start()

    @property
    def stderr(self) -> str:
        """What it has written since its start."""
        with self._news:
            return "\n".join(self._lines)

    def await_stderr(self, text: str):
        """Waits until the process has written a line that holds `text`."""
        with self._news:
            found = self._news.wait_for(lambda: any(text in line for line in self._lines), STOP_SECONDS)
        assert found, f"{text!r} isn't in\n{self.stderr}"

    # Requests

    @property
    def address(self) -> str:
        return self.addresses[0]

    def wire(self, timeout: float = 10.0) -> Wire:
        """A connection of its own."""
        return Wire(self.address, timeout)

    def admin(self, path: str) -> Answer:
        with Wire(self.admin_address) as wire:
            return wire.exchange(request_bytes("GET", path, {"Connection": "close"}))

    def request(
        self,
        method: str,
        path: str,
        json=None,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | str | None = None,
    ) -> Answer:
        """Sends a request over a connection that is kept.

        `json` is sent with its content type; `body` as it is, with that content type unless the headers name another.
        """
        sent = dict(headers or {})
        if json is not None:
            body = _compact(json)
        if isinstance(body, str):
            body = body.encode("utf-8")
        if body is not None and not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = "application/json"
        data = request_bytes(method, path, sent, body)
        is_reused = self._wire is not None
        while True:
            if self._wire is None:
                self._wire = self.wire()
            try:
                answer = self._wire.exchange(data, method)
            except NoAnswer:
                # The server may have closed an idle connection; then the request never began.
                unanswered = not self._wire.received
                self._disconnect()
                if is_reused and unanswered:
                    is_reused = False
                    continue
                raise
            surplus = self._wire.received
            if answer.closes or surplus:
                self._disconnect()
            assert not surplus, f"more than the answer to {method} {path} was sent: {answer}, then {surplus!r}"
            return answer

    def _disconnect(self):
        if self._wire is not None:
            self._wire.close()
            self._wire = None


def _compact(value) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def path_of(session: str, *parts: str, tenant: str = "acme", query: str = "") -> str:
    """The path of a session on the management side, or of something below it."""
    names = "".join("/" + quote(part, safe="") for part in (session, *parts))
    return f"/session-context/{tenant}/context{names}" + (f"?{query}" if query else "")


def own_path_of(*parts: str, tenant: str = "acme", query: str = "") -> str:
    """The path of the caller's own session, or of something below it."""
    names = "".join("/" + quote(part, safe="") for part in parts)
    return f"/session-context/{tenant}/me/context{names}" + (f"?{query}" if query else "")
