"""h11 as a second opinion on what a stream of bytes asks for, streams to ask it about, and a judge of the difference.

The daemon may refuse what h11 accepts, by a 4xx or 5xx or without a word, and then the connection ends. What it doesn't
refuse it must see as h11 does: the same requests in the same order, with the same method, target and body. That shows
in its answers, which carry the request's X-Request-Id and session, and in the log's events.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

import h11
from wire import Answer, NoAnswer, Wire

REFUSALS = (400, 408, 411, 413, 414, 417, 431, 501, 505)
END_SECONDS = 10.0
# The library's own page for an impossible Content-Length has its head twice; then the connection ends.
DOUBLED_HEAD = re.compile(
    rb"(HTTP/1\.1 4\d\d [^\r]*\r\nDate: [^\r]*\r\nConnection: close\r\nContent-Length: \d+\r\n\r\n)\1"
)
SESSIONS = "/session-context/acme/context/"

# What h11 says


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def session(self) -> str:
        return unquote(self.target.partition("?")[0]).rpartition("/")[2]

    @property
    def request_id(self) -> str | None:
        """What it calls itself, when it says so once, in characters that are kept."""
        values = [value for name, value in self.headers if name == b"x-request-id"]
        return values[0].decode() if len(values) == 1 and re.fullmatch(rb"[0-9a-f]{1,64}", values[0]) else None


@dataclass(frozen=True)
class Opinion:
    """The whole requests of a stream, and whether there is nothing wrong with the rest of it."""

    requests: tuple[Request, ...]
    is_content: bool
    is_closed: bool = False  # The last of them is the connection's last.


def origin_form(target: str) -> str:
    """A target without what stands before its path (RFC 9112, 3.2.2)."""
    return re.sub(r"^https?://[^/?@]+(?=/)", "", target, flags=re.IGNORECASE)


def opinion(data: bytes) -> Opinion:
    found: list[Request] = []
    try:
        while True:
            connection = h11.Connection(h11.SERVER)
            # RFC 9112, 2.2: empty lines before a request may be passed over, which h11 doesn't.
            connection.receive_data(data.lstrip(b"\r\n"))
            request = connection.next_event()
            if not isinstance(request, h11.Request):
                return Opinion(tuple(found), True)
            body = b""
            while isinstance(event := connection.next_event(), h11.Data):
                body += bytes(event.data)
            if not isinstance(event, h11.EndOfMessage):
                return Opinion(tuple(found), True)
            headers = tuple(request.headers)
            found.append(Request(request.method.decode(), origin_form(request.target.decode()), headers, body))
            # A refusal, since what follows a CONNECT that succeeds isn't HTTP any more.
            connection.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            # h11 ends connections of HTTP/1.0; RFC 9112, 9.3 has them go on when the client asks for it.
            tokens = {token.strip() for name, value in headers if name == b"connection" for token in value.split(b",")}
            goes_on = request.http_version == b"1.0" and {token.lower() for token in tokens} == {b"keep-alive"}
            if connection.our_state is not h11.DONE and not goes_on:
                return Opinion(tuple(found), True, True)
            data, _ = connection.trailing_data
    except h11.RemoteProtocolError:
        return Opinion(tuple(found), False)


# What the daemon reads otherwise than h11 does: nearly all since libmicrohttpd 0.9.75 takes it so before anybody can
# look at the bytes, which README's limits say. Each is a pattern and what has to stand there for h11 to read it alike.
LAST_CHUNK = rb"(?:(?<=\n0\r\n)|(?<=\n0\n)|(?<=\n00\r\n)|(?<=\n0;a=b\r\n))"
DIFFERENCES = {
    "NUL LF for CRLF": (re.compile(rb"\x00\n"), b"\r\n"),
    "NUL CRLF LF for a header's end": (re.compile(rb"\x00\r\n\n"), b"\r\n\r\n"),
    "LF and a line of NUL or colon for a header's end": (re.compile(rb"(?<!\r)\n[\x00:][\r\x00]\n"), b"\r\n\r\n"),
    "a line that begins with NUL or a colon for an empty one": (re.compile(rb"(?<=\n)[\x00:][^\r\n]*\r?\n"), b"\r\n"),
    # Behind a CR, too, when that is the chunk's last byte.
    "a bare LF between chunks": (re.compile(rb"(?<!\r)\n|(?<=\r)\n(?=[0-9a-fA-F]+[;\r\n])"), b"\r\n"),
    # Read over, whatever they are: RFC 9110, 6.5.1 has them frame nothing, while h11 wants them well-formed.
    "trailers of any form behind chunks": (re.compile(LAST_CHUNK + rb"(?:\r?[^\r\n]+(?:\r\n?|\n))+"), b"X: y\r\n"),
    # RFC 9112, 7.1 allows any number, h11 only twenty digits.
    "leading zeros of the size of chunks": (re.compile(rb"(?<=\n)0{8,}(?=[0-9a-fA-F])"), b"0"),
}
MOST_DIFFERENCES = 4


def other_readings(data: bytes) -> Iterator[tuple[set[str], bytes]]:
    """The stream as the daemon may have taken it: with known differences at a few of the places where they can be."""
    is_chunked = b"transfer-encoding" in data.lower()
    places = [
        (match.start(), match.end(), taken, name)
        for name, (pattern, taken) in DIFFERENCES.items()
        if is_chunked or "chunks" not in name
        for match in pattern.finditer(data)
    ]
    for count in range(1, MOST_DIFFERENCES + 1):
        for chosen in itertools.combinations(sorted(places), count):
            if any(one[1] > other[0] for one, other in itertools.pairwise(chosen)):
                continue
            parts, done = [], 0
            for start, end, taken, _ in chosen:
                parts += [data[done:start], taken]
                done = end
            yield {name for *_, name in chosen}, b"".join([*parts, data[done:]])


# What the daemon does


class Recorded(Wire):
    """Reads answers from what a connection received before it ended."""

    def __init__(self, received: bytes):
        self.received = received

    def _receive(self):
        raise NoAnswer(f"the connection was closed; received {self.received!r}")


def read_to_end(connection: socket.socket) -> tuple[bytes, bool]:
    """All that comes until the connection ends, and whether it does in time."""
    received = b""
    connection.settimeout(END_SECONDS)
    while True:
        try:
            data = connection.recv(1 << 16)
        except TimeoutError:
            return received, False
        except OSError:
            return received, True
        if not data:
            return received, True
        received += data


@dataclass(frozen=True)
class Verdict:
    """What is wrong, if anything, or how it went."""

    problem: str | None = None
    is_refused: bool = False
    answered: int = 0


def judge(said: Opinion, received: bytes, is_ended: bool, events: list[dict]) -> Verdict:
    """Compares what was answered and what came of it with an opinion. `events` are those of the stream's sessions."""
    wire = Recorded(DOUBLED_HEAD.sub(rb"\1", received))
    answered: list[tuple[Request, Answer]] = []
    refusal: Answer | None = None
    while wire.received:
        expected = said.requests[len(answered)] if len(answered) < len(said.requests) else None
        try:
            # Without an opinion, it may be a HEAD that is refused: then the body, if there is one, is what is left.
            answer = wire.read(expected.method if expected else "HEAD")
        except NoAnswer:
            return Verdict(f"after {len(answered)} answers comes {wire.received!r}")
        if answer.status < 200:
            continue
        if answer.closes and answer.status in REFUSALS:
            refusal = answer
            if wire.received and not (expected is None and len(wire.received) == body_bytes(answer)):
                return Verdict(f"after the refusal {answer} comes {wire.received!r}")
            break
        if expected is None:
            return Verdict(f"{answer} answers a request that h11 doesn't see")
        if problem := mismatch(answer, expected):
            return Verdict(problem)
        answered.append((expected, answer))
    if not is_ended:
        return Verdict(f"the connection stays open after {len(answered)} answers")
    if problem := effects_mismatch(said, answered, events):
        return Verdict(problem)
    is_refused = refusal is not None or len(answered) < len(said.requests) or not said.is_content
    return Verdict(None, is_refused, len(answered))


