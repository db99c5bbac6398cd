"""Six days of a real street-lighting line, minute by minute: steps in the night, gaps, times that drift. It is healthy
but for 39 minutes without light in one night, and nothing unjustified may be raised.

The record (adamoferro/slightlimon) is not ours to ship: it lies beside a checkout, and without it this is skipped.
"""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from core.device import Device
from rules.backtest import Table, backtest
from rules.load import built_in
from tests.rules.town import snapshot
from tests.support.require import require

SHARED = Path(os.environ.get("PARTHELAND_SHARED", str(Path(__file__).parents[3] / "shared")))
LINE = SHARED / "data" / "streetlight-power"
BEGIN_MS = 1_759_993_200_000
"""2025-10-09T07:00Z: the record has no date; on these evenings the sun sets when its light comes on."""
PLAN = "100@dusk;91@20:02;80@22:02;74@02:02;0@dawn"


@pytest.mark.parametrize("plan", [None, PLAN])
@pytest.mark.parametrize("minutes", [1, 15])
@pytest.mark.parametrize("nominal_w", [6900.0, None])
def test_a_healthy_line_raises_nothing(plan: str | None, minutes: int, nominal_w: float | None) -> None:
    require("shared", LINE.exists(), f"{LINE} does not exist: set PARTHELAND_SHARED to the folder of the real data")
    power_w, voltage_v = (np.genfromtxt(LINE / f"{name}-data-test.txt")[::minutes] for name in ("w", "v"))
    known = ~np.isnan(power_w)
    t_ms = (BEGIN_MS + np.arange(len(power_w)) * minutes * 60_000)[known]
    line = Device(
        device_id="LINE", kind="lamp", town="naunhof", lat=46.07, lon=11.12, nominal_w=nominal_w, min_dim_pct=10.0,
        interval_s=60 * minutes, profile=plan,
    )  # fmt: skip
    values = {"power_w": power_w[known], "voltage_v": voltage_v[known]}
    table = Table(["LINE"], np.zeros(len(t_ms), dtype=np.int32), t_ms, t_ms + 2_000, values)
    found = backtest(snapshot([line]), table, built_in(date(2025, 10, 9)).rules)
    assert [(one.opening.rule, one.opening.since_ms) for one in found] == []
