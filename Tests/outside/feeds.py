"""A client of live feeds: reads server-sent events from a chunked answer as they come."""

from __future__ import annotations

import json
import select
import time
from dataclasses import dataclass

from daemon import Daemon
from wire import Answer, NoAnswer, Wire, request_bytes

EVENTS = "/session-context/acme/events"


@dataclass
class FeedEvent:
    """One event as a browser would dispatch it."""

    id: str
    type: str
    data: str

    @property
    def position(self) -> int:
        return int(self.id)

    @property
    def is_mark(self) -> bool:
        return self.type in ("caught-up", "checkpoint")

    def json(self):
        return json.loads(self.data)


class Feed:
    """An open feed. `last_id` is what a browser would send to resume it; `comments` are the lines it would ignore."""

    def __init__(self, daemon: Daemon, query: str = "", last_id: str | None = None, headers: dict | None = None):
        self.wire: Wire = daemon.wire()
        self.last_id = last_id
        self.comments: list[bytes] = []
        self.is_complete = False
        self._text = bytearray()
        sent = {"Accept": "text/event-stream"} | (headers or {})
        if last_id is not None:
            sent["Last-Event-ID"] = last_id
        self.wire.send(request_bytes("GET", f"{EVENTS}?{query}" if query else EVENTS, sent))
        self.answer = self._read_head()
        assert self.answer.status == 200, self.answer
        assert self.answer.headers["content-type"] == "text/event-stream"
        self._raw = bytearray(self.wire.received)
        self.wire.received = b""
        self._take_chunks()

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.wire.close()

    def _read_head(self) -> Answer:
        # As an answer to HEAD: the body is taken apart here.
        answer = self.wire.read("HEAD")
        if answer.status != 200:
            answer.body = self.wire._take(int(answer.headers["content-length"]))
        return answer

    def _take_chunks(self):
        while not self.is_complete:
            size, end, _ = self._raw.partition(b"\r\n")
            if not end:
                return
            count = int(size, 16)
            start = len(size) + 2
            if len(self._raw) < start + count + 2:
                return
            assert self._raw[start + count : start + count + 2] == b"\r\n"
            self._text += self._raw[start : start + count]
            del self._raw[: start + count + 2]
            self.is_complete = count == 0

    def fileno(self) -> int:
        return self.wire.socket.fileno()

    def receive(self, seconds: float) -> bool:
        """Reads what has come, or comes within that time; false when nothing does. Raises NoAnswer at the end."""
        poll = select.poll()
        poll.register(self.wire.socket, select.POLLIN)
        if not poll.poll(max(0.0, seconds) * 1000):
            return False
        try:
            data = self.wire.socket.recv(1 << 16)
        except OSError as error:
            raise NoAnswer(f"the connection broke: {error}") from error
        if not data:
            raise NoAnswer("the feed ended" if self.is_complete else "the feed was cut off")
        self._raw += data
        self._take_chunks()
        return True

    def next(self) -> FeedEvent | None:
        """The next event that is there whole, by the rules of the HTML Standard for lines that end with LF."""
        while True:
            block, end, rest = bytes(self._text).partition(b"\n\n")
            if not end:
                return None
            del self._text[: len(block) + 2]
            data: list[str] = []
            kind = "message"
            for line in block.split(b"\n"):
                assert b"\r" not in line, line
                name, _, value = line.decode("utf-8").partition(":")
                value = value.removeprefix(" ")
                if name == "":
                    self.comments.append(line)
                elif name == "id":
                    self.last_id = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    data.append(value)
                else:
                    raise AssertionError(f"a feed has the line {line!r}")
            if data:
                return FeedEvent(self.last_id or "", kind, "\n".join(data))

    def event(self, seconds: float = 10.0) -> FeedEvent:
        """The next event; fails when none comes in that time."""
        deadline = time.monotonic() + seconds
        while True:
            if (event := self.next()) is not None:
                return event
            if not self.receive(deadline - time.monotonic()):
                assert time.monotonic() < deadline, f"no event in {seconds} s; {bytes(self._text)!r}"

    def events(self, until: str, seconds: float = 10.0) -> list[FeedEvent]:
        """The events up to the first one of that type, which is the last of the list."""
        events = [self.event(seconds)]
        while events[-1].type != until:
            events.append(self.event(seconds))
        return events
