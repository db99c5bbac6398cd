"""One rule over a fleet: whom it is about, with which parameters, and the columns its expressions see."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

from core.kinds import KIND_NUMBER
from rules.evaluate import selects
from rules.expression import Node, names
from rules.fleet import Fleet
from rules.inputs import Inputs, Numbers
from rules.spec import Rule


def selected(rule: Rule, fleet: Fleet) -> NDArray[np.bool_]:
    """bool[n]: the devices a rule is about. Devices that are alike in what `select` names are asked once."""
    used = sorted(names(rule.select) | {"kind"})
    answers: dict[tuple[object, ...], bool] = {}
    found = np.zeros(len(fleet), dtype=np.bool_)
    for number, device in enumerate(fleet.devices):
        key = tuple([getattr(device, name) for name in used])
        answer = answers.get(key)
        if answer is None:
            answer = answers[key] = device.kind in rule.device_kinds and selects(rule.select, device)
        found[number] = answer
    return found


Param = np.float64 | Numbers


def params_of(rule: Rule, fleet: Fleet, today: date) -> dict[str, Param]:
    """Each parameter: one number for all, or f8[n] where somebody has set another one for some."""
    found: dict[str, Param] = {name: np.float64(param.value) for name, param in rule.params.items()}
    if not rule.overrides:
        return found
    for number, device in enumerate(fleet.devices):
        if not any(override.holds(device, today) for override in rule.overrides):
            continue
        for name, resolved in rule.resolved(device, today).items():
            column = found[name]
            if not isinstance(column, np.ndarray):
                column = np.full(len(fleet), column)
            column[number] = resolved.value
            found[name] = column
    return found


class RuleColumns:
    """The columns of some rows with a rule's parameters among them, and the `value` of a night."""

    def __init__(self, inputs: Inputs, params: Mapping[str, Param], value: Numbers | None = None) -> None:
        self.inputs = inputs
        self.params = params
        self.value = value

    def column(self, name: str) -> Numbers:
        """f8[k]."""
        if name in self.params:
            param = self.params[name]
            if not isinstance(param, np.ndarray):
                return param  # type: ignore[return-value]  # a scalar broadcasts like a column
            return param[self.inputs.rows.device]
        if name == "value" and self.value is not None:
            return self.value
        return self.inputs.column(name)

    def call(self, function: str, name: str, argument: float) -> Numbers:
        """f8[k]."""
        return self.inputs.call(function, name, argument)


def kinds_of(rule: Rule) -> list[int]:
    """The numbers of the kinds a rule is about."""
    return sorted(KIND_NUMBER[kind] for kind in rule.device_kinds)


def trees_of(rule: Rule) -> list[Node]:
    """All expressions over readings of a rule."""
    quick = rule.sooner.when if rule.sooner is not None else None
    return [tree for tree in (rule.where, rule.when, rule.clears, rule.value, quick) if tree is not None]
