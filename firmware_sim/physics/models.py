"""The lamps there are: what their type plates say and what their controllers measure."""

from __future__ import annotations

from dataclasses import dataclass

HOT_C = 80.0
"""The drivers' case temperature limit Tc is 85 °C; five below it is too hot."""


@dataclass(frozen=True)
class Model:
    """One luminaire with its controller. `curve` bends the dimming curve: power = min + (nominal - min) · d^curve.

    `magnetic` marks discharge lamps on a choke: they run up within minutes and their power follows the voltage.
    `clo` is the share of the nominal power that a constant-light-output driver draws while young. `step_w` is the
    resolution of the meter; `lumps_v` that of the voltage.
    """

    name: str
    share: float
    nominal_w: float
    min_dim_pct: float
    min_w: float
    curve: float = 1.0
    clo: float = 1.0
    magnetic: bool = False
    tells_dim: bool = True
    tells_factor: bool = True
    tells_heat: bool = True
    tells_current: bool = True
    counts_energy: bool = True
    forgets_energy: bool = False
    step_w: float = 0.1
    lumps_v: float = 0.1
    rise_c: float = 24.0

    @property
    def dims(self) -> bool:
        """Whether it can burn at less than full light."""
        return self.min_dim_pct < 100


MODELS = (
    Model("Lindau LED 22", 0.16, 22.0, 10.0, 3.4, 1.05, rise_c=20.0),
    Model("Lindau LED 36", 0.20, 36.0, 10.0, 5.6, 1.0),
    Model("Lindau LED 36 CLO", 0.09, 36.0, 10.0, 5.6, 1.0, clo=0.90),
    Model("Altstadt LED 28", 0.12, 28.0, 20.0, 7.0, 0.93, tells_heat=False, forgets_energy=True),
    Model("Altstadt LED 45 CLO", 0.06, 45.0, 20.0, 10.5, 1.1, clo=0.88, step_w=1.0, lumps_v=1.0),
    Model("Radial LED 58", 0.09, 58.0, 10.0, 8.5, 1.12, rise_c=28.0),
    Model("Radial LED 90", 0.05, 90.0, 10.0, 13.0, 1.0, tells_dim=False, rise_c=30.0),
    Model("Nachruest LED 18", 0.08, 18.0, 30.0, 6.2, 1.0, tells_factor=False, tells_current=False, counts_energy=False),
    Model("Koffer NAV 50", 0.06, 62.0, 100.0, 62.0, magnetic=True, tells_dim=False, tells_heat=False),
    Model("Koffer NAV 70", 0.06, 83.0, 100.0, 83.0, magnetic=True, tells_heat=False, step_w=1.0),
    Model("Pilz HME 80", 0.03, 89.0, 100.0, 89.0, magnetic=True, tells_dim=False, tells_heat=False,
          counts_energy=False),
)  # fmt: skip

SOLAR = Model("Solarleuchte 12", 0.0, 12.0, 10.0, 1.6, tells_factor=False, tells_current=False, counts_energy=False,
              tells_heat=False)  # fmt: skip
"""A lamp of its own at a bus stop: no mains, a battery, reports 12 V as volts."""
