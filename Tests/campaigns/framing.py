"""Sends streams of right, odd and malformed requests, and proves that the daemon frames them as h11 does or refuses.

    python3 framing.py --requests N [--seed S] [--binary FILE]

Streams of one to three requests, with a plain one behind them, go over connections of their own, cut into pieces at any
place: line ends, blanks and NUL bytes where they don't belong, folded lines, lengths and encodings that are repeated,
contradict each other or mean nothing, chunks with extensions, trailers, odd sizes and ends, other targets and versions,
bodies that look like requests. What the daemon must do stands in ../outside/second_opinion.py. It is judged by

- its answers: their number, order, X-Request-Id and session;
- the tenant's events: none that h11 sees no request for, with the same content, and one for each acknowledged PUT;
- streams with nothing odd about them, which must be answered to the end.

What libmicrohttpd takes for line ends, which README's limits name, is no violation when that alone explains what the
daemon did; it is counted. That the judge finds it at all is checked first, with streams that are known to be read so.
Exit status: 0 fine, 1 a violation, 2 wrong use.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.parse import unquote_to_bytes

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "outside"))

from daemon import Daemon  # noqa: E402
from options import arguments, checked  # noqa: E402
from second_opinion import Opinion, Stream, exchange, judge, other_readings, opinion, stream  # noqa: E402
from wire import NoAnswer, dial  # noqa: E402

SIDE_BY_SIDE = 32
EVENTS = "/session-context/acme/events"
CLOSE = b"X-Request-Id: ff\r\nConnection: close\r\n\r\n"
LENIENT = [
    b"PUT /session-context/acme/context/SESSION-0?upsert=true HTTP/1.1\r\nHost: a\r\n"
    + rest
    + b"GET /session-context/acme/context/SESSION-1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    for rest in (
        b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\n0\r\n\r\n",
        b"X: y\x00\nContent-Length: 2\r\n\r\n{}",
    )
]


class Violation(Exception):
    """The daemon framed something otherwise, or doesn't do so any more where that is known."""


class Campaign:
    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options = options
        self.chance = random.Random(options.seed)
        # A client's end that comes right behind its last bytes is at times only noticed at the deadline.
        deadlines = dict.fromkeys(("headerSeconds", "bodySeconds", "idleSeconds"), 2)
        self.daemon = Daemon(folder, config={"timeouts": deadlines}, binary=options.binary)
        self.position = 0
        self.counts: Counter[str] = Counter()
        self.known: Counter[str] = Counter()

    def run(self):
        self.daemon.start()
        self.check_the_judge()
        sent, shown = 0, 0
        while sent < self.options.requests:
            streams = [stream(self.chance, self.new_prefix()) for _ in range(SIDE_BY_SIDE)]
            for one, problem in self.problems(streams):
                raise Violation(f"{problem}\nthe stream, in its pieces:\n{one.pieces!r}")
            sent += sum(one.requests for one in streams)
            self.counts["requests"] = sent
            if sent - shown >= max(2_000, self.options.requests // 10):
                shown = sent
                print(f"{sent} requests", flush=True)
        if (status := self.daemon.terminate()) != 0:
            raise Violation(f"SIGTERM ended the daemon with status {status}")

    def new_prefix(self) -> str:
        return f"{self.chance.getrandbits(48):012x}"

    def problems(self, streams: list[Stream]) -> list[tuple[Stream, str]]:
        """Sends streams side by side; what is wrong with which of them."""
        opinions = [opinion(one.data) for one in streams]
        results = exchange(lambda: dial(self.daemon.address), streams, opinions)
        events = self.new_events(streams)
        found = []
        for one, said, (received, is_ended), made in zip(streams, opinions, results, events, strict=True):
            problem = self.problem(one, said, received, is_ended, made)
            if problem:
                found.append((one, f"{problem}\nh11 sees {said}\nthe daemon answers {received!r}\nand makes {made}"))
        return found

    def problem(self, one: Stream, said: Opinion, received: bytes, is_ended: bool, made: list[dict]) -> str | None:
        verdict = judge(said, received, is_ended, made)
        if verdict.problem is not None:
            for names, data in other_readings(one.data):
                if judge(opinion(data), received, is_ended, made).problem is None:
                    self.known[" and ".join(sorted(names))] += 1
                    return None
            return verdict.problem
        if one.is_plain and (verdict.is_refused or verdict.answered != one.requests + 1):
            return f"nothing is odd about it, but only {verdict.answered} requests of {one.requests + 1} are answered"
        self.counts["refused" if verdict.is_refused else "framed alike"] += 1
        self.counts["answers"] += verdict.answered
        self.counts["plain"] += one.is_plain
        return None

    def new_events(self, streams: list[Stream]) -> list[list[dict]]:
        """The events since the last time by stream; one of no stream's session is a violation."""
        made: list[list[dict]] = [[] for _ in streams]
        by_prefix = {one.prefix: index for index, one in enumerate(streams)}
        while True:
            try:
                answer = self.daemon.request("GET", f"{EVENTS}?after={self.position}&limit=1000")
            except (NoAnswer, OSError) as error:
                ended = self.daemon.process.poll()
                raise Violation(
                    f"no events, {error}; the daemon's status: {ended}\n{self.daemon.stderr}\n{streams}"
                ) from None
            page = answer.json()["events"]
            for event in page:
                index = by_prefix.get(event["subject"].partition("-")[0])
                if index is None:  # Its id was mutated; whose is it?
                    texts = (unquote_to_bytes(one.data) for one in streams)
                    index = next((at for at, text in enumerate(texts) if event["subject"].encode() in text), None)
                if index is None:
                    raise Violation(f"{event} is of no request that was sent\n{[one.pieces for one in streams]}")
                made[index].append(event)
                self.position = event["position"]
            if "next" not in answer.json():
                return made

    def check_the_judge(self):
        """Streams that are known to be framed otherwise than h11 does must be found."""
        before = self.known.total()
        for data in LENIENT:
            prefix = self.new_prefix()
            data = data.replace(b"SESSION", prefix.encode())
            if problems := self.problems([Stream(prefix, data, 1, False, (data,))]):
                raise Violation(f"a known leniency is read in another way, too: {problems[0]}")
        if self.known.total() - before != len(LENIENT):
            raise Violation("line ends that libmicrohttpd took for CRLF aren't any more, or the judge is blind")
        self.known.clear()


def main() -> int:
    options = checked(arguments("HTTP framing", "requests", has_control=False))
    print(f"seed {options.seed}", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sessiond-framing-") as folder:
        campaign = Campaign(options, Path(folder))
        try:
            campaign.run()
        except Violation as violation:
            print(
                f"VIOLATION after {campaign.counts['requests']} requests: {violation}\nseed {options.seed}", flush=True
            )
            return 1
        finally:
            campaign.daemon.kill()
    counts = campaign.counts
    print(f"known differences: {json.dumps(dict(campaign.known)) if campaign.known else 'none met'}")
    print(
        f"seed {options.seed}: {counts['requests']} requests passed in {time.monotonic() - started:.1f} s; streams: "
        f"{counts['framed alike']} framed alike ({counts['plain']} of them plain), {counts['refused']} refused, "
        f"{campaign.known.total()} known exceptions; {counts['answers']} answers compared"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
