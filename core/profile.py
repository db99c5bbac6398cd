"""What a lamp is told to do in a night: the grammar of the inventory's column `profile`.

    profile = part {"|" part}           Fr-Sa:100@dusk;0@dawn|100@dusk;50@23:00;0@dawn
    part    = [days ":"] step {";" step}
    days    = span {"," span}           span = day ["-" day]; Sa-Mo runs over Sunday
    day     = Mo Di Mi Do Fr Sa So, or Mo Tu We Th Fr Sa Su
    step    = percent "@" (dusk | dawn | HH:MM)

Times are local. A step belongs to the night begun that day: 100@05:00 under Fr is on Saturday morning. A part without
days holds for the days no other part names; days nobody names have the default. Steps keep the order they are written
in. When dusk and dawn are, and which steps are void then, is the business of who evaluates a profile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_PROFILE = "100@dusk;0@dawn"
PROFILE_CHARS_MAX = 500
MINUTES_PER_HOUR = 60
DAYS_PER_WEEK = 7

_DAY_NAMES = {"mo": 0, "di": 1, "tu": 1, "mi": 2, "we": 2, "do": 3, "th": 3, "fr": 4, "sa": 5, "so": 6, "su": 6}
_DAYS = re.compile(r"[^\d@;:]*[^\W\d][^\d@;:]*:")
_SPAN = re.compile(r"\s*(\w+)\s*(?:-\s*(\w+)\s*)?")
_STEP = re.compile(r"\s*(\d{1,3}(?:\.\d+)?)\s*@\s*(?:(dusk|dawn)|(\d{1,2}):(\d{2}))\s*", re.ASCII | re.IGNORECASE)


class ProfileError(ValueError):
    """This text is no profile. `column` is the place in it, counted from 1."""

    def __init__(self, column: int, reason: str) -> None:
        super().__init__(f"{reason} (character {column})")
        self.column = column


@dataclass(frozen=True)
class Step:
    """From an instant on, dim to `dim_pct`. Either `sun` is dusk or dawn, or `minute` counts from local midnight."""

    dim_pct: float
    sun: str | None = None
    minute: int | None = None


@dataclass(frozen=True)
class Profile:
    """The steps of each night by the weekday it begins on, Monday first: always seven."""

    nights: tuple[tuple[Step, ...], ...]


def parse_profile(text: str | None) -> Profile:
    """The steps of all seven nights; None or blank text gives the default. Raises ProfileError."""
    if text is None or not text.strip():
        text = DEFAULT_PROFILE
    if len(text) > PROFILE_CHARS_MAX:
        raise ProfileError(PROFILE_CHARS_MAX + 1, f"the profile is longer than {PROFILE_CHARS_MAX} characters")
    named: dict[int, tuple[Step, ...]] = {}
    others: tuple[Step, ...] | None = None
    for start, part in _split(text, 0, "|"):
        days, length = _days(part, start)
        steps = _steps(part[length:], start + length)
        if days:
            for day in days:
                if day in named:
                    raise ProfileError(start + 1, f"'{part.strip()}' names a day that has its steps already")
                named[day] = steps
        elif others is not None:
            raise ProfileError(start + 1, "a second part without days; expected days before it, e.g. Fr-Sa:")
        else:
            others = steps
    rest = others or _steps(DEFAULT_PROFILE, 0)
    return Profile(tuple(named.get(day, rest) for day in range(DAYS_PER_WEEK)))


def _split(text: str, start: int, separator: str) -> list[tuple[int, str]]:
    """The pieces between separators, each with its place in the whole text."""
    pieces = []
    for piece in text.split(separator):
        pieces.append((start, piece))
        start += len(piece) + 1
    return pieces


def _days(part: str, start: int) -> tuple[list[int], int]:
    """The weekdays a part begins with, and how many characters they take; no days is ([], 0)."""
    match = _DAYS.match(part)
    if match is None:
        return [], 0
    days = [day for place, span in _split(match[0][:-1], start, ",") for day in _span(span, place)]
    return days, match.end()


def _span(text: str, place: int) -> list[int]:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ProfileError(place + 1, f"'{text.strip()}' names no days; expected e.g. Fr-Sa or Mo,Mi")
    first = _day(match, 1, place)
    last = first if match[2] is None else _day(match, 2, place)
    return [(first + offset) % DAYS_PER_WEEK for offset in range((last - first) % DAYS_PER_WEEK + 1)]


def _day(match: re.Match[str], group: int, place: int) -> int:
    name = match[group]
    if name.lower() not in _DAY_NAMES:
        expected = "Mo Di Mi Do Fr Sa So or Mo Tu We Th Fr Sa Su"
        raise ProfileError(place + match.start(group) + 1, f"'{name}' is no weekday; expected one of {expected}")
    return _DAY_NAMES[name.lower()]


def _steps(text: str, start: int) -> tuple[Step, ...]:
    steps: list[Step] = []
    for place, piece in _split(text, start, ";"):
        step = _step(piece, place)
        if any((step.sun, step.minute) == (other.sun, other.minute) for other in steps):
            raise ProfileError(place + 1, f"'{piece.strip()}' is a second step at the same instant")
        steps.append(step)
    return tuple(steps)


def _step(piece: str, place: int) -> Step:
    match = _STEP.fullmatch(piece)
    if match is None:
        found = f"'{piece.strip()}' is no step" if piece.strip() else "a step is missing"
        raise ProfileError(place + 1, f"{found}; expected e.g. 100@dusk, 50@23:00 or 0@dawn")
    dim_pct = float(match[1])
    if dim_pct > 100:
        raise ProfileError(place + match.start(1) + 1, f"{match[1]} is more than 100 percent")
    if match[2]:
        return Step(dim_pct, sun=match[2].lower())
    hour, minute = int(match[3]), int(match[4])
    if hour > 23 or minute > 59:
        raise ProfileError(place + match.start(3) + 1, f"{match[3]}:{match[4]} is no time; expected 00:00 … 23:59")
    return Step(dim_pct, minute=hour * MINUTES_PER_HOUR + minute)
