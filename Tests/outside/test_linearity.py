"""The judge of the consistency campaign: accepts histories that can be, and finds each way in which one can't."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest
from conftest import SEED
from linearity import REMEMBERED, Inexplicable, Look, Write, explain

COUNT = 60


@dataclass(frozen=True)
class Step:
    """Adds a number to a tuple, only when the tuple has the expected length."""

    number: int
    expected: int | None
    key: str | None = None

    def apply(self, state: tuple[int, ...]) -> tuple[int, ...] | None:
        return (*state, self.number) if self.expected in (None, len(state)) else None


@dataclass
class Story:
    writes: dict[str, Write]
    looks: list[Look]
    history: list[tuple[int, str]]

    def check(self):
        return explain((), self.writes, self.looks, self.history)

    def change(self, place: int, **fields):
        name = self.history[place - 1][1]
        self.writes[name] = replace(self.writes[name], **fields)


@pytest.fixture
def story() -> Story:
    """What really happens one after the other in a session, seen by clients whose view begins before and ends later."""
    chance = random.Random(SEED)
    writes, looks, history, state, now = {}, [], [], (), 0.0
    looks.append(Look(0, -2.0, -1.0, ()))
    for number in range(1, COUNT + 1):
        now += 10
        name = f"change-{number}"
        step = Step(number, number - 1 if number % 3 else None, f"key-{number}" if number % 2 else None)
        state = step.apply(state)
        writes[name] = Write(step, now - chance.uniform(0, 15), now + chance.uniform(0, 15), version=number)
        history.append((number, name))
        for _ in range(2):
            seen = now + chance.uniform(0.1, 9.9)
            looks.append(Look(number, seen - chance.uniform(0, 15), seen + chance.uniform(0, 15), state))
        refused = f"refused-{number}"
        writes[refused] = Write(Step(0, number - 1), now + 1, now + 2, refused_at=number)
        looks.append(Look(number, now + 1, now + 2))
    return Story(writes, looks, history)


def test_accepts_what_can_be(story):
    assert story.check() == tuple(range(1, COUNT + 1))


def test_accepts_a_change_without_an_answer_wherever_it_came_in(story):
    story.change(7, end=float("inf"), version=None)
    story.writes["lost"] = Write(Step(0, None), 5.0)
    story.check()


def test_accepts_a_second_application_once_a_key_is_forgotten(story):
    step = Step(3, None, "key-3")
    story.writes["change-3"] = Write(step, 29.0, attempts=2)
    story.history.append((COUNT + 1, "change-3"))
    assert COUNT + 1 - 3 >= REMEMBERED
    story.check()


def doctor_stale_read(story: Story):
    """this one began"""
    story.looks.append(Look(9, 150.0, 151.0))


def doctor_early_read(story: Story):
    """this one began"""
    story.looks.append(Look(20, 100.0, 101.0))


def doctor_reads_that_go_back(story: Story):
    """this one began"""
    # Each of them by itself could be right, since the change to version 10 takes so long.
    del story.history[10:]
    story.writes = {name: story.writes[name] for _, name in story.history}
    story.change(10, end=200.0)
    story.looks = [look for look in story.looks if look.version < 9]
    story.looks.append(Look(10, 110.0, 111.0))
    story.check()
    story.looks.append(Look(9, 112.0, 113.0))


def doctor_content(story: Story):
    """shows something else"""
    place = next(at for at, look in enumerate(story.looks) if look.version == 5 and look.state)
    story.looks[place] = replace(story.looks[place], state=(1, 2, 3, 4, 99))


def doctor_lost_write(story: Story):
    """was acknowledged as version"""
    del story.history[COUNT - 1]
    story.looks = [look for look in story.looks if look.version < COUNT]


def doctor_gap(story: Story):
    """event 31 is version 32"""
    del story.history[30]


def doctor_shared_version(story: Story):
    """was acknowledged as version 10"""
    story.writes["other"] = Write(Step(0, None), 100.0, 101.0, version=10)


def doctor_unknown_event(story: Story):
    """nobody sent"""
    story.history.append((COUNT + 1, "nobody"))


def doctor_unexpected_version(story: Story):
    """had to be refused"""
    story.change(11, change=Step(11, 9))


def doctor_applied_twice(story: Story):
    """was applied twice"""
    story.writes[f"change-{COUNT}"] = Write(Step(COUNT, None, "key"), 590.0, attempts=2)
    story.history.append((COUNT + 1, f"change-{COUNT}"))


def doctor_applied_twice_without_a_key(story: Story):
    """was applied twice"""
    story.writes["change-3"] = Write(Step(3, None), 29.0, attempts=2)
    story.history.append((COUNT + 1, "change-3"))


def doctor_refused_but_applied(story: Story):
    """was refused at version 13"""
    story.change(12, version=None, refused_at=13)


def doctor_refused_again_but_applied(story: Story):
    """was refused at version 14"""
    story.change(13, version=None, refused_at=14, attempts=2, change=Step(13, 12, "key-13"))


def doctor_conflict_in_the_future(story: Story):
    """this one began"""
    story.looks.append(Look(30, 100.0, 101.0))


def doctor_version_that_never_was(story: Story):
    """never was"""
    story.looks.append(Look(COUNT + 1, 1000.0, 1001.0))


def doctor_swapped_writes(story: Story):
    """this one began"""
    # Both came in at any version, but one had been answered before the other was sent.
    for version, begin, end in ((20, 201.0, 202.0), (21, 199.0, 200.0)):
        story.change(version, change=Step(version, None), begin=begin, end=end)


# Their docstrings are what must be found.
DOCTORS = [value for name, value in sorted(globals().items()) if name.startswith("doctor_")]


@pytest.mark.parametrize("doctor", DOCTORS, ids=lambda doctor: doctor.__name__)
def test_finds_what_cannot_be(story, doctor):
    doctor(story)
    with pytest.raises(Inexplicable, match=doctor.__doc__):
        story.check()