def body_bytes(answer: Answer) -> int:
    return int(answer.headers.get("content-length", 0))


def mismatch(answer: Answer, request: Request) -> str | None:
    """Why `answer` can't be the one to that request."""
    sent, came = request.request_id, answer.headers.get("x-request-id")
    if sent is not None and came != sent:
        return f"{answer} has another X-Request-Id than {request}"
    if request.method != "HEAD" and answer.status in (200, 404, 409) and answer.body:
        session = answer.json().get("sessionId", request.session)
        if session != request.session:
            return f"{answer} is about another session than {request}"
    if answer.status == 204 and request.method not in ("PUT", "OPTIONS"):
        return f"{answer} is none to {request}"
    return None


def content(body: bytes) -> dict | None:
    """The attributes that a PUT asks for; None when it can't be carried out."""
    try:
        return json.loads(body).get("context", {})
    except (ValueError, AttributeError):
        return None


def is_effect(event: dict, request: Request) -> bool:
    is_named = request.request_id is None or event.get("requestid") == request.request_id
    return is_named and event["data"].get("context", {}) == content(request.body)


def effects_mismatch(said: Opinion, answered: list[tuple[Request, Answer]], events: list[dict]) -> str | None:
    """Why the events can't be those of the requests: each is of one of them, and each acknowledged one has its own."""
    made: dict[str, dict] = {}
    for event in events:
        puts = [one for one in said.requests if one.method == "PUT" and one.session == event["subject"]]
        if event["subject"] in made or not any(is_effect(event, request) for request in puts):
            return f"{event} is of no request that h11 sees"
        made[event["subject"]] = event
    for request, answer in answered:
        is_here = request.target.startswith(SESSIONS)  # A mutation may have led to another tenant.
        if is_here and request.method == "PUT" and answer.status == 204 and request.session not in made:
            return f"{answer} acknowledges {request}, which led to no event"
    return None


