"""Whether what clients saw of one session has an explanation: an order of all of it that respects real time.

The versions give that order, so that no search is needed: a change stands at the version that it made, and a look (a
read, or a conflict that says the current version) behind the change of the version that it shows. The order respects
real time if nothing began only after something that stands behind it had ended.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# With an Idempotency-Key, a change is known again while it is one of so many last ones.
REMEMBERED = 32


class Appliable(Protocol):
    key: str | None

    def apply(self, state: Any) -> Any | None:
        """What comes of it when it is accepted in `state`; None when it has to be refused."""


@dataclass(frozen=True)
class Write:
    """A change that a client asked for, perhaps several times with the same bytes until there was an answer."""

    change: Appliable
    begin: float
    end: float = math.inf  # Of the last attempt; infinite without an answer.
    attempts: int = 1
    version: int | None = None  # When it was acknowledged.
    refused_at: int | None = None  # The current version that its refusal named.


@dataclass(frozen=True)
class Look:
    """A version that somebody was shown; `state` with it, if that was shown, too. Version 0: there is no session."""

    version: int
    begin: float
    end: float
    state: Any = None


class Inexplicable(Exception):
    """No order explains what was seen."""


def explain(start: Any, writes: dict[str, Write], looks: Sequence[Look], history: Sequence[tuple[int, str]]) -> Any:
    """Raises Inexplicable unless the session's history explains everything; returns the state in the end.

    `start` is the state at version 0, `writes` has the changes by request id, and `history` the version and the request
    id of each event, oldest first.
    """
    # 1. The history: no gap, each event of a change that was asked for, once, where it had to be accepted.
    states = [start]
    places: dict[str, list[int]] = defaultdict(list)
    for place, (version, request) in enumerate(history, 1):
        if version != place:
            raise Inexplicable(f"event {place} is version {version}")
        if request not in writes:
            raise Inexplicable(f"version {version} is of {request!r}, which nobody sent")
        state = writes[request].change.apply(states[-1])
        if state is None:
            raise Inexplicable(f"version {version}: {writes[request]} had to be refused")
        states.append(state)
        places[request].append(version)
    # 2. The answers: what was acknowledged is there, what was refused isn't, nothing is there twice.
    for request, write in writes.items():
        check_answer(request, write, places.get(request, []))
    # 3. What was shown is what was there.
    shown: dict[int, list[Look]] = defaultdict(list)
    for look in looks:
        if look.version >= len(states):
            raise Inexplicable(f"{look} is of a version that never was")
        if look.state is not None and look.state != states[look.version]:
            raise Inexplicable(f"{look} shows something else than version {look.version}: {states[look.version]}")
        shown[look.version].append(look)
    # 4. Real time: nothing ended before something began that stands before it.
    latest: Write | Look | None = None

    def stands_here(one: Write | Look):
        if latest is not None and one.end < latest.begin:
            raise Inexplicable(
                f"{one}\nhad ended when this one began, which made or showed an earlier version:\n{latest}"
            )

    for version in range(len(states)):
        if version:
            write = writes[history[version - 1][1]]
            stands_here(write)
            latest = later(latest, write)
        here = shown.get(version, [])
        for look in here:
            stands_here(look)
        for look in here:  # Looks at the same version may stand in any order.
            latest = later(latest, look)
    return states[-1]


def later(one: Write | Look | None, other: Write | Look) -> Write | Look:
    return other if one is None or other.begin > one.begin else one


def check_answer(request: str, write: Write, places: list[int]):
    """Whether a change stands where its answer says, given where it stands."""
    distance = REMEMBERED if write.change.key is not None else 1
    for first, second in zip(places, places[1:], strict=False):
        if write.attempts == 1 or second - first < REMEMBERED or write.change.key is None:
            raise Inexplicable(f"{request} was applied twice, as versions {first} and {second}: {write}")
    if write.version is not None and write.version not in places:
        raise Inexplicable(f"{request} was acknowledged as version {write.version}, but stands at {places}: {write}")
    if write.refused_at is not None and places:
        # Only an attempt that nobody answered can have been accepted, and only if too much came after it.
        if write.attempts == 1 or write.refused_at - places[0] < distance:
            raise Inexplicable(f"{request} was refused at version {write.refused_at}, but stands at {places}: {write}")
