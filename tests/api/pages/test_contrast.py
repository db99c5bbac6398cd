"""The colours of the design language: text at 4.5:1 and symbols at 3:1, by day and by night."""

import re

import pytest

from api.pages.static_files import OWN

TEXT = 4.5
SYMBOL = 3.0
TONES = ("ok", "warn", "bad", "quiet", "info")
TEXT_PAIRS = [
    *((ink, ground) for ink in ("ink", "ink-soft", "accent") for ground in ("paper", "card")),
    *((tone, f"{tone}-tint") for tone in TONES),
    *((tone, ground) for tone in TONES for ground in ("card", "paper")),
    ("accent-ink", "accent"),
    ("card", "bad"),
    ("ink", "land"),
    ("ink", "quiet-tint"),
    ("ink-soft", "quiet-tint"),
    ("accent", "accent-tint"),
    ("night-ink", "night"),
    ("night-soft", "night"),
    ("night-ink", "night-land"),
]
SYMBOL_PAIRS = [
    ("edge", "paper"), ("edge", "card"), ("focus", "paper"), ("focus", "card"), ("land-line", "paper"),
    ("ok", "land"), ("warn", "land"), ("bad", "land"), ("quiet", "land"),
    ("light", "night-land"), ("light-bad", "night-land"), ("focus", "bad-tint"),
]  # fmt: skip


def schemes() -> dict[str, dict[str, str]]:
    """The colour of each token, by day and by night."""
    text = (OWN / "tokens.css").read_text(encoding="utf-8")
    day, night = text.split("@media (prefers-color-scheme: dark)")
    found = {
        name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part)) for name, part in (("day", day), ("night", night))
    }
    return {"light": found["day"], "dark": found["day"] | found["night"]}


def luminance(colour: str) -> float:
    """As WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Between 1 and 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(TEXT_PAIRS, TEXT), (SYMBOL_PAIRS, SYMBOL)], ids=["text", "symbols"])
def test_every_pair_of_colours_can_be_told_apart(scheme: str, pairs: list[tuple[str, str]], least: float) -> None:
    colours = schemes()[scheme]
    found = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: value for pair, value in found.items() if value < least} == {}


def test_only_the_tokens_name_colours() -> None:
    text = (OWN / "site.css").read_text(encoding="utf-8").split("@media print")[0]
    assert re.findall(r"#[0-9a-fA-F]{3,6}\b", text) == []
    assert "url(" not in text


def test_the_stylesheets_use_only_tokens_that_there_are() -> None:
    used = set(re.findall(r"var\(--([\w-]+)\)", (OWN / "site.css").read_text(encoding="utf-8")))
    known = set(re.findall(r"--([\w-]+):", (OWN / "tokens.css").read_text(encoding="utf-8")))
    assert used - known == {"tone", "tone-tint"}