# What is asked

METHODS = [b"PUT"] * 8 + [b"GET", b"HEAD", b"DELETE", b"POST", b"OPTIONS", b"PATCH"]
TARGETS = [b"http://test%s", b"//test%s", b"*", b"test:80", b"%s#f", b"%s x", b"%s\t", b" %s", b"%s%%00", b"/..%s"]
VERSIONS = [
    b"HTTP/1.0",
    b"HTTP/1.0",
    b"HTTP/1.2",
    b"HTTP/2.0",
    b"HTTP/0.9",
    b"http/1.1",
    b"HTTP/1.1 ",
    b"HTTP/01.1",
    b"",
]
LINES = [
    b"Content-Length: %d\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 0%d\r\n",
    b"Content-Length: +%d\r\n",
    b"Content-Length: -%d\r\n",
    b"Content-Length: %d, %d\r\n",
    b"Content-Length: %d,5\r\n",
    b"Content-Length : %d\r\n",
    b"Content-Length:\r\n %d\r\n",
    b"Content-Length: %d\n",
    b"Content-Length: %d\x00\r\n",
    b"Content-Length: 0x%x\r\n",
    b"Content-Length: 1e1\r\n",
    b"Content-Length: 18446744073709551621\r\n",
    b"Content-Length:\r\n",
    b"Content_Length: %d\r\n",
    b"\tContent-Length: %d\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: Chunked\r\n",
    b"Transfer-Encoding:chunked\r\n",
    b"Transfer-Encoding:\tchunked\t\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding: identity, chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b'Transfer-Encoding: "chunked"\r\n',
    b"Transfer-Encoding: chunked;q=1\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n",
    b"Transfer-Encoding:\r\n chunked\r\n",
    b"Transfer-Encoding: chunked\n",
    b"Transfer-Encoding: chu\x00nked\r\n",
    b"Transfer-Encoding:\r\n",
    b"Transfer_Encoding: chunked\r\n",
    b"TE: trailers\r\n",
    b"Trailer: Content-Length\r\n",
    b"X: y\n",
    b"X: y\r",
    b"X: y\x00\n",
    b"X: y\r\r\n",
    b" folded\r\n",
    b"\tfolded: x\r\n",
    b"X\r\n",
    b": y\r\n",
    b"X\x00: y\r\n",
    b"X-Request-Id: 0\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: Transfer-Encoding\r\n",
    b"Connection: Content-Length, close\r\n",
    b"Keep-Alive: timeout=5\r\n",
    b"Host: b\r\n",
    b"Host:\r\n",
    b"Expect: 100-continue\r\n",
    b"Expect: 200-ok\r\n",
    b"Upgrade: h2c\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00\r\n",
]
CHUNK_SIZES = [
    b"0%x\r\n", b"%X\r\n", b"%x;a=b\r\n", b"%x;\r\n", b'%x;a="b;c"\r\n', b'%x;a="\r\nb"\r\n', b"%x ;a\r\n", b"%x \r\n",
    b" %x\r\n", b"0x%x\r\n", b"+%x\r\n", b"-%x\r\n", b"%x\r\r\n", b"%x;\n", b"%x,\r\n", b"%xg\r\n", b"\r\n%x\r\n",
    b"%x\n", b"%x\x00\n", b"%x\r", b"00000000000000000%x\r\n", b"1000000000000000%x\r\n", b"%x;a\x00b\r\n",
]  # fmt: skip
CHUNK_ENDS = [b"\n", b"\r", b"", b"\r\n\r\n", b"xx", b" \r\n", b"\x00\n"]
LAST_CHUNKS = [
    b"00\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n", b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"0;a=b\r\n\r\n", b"0\r\n y\r\n\r\n", b"0\n\n", b"0\r\n\n", b"0\r\nX\r\n\r\n", b"0\r\n", b"", b"0\r\nX: y\n\r\n",
]  # fmt: skip
BITS = [
    b"\r", b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b" ", b"\t", b"\x00", b"\x00\n", b"\x0b", b"\x0c", b"\x7f", b"\x85",
    b"\xff", b":", b";", b",", b'"', b"0", b"1", b"5", b"f", b"+", b"-", b"_",
]  # fmt: skip


