"""A street lamp and its controller: follows its profile, draws power, counts energy, reports each quarter hour."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from firmware_sim import sky
from firmware_sim.cabinet import Supply
from firmware_sim.device import Device, Reading
from firmware_sim.payloads import Values
from firmware_sim.profile import Timeline

OUT_POWER_W = 0.5
"""What a lamp with a dead driver still draws: its controller."""


@dataclass(frozen=True)
class Rating:
    """What the type plate says: power at full light, the lowest dim step and the power there."""

    nominal_w: float
    min_dim_pct: float
    min_w: float

    def power_w(self, dim_pct: float) -> float:
        """Power at that dim step, linear between the two points; 0 when off, the lowest step when told less than it."""
        if dim_pct <= 0:
            return 0.0
        share = (max(dim_pct, self.min_dim_pct) - self.min_dim_pct) / max(1.0, 100.0 - self.min_dim_pct)
        return self.min_w + (self.nominal_w - self.min_w) * share


@dataclass(frozen=True)
class Wiring:
    """Where the lamp hangs: its cabinet's mains, its phase, and whether the line is switched with the profile."""

    supply: Supply
    phase: str
    switched: bool


class Lamp(Device):
    """One lamp; the flags `failed`, `stuck_on` and `circuit_down` are set from outside by faults."""

    kind = "lamp"

    def __init__(
        self,
        device_id: str,
        town: str,
        rng: Random,
        start_ms: int,
        interval_ms: int,
        rating: Rating,
        wiring: Wiring,
        timeline: Timeline,
    ) -> None:
        super().__init__(device_id, town, rng, start_ms, interval_ms)
        self.rating = rating
        self.wiring = wiring
        self.timeline = timeline
        self.keeps_backlog = True
        self.tells_radio = rng.random() < 0.1
        self.tells_failure = rng.random() < 0.5
        self.failed = False
        self.stuck_on = False
        self.circuit_down = False
        self._ran_on = True
        self._efficiency = rng.gauss(1.0, 0.015)
        self._standby_w = rng.uniform(0.35, 0.6)
        self._energy_wh = rng.uniform(0.0, 400_000.0)
        self._burning_ms = self._energy_wh / rating.nominal_w * 3_600_000
        self._counted_ms = start_ms

    def has_supply(self, now_ms: int) -> bool:
        """Whether there is voltage at the lamp: never on a dead circuit, on a switched one only while commanded on."""
        if self.circuit_down:
            return False
        return not self.wiring.switched or self.timeline.dim_pct(now_ms) > 0

    def power_w(self, now_ms: int) -> float:
        """What the lamp draws at that instant, controller included."""
        return self._drawn_w(self.timeline.dim_pct(now_ms)) if self.has_supply(now_ms) else 0.0

    def count(self, now_ms: int) -> None:
        """Bring the energy and burning-hour counters up to that instant; call before the lamp's state changes."""
        if now_ms <= self._counted_ms:
            return
        if not self.circuit_down:
            for duration_ms, dim_pct in self.timeline.segments(self._counted_ms, now_ms):
                if dim_pct > 0 or not self.wiring.switched:
                    self._energy_wh += self._drawn_w(dim_pct) * duration_ms / 3_600_000
                    self._burning_ms += duration_ms if self._lit_dim_pct(dim_pct) > 0 and not self.failed else 0
        self._counted_ms = now_ms

    def power_up(self, now_ms: int) -> None:
        """The controller starts anew; counters of energy and hours are kept."""
        super().power_up(now_ms)
        self._ran_on = True

    def wake(self, now_ms: int) -> list[Reading]:
        """One reading; nothing without supply. On a switched line the first wake of the evening is a power-up."""
        if not self.has_supply(now_ms):
            self._sleep_until_supply(now_ms)
            return []
        if not self._ran_on:
            self.power_up(now_ms)
            return []
        self.count(now_ms)
        self.next_slot()
        return [self.reading(now_ms, self._measured(now_ms))]

    def _sleep_until_supply(self, now_ms: int) -> None:
        self._ran_on = False
        if self.circuit_down:
            self._slot_ms = self.next_wake_ms = now_ms + sky.DAY_MS
        else:
            self._slot_ms = self.next_wake_ms = max(now_ms, self.timeline.next_on_ms(now_ms)) + 1

    def _lit_dim_pct(self, dim_pct: float) -> float:
        return 100.0 if self.stuck_on and dim_pct <= 0 else dim_pct

    def _drawn_w(self, dim_pct: float) -> float:
        if self.failed:
            return OUT_POWER_W
        return self._standby_w + self.rating.power_w(self._lit_dim_pct(dim_pct)) * self._efficiency

    def _measured(self, now_ms: int) -> Values:
        rng = self.rng
        dim_pct = self.timeline.dim_pct(now_ms)
        power_w = self._drawn_w(dim_pct) * rng.gauss(1.0, 0.004)
        voltage_v = self.wiring.supply.voltage_v(self.wiring.phase, now_ms) + rng.gauss(0.0, 0.3)
        load = min(1.0, power_w / self.rating.nominal_w)
        # LED drivers lose power factor when dimmed, and nearly all of it in standby.
        power_factor = 0.12 + 0.85 * (1 - (1 - load) ** 4)
        warm_c = sky.ambient_c(now_ms) + 28.0 * load + rng.gauss(0.0, 0.8)
        values: Values = {
            "power_w": round(power_w, 1),
            "voltage_v": round(voltage_v, 1),
            "current_a": round(power_w / (voltage_v * power_factor), 3),
            "power_factor": round(power_factor, 2),
            "dim_pct": round(dim_pct),
            "energy_wh": int(self._energy_wh),
            "driver_temp_c": round(warm_c),
        }
        if self.tells_radio and rng.random() < 0.1:
            values |= {"rssi_dbm": round(rng.gauss(-97.0, 5.0)), "snr_db": round(rng.gauss(6.0, 3.0), 1)}
        return values

    def payload_values(self, values: Values) -> Values:
        """The same reading with what only the binary payload carries: flags and burning hours."""
        return values | {
            "relay_closed": float(values["dim_pct"]) > 0 or self.stuck_on,
            "lamp_failure": self.failed and self.tells_failure,
            "supply_lost": False,
            "burning_h": self._burning_ms // 3_600_000,
        }
