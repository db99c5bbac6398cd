"""What a rule found in a batch: episodes that begin and episodes that end."""

from __future__ import annotations

from dataclasses import dataclass

from rules.records import Evidence


@dataclass(frozen=True)
class Opening:
    """An episode begins. `episode` names it whatever is replayed; `device` is the number of a device concerned, for
    town and place, -1 = none; `facts` are what the sentence for people is made of.
    """

    rule: str
    subject: str
    episode: str
    device: int
    since_ms: int
    opened_ms: int
    facts: dict[str, float]
    members: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Closing:
    """The episode of a rule on a subject ends; `reason` is German, for people."""

    rule: str
    subject: str
    episode: str
    closed_ms: int
    reason: str


Edge = Opening | Closing