@dataclass(frozen=True)
class Stream:
    """Requests on one connection. `is_plain`: nothing is wrong or odd, so that refusing it would be a mistake."""

    prefix: str  # What the ids of its sessions begin with.
    data: bytes
    requests: int
    is_plain: bool
    pieces: tuple[bytes, ...]


def one_request(chance: random.Random, path: bytes, request_id: bytes, oddities: int) -> bytes:
    """A request with so many things about it that are wrong, or only seldom seen."""
    odd = [chance.choice(("line", "line", "line", "method", "target", "version", "chunks", "bytes", "bytes"))
           for _ in range(oddities)]  # fmt: skip
    smuggled = b"PUT %s-smuggled?upsert=true HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}" % path
    note = chance.choice([b"", request_id, b"0\\r\\n\\r\\n"])
    body = chance.choice([b'{"context":{"a":"%s"}}' % note, b'{"context":{"a":"%s"}}' % note, b"{}", smuggled])
    is_chunked = "chunks" in odd or chance.random() < 0.4
    method = chance.choice(METHODS) if "method" in odd else chance.choice([b"PUT", b"PUT", b"PUT", b"GET"])
    target = path + b"?upsert=true"
    if "target" in odd:
        form = chance.choice(TARGETS)
        target = form % target if b"%s" in form else form
    version = chance.choice(VERSIONS) if "version" in odd else b"HTTP/1.1"
    lines = [b"%s %s %s\r\n" % (method, target, version), b"Host: a\r\n", b"X-Request-Id: %s\r\n" % request_id]
    if method == b"GET" and chance.random() < 0.5:
        body, framing, is_chunked = b"", [], False
    elif is_chunked:
        framing = [b"Transfer-Encoding: chunked\r\n"]
    else:
        framing = [b"Content-Length: %d\r\n" % len(body)]
    if "line" in odd and chance.random() < 0.3:
        framing = []
    lines += framing
    for _ in range(odd.count("line")):
        line = chance.choice(LINES)
        # Not before the request line, which "bytes" is for; and behind the framing or before it.
        lines.insert(
            chance.randint(1, len(lines)), line.replace(b"%d", b"%d" % len(body)).replace(b"%x", b"%x" % len(body))
        )
    data = b"".join(lines) + b"\r\n" + (chunks(chance, body, odd.count("chunks")) if is_chunked else body)
    return mutated(chance, data, odd.count("bytes"))


