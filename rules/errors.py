"""What can go wrong at a desk where people act.

DeskError        it can't be done; the text says what was wrong and what is possible
├── NotThereError    there is no such ticket, case or finding
└── NotNowError      not in its present state; `allowed` names what is possible
"""

from __future__ import annotations

from collections.abc import Sequence


class DeskError(ValueError):
    """It can't be done; the text says what was wrong and what is possible. Nothing was changed."""


class NotThereError(DeskError):
    """There is nothing of this number."""


class NotNowError(DeskError):
    """Not in its present state."""

    def __init__(self, sentence: str, allowed: Sequence[str]) -> None:
        super().__init__(sentence)
        self.allowed = tuple(allowed)
