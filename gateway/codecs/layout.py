"""Unpacking fixed layouts: the exact length, or a refusal that says what came."""

from __future__ import annotations

from struct import Struct
from typing import Any

from gateway.source import Refused


def unpack(layout: Struct, data: bytes, name: str) -> tuple[Any, ...]:
    """The fields of `data`. Raises Refused when its length is another than the layout's."""
    if len(data) != layout.size:
        raise Refused("bad_length", f"{name} payload must be {layout.size} bytes, got {len(data)}")
    return layout.unpack(data)


def check_version(version: int, expected: int, name: str) -> None:
    """Raises Refused for a payload version this decoder was not written for."""
    if version != expected:
        raise Refused("unknown_version", f"{name} payload version {version} is not known; expected {expected}")