def chunks(chance: random.Random, body: bytes, oddities: int) -> bytes:
    cuts = sorted({0, len(body), *(chance.randint(0, len(body)) for _ in range(chance.randint(0, 3)))})
    parts = [[b"%x\r\n" % (end - start), body[start:end], b"\r\n"] for start, end in itertools.pairwise(cuts)]
    parts.append([b"", b"", b"0\r\n\r\n"])
    for _ in range(oddities):
        part = chance.choice(parts)
        if part is parts[-1]:
            part[2] = chance.choice(LAST_CHUNKS)
        elif chance.random() < 0.6:
            part[0] = (
                chance.choice(CHUNK_SIZES).replace(b"%x", b"%x" % len(part[1])).replace(b"%X", b"%X" % len(part[1]))
            )
        else:
            part[2] = chance.choice(CHUNK_ENDS)
    return b"".join(itertools.chain.from_iterable(parts))


def mutated(chance: random.Random, data: bytes, count: int) -> bytes:
    changed = bytearray(data)
    for _ in range(count):
        place = chance.randint(0, len(changed))
        match chance.choice(("insert", "insert", "delete", "replace", "double")):
            case "insert":
                changed[place:place] = chance.choice(BITS)
            case "delete":
                del changed[place : place + 1]
            case "replace":
                changed[place : place + 1] = chance.choice(BITS)
            case _:
                changed[place:place] = changed[place : place + chance.randint(1, 40)]
    return bytes(changed)


def stream(chance: random.Random, prefix: str, most: int = 3) -> Stream:
    """Up to so many requests and a plain last one, in pieces. Their sessions' ids begin with `prefix`."""
    count = chance.randint(1, most)
    is_plain = chance.random() < 0.2
    parts = []
    for number in range(count + 1):
        path = f"{SESSIONS}{prefix}-{number}".encode()
        request_id = b"%08x" % chance.getrandbits(32)
        if number == count:
            parts.append(
                b"GET %s HTTP/1.1\r\nHost: a\r\nX-Request-Id: %s\r\nConnection: close\r\n\r\n" % (path, request_id)
            )
            continue
        parts.append(one_request(chance, path, request_id, 0 if is_plain else chance.choice((0, 1, 1, 1, 2, 2, 3))))
        if not is_plain and chance.random() < 0.03:
            parts.append(chance.choice([b"\r\n", b"\n", b"\r\n\r\n", b" ", b"\x00"]))
    data = b"".join(parts)
    cuts = {chance.randint(1, len(data) - 1) for _ in range(chance.choice((0, 0, 1, 2, 5, 20)))}
    cuts = [0, *sorted(cuts), len(data)]
    return Stream(prefix, data, count, is_plain, tuple(data[start:end] for start, end in itertools.pairwise(cuts)))


def exchange(dial, streams: list[Stream], opinions: list[Opinion]) -> list[tuple[bytes, bool]]:
    """Sends the streams side by side, piece by piece, and reads what comes until each connection ends.

    Where h11 doesn't see the last request, the client ends its side, so that the daemon doesn't wait for more.
    """
    connections = [dial() for _ in streams]
    try:
        broken = set()
        for pieces in itertools.zip_longest(*(one.pieces for one in streams)):
            for index, piece in enumerate(pieces):
                if piece is None or index in broken:
                    continue
                try:
                    connections[index].sendall(piece)
                except OSError:
                    broken.add(index)  # It refused what came before, and what it said to that is read below.
        for connection, said in zip(connections, opinions, strict=True):
            if not said.is_closed:
                try:
                    connection.shutdown(socket.SHUT_WR)
                except OSError:
                    continue
        return [read_to_end(connection) for connection in connections]
    finally:
        for connection in connections:
            connection.close()
