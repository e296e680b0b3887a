"""HTTP/1.1 on the wire: a connection that sends the bytes it is given and reads whole answers.

The tests send requests that no client library would, so that they bring their own.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field


class NoAnswer(Exception):
    """The connection ended or the time ran out before a whole answer was there."""


@dataclass
class Answer:
    """A whole answer. `headers` has lower-case names; a name that occurs twice fails the reading."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    reason: str = ""

    def json(self):
        """The body as JSON; its members must not repeat, which `json` alone would let pass."""
        return json.loads(self.body.decode("utf-8"), object_pairs_hook=_unique)

    @property
    def closes(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"


def _unique(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a name occurs twice in {names}")
    return dict(pairs)


@dataclass
class Wire:
    """One connection to a listener, given as `host:port`, `[host]:port` or `unix:/path`."""

    address: str
    timeout: float = 10.0
    receive_bytes: int | None = None
    received: bytes = field(default=b"", init=False)

    def __post_init__(self):
        self.socket = dial(self.address, self.timeout, self.receive_bytes)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data: bytes):
        self.socket.sendall(data)

    def exchange(self, data: bytes, method: str = "") -> Answer:
        """Sends a request and reads its answer. `method` is only needed for HEAD."""
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise NoAnswer(f"sending failed: {error}") from error
        return self.read(method)

    def read(self, method: str = "") -> Answer:
        """The next answer; `method` tells whether it has a body."""
        while b"\r\n\r\n" not in self.received:
            self._receive()
        head, _, self.received = self.received.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("iso-8859-1").split("\r\n")
        version, status, reason = status_line.split(" ", 2)
        if version != "HTTP/1.1":
            raise AssertionError(f"the answer begins with {status_line!r}")
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            name = name.lower()
            if not colon or name in headers:
                raise AssertionError(f"the answer has the header line {line!r} among {lines}")
            headers[name] = value.strip()
        answer = Answer(int(status), headers, reason=reason)
        if answer.status >= 200 and answer.status not in (204, 304) and method != "HEAD":
            answer.body = self._read_body(headers)
        return answer

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return self._take(int(headers["content-length"]))
        if headers.get("transfer-encoding") == "chunked":
            return self._read_chunks()
        return self.read_to_end()

    def _read_chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self.received:
                self._receive()
            size, _, self.received = self.received.partition(b"\r\n")
            count = int(size.split(b";")[0], 16)
            body += self._take(count)
            if self._take(2) != b"\r\n":
                raise AssertionError("a chunk of the answer doesn't end with CRLF")
            if count == 0:
                return body

    def _take(self, count: int) -> bytes:
        while len(self.received) < count:
            self._receive()
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def _receive(self):
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError as error:
            raise NoAnswer(f"no answer in {self.socket.gettimeout()} s; received {self.received!r}") from error
        except OSError as error:
            raise NoAnswer(f"the connection broke: {error}") from error
        if not data:
            raise NoAnswer(f"the connection was closed; received {self.received!r}")
        self.received += data

    def read_to_end(self) -> bytes:
        """Everything up to the end of the connection, which has to come."""
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            except TimeoutError as error:
                raise NoAnswer(f"the connection stays open; received {self.received!r}") from error
            if not data:
                rest, self.received = self.received, b""
                return rest
            self.received += data


def dial(address: str, timeout: float = 10.0, receive_bytes: int | None = None) -> socket.socket:
    """A connected socket; over TCP, `receive_bytes` bounds what its kernel takes of what isn't read yet."""
    if address.startswith("unix:"):
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.settimeout(timeout)
        connected.connect(address.removeprefix("unix:"))
        return connected
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    connected = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    connected.settimeout(timeout)
    if receive_bytes is not None:
        # Before it connects: the other side may send what was promised then.
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connected.connect((host, int(port)))
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def request_bytes(
    method: str, target: str, headers: dict[str, str] | None = None, body: bytes | None = None, host: str = "test"
) -> bytes:
    """A well-formed request."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + (body or b"")
