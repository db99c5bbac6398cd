"""When a part that a test needs is not on this machine: a named skip, or a failure where the part is demanded."""

import os
from typing import NoReturn, TypeVar

import pytest

Found = TypeVar("Found")


def demanded_parts() -> frozenset[str]:
    """The parts whose absence is a failure: `PARTHELAND_REQUIRE=influxd,browser`; nothing set = none."""
    return frozenset(part.strip() for part in os.environ.get("PARTHELAND_REQUIRE", "").split(",") if part.strip())


def require(part: str, found: Found | None, why: str) -> Found:
    """What was found; when nothing was, the test is skipped with part and reason, or fails if the part is demanded."""
    if found:
        return found
    missing(part, why)


def missing(part: str, why: str) -> NoReturn:
    """Ends the running test: skipped, or failed when `PARTHELAND_REQUIRE` names the part."""
    if part in demanded_parts():
        pytest.fail(f"PARTHELAND_REQUIRE demands {part}, but {why}", pytrace=False)
    pytest.skip(f"{part} is not here: {why}")
