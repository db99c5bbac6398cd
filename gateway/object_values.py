"""Values from what a network server's codec decoded: any JSON, flattened, under names we can store.

Nothing is converted or guessed. A number that a codec suddenly writes as text ("2.8(low battery)") stays text, and
the check keeps it out and says so; text that was never a value (a message type, a serial number) is left aside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any

from core.kinds import VALUES
from core.reading import Scalar
from gateway.source import Refused

DEPTH_MAX = 8
LEAVES_MAX = 256
NAME_CHARACTERS_MAX = 64
TEXT_CHARACTERS_MAX = 64
WHOLE_NUMBER_MAX = 2**63

_OTHER_CHARACTERS = re.compile(r"[^a-z0-9]+")
# "2.8(low battery)", "87%", "3.6 V", but no serial number, version, date or time.
_NUMBER_WITH_REMARK = re.compile(r"[+-]?\d{1,6}([.,]\d{1,6})?\s*([^\W\d_]{0,3}|%|°C|\(.*\))")


def object_values(kind: str, decoded: Mapping[str, Any]) -> dict[str, Scalar]:
    """The numbers and flags of a decoded object, nested names joined by '_'; of two equal names the first one stays.

    Raises Refused for an object that is deeper or larger than any device's.
    """
    values: dict[str, Scalar] = {}
    for count, (path, leaf) in enumerate(_leaves(decoded, "", 0)):
        if count >= LEAVES_MAX:
            raise Refused("too_many_values", f"the decoded object has more than {LEAVES_MAX} values")
        name = clean_name(path)
        if name not in values and _is_value(kind, name, leaf):
            values[name] = leaf[:TEXT_CHARACTERS_MAX] if isinstance(leaf, str) else leaf
    return values


def _leaves(node: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > DEPTH_MAX:
        raise Refused("too_deep", f"the decoded object is nested deeper than {DEPTH_MAX} levels")
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _leaves(value, f"{path}_{key}", depth + 1)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _leaves(value, f"{path}_{index}", depth + 1)
    else:
        yield path, node


@lru_cache(maxsize=16_384)
def clean_name(path: str) -> str:
    """A name of [a-z0-9_], at most 64 long: "[03] Voltage Battery/Input [V]" becomes 03_voltage_battery_input_v."""
    return _OTHER_CHARACTERS.sub("_", path.lower()).strip("_")[:NAME_CHARACTERS_MAX] or "value"


def _is_value(kind: str, name: str, leaf: Any) -> bool:
    if isinstance(leaf, str):
        return name in VALUES[kind] or _NUMBER_WITH_REMARK.fullmatch(leaf) is not None
    if isinstance(leaf, float):
        return isfinite(leaf)
    return isinstance(leaf, int) and abs(leaf) <= WHOLE_NUMBER_MAX  # bool is an int
