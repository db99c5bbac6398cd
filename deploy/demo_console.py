"""What the demo says on the console: where to click and as whom, what will happen, and what happens."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

from core.clock import Clock
from core.german import local
from deploy.contact import Centre
from deploy.demo_people import Person
from deploy.demo_script import TOWN_NAMES, Moment
from deploy.output import BadInput

LOOK_S = 1.0
ASK_S_MAX = 5.0
STOP_S_MAX = 6.0
LINES_AT_ONCE = 6
AHEAD_MAX = 8
DAY_MIN = 1440
STATUS_DE = {
    "open": "wieder offen",
    "accepted": "angenommen",
    "in_progress": "in Arbeit",
    "done": "erledigt",
    "closed": "geschlossen",
    "unsolvable": "unlösbar",
    "duplicate": "doppelt",
    "false_alarm": "Fehlalarm",
}


def local_time(ms: int) -> str:
    """The time of day in the towns, HH:MM."""
    return f"{local(ms):%H:%M}"


def welcome(http: str, people: Sequence[Person], moments: Sequence[Moment], clock: Clock, speed: float) -> str:
    """The text that greets when all runs."""
    now_ms = clock.now_ms()
    today = f"{local(now_ms):%d.%m.%Y, %H:%M Uhr}"
    names, words = (max(len(getattr(one, what)) for one in people) for what in ("name", "password"))
    signed_in = [
        f"    {http + one.page:<34} {one.name:<{names}}  {one.password:<{words}}  {one.task}" for one in people
    ]
    ahead = [moment for moment in moments if moment.at_ms > now_ms][:AHEAD_MAX]
    coming = [
        f"    in {_real(moment.at_ms - now_ms, speed):>8}  ({local_time(moment.at_ms)})  {moment.sentence}"
        for moment in ahead
    ]
    lines = [
        "",
        f"  Partheland-Demo. In der Region ist es jetzt {today}; ein Tag dauert {DAY_MIN / speed:.3g} Minuten.",
        f"  (A simulated region, a day in {DAY_MIN / speed:.3g} minutes. Open an address below; Ctrl-C ends the demo.)",
        "",
        "  Ohne Anmeldung",
        f"    {http + '/':<34} Startseite",
        f"    {http + '/karte':<34} alle Geräte auf der Karte",
        f"    {http + '/parken':<34} freie Stellplätze",
        "",
        f"  Mit Anmeldung ({http}/anmelden): Name und Passwort",
        *signed_in,
        "",
        "  Was in den nächsten Minuten geschieht",
        *coming,
        "",
        "  Was geschieht",
    ]
    return "\n".join(lines)


def _real(simulated_ms: int, speed: float) -> str:
    seconds = simulated_ms / 1000 / speed
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


class Reporter:
    """Asks the centre each second what is new and says it, a line for each thing, a few lines at a time.

    `find` names the centre anew each time: one that has started again has another token.
    """

    def __init__(
        self,
        find: Callable[[], Centre | None],
        clock: Clock,
        moments: Sequence[Moment],
        tell: Callable[[str], None],
    ) -> None:
        self.find = find
        self.clock = clock
        self.moments = [moment for moment in moments if moment.at_ms > clock.now_ms()]
        self.tell = tell
        self.seen: dict[tuple[str, Any], str] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Say no more."""
        self._stopped.set()
        self._thread.join(STOP_S_MAX)

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_S):
            try:
                lines = self.news()
            except (BadInput, ValueError, KeyError):
                continue  # the centre starts again, or stops: the supervisor says so
            try:
                self._say(lines)
            except OSError:
                return  # nobody reads any more

    def _say(self, lines: Sequence[str]) -> None:
        for line in lines[:LINES_AT_ONCE]:
            self.tell(f"    {local_time(self.clock.now_ms())}  {line}")
        if len(lines) > LINES_AT_ONCE:
            self.tell(f"           … und {len(lines) - LINES_AT_ONCE} weitere")

    def news(self) -> list[str]:
        """What is new since the last time. Raises BadInput when the centre does not answer."""
        centre, now_ms = self.find(), self.clock.now_ms()
        if centre is None:
            raise BadInput("there is no centre now")
        cases, tickets = _items(centre, "/api/v1/sos?limit=20"), _items(centre, "/api/v1/tickets?limit=50")
        lines = [moment.sentence for moment in self.moments if moment.at_ms <= now_ms]
        self.moments = [moment for moment in self.moments if moment.at_ms > now_ms]
        for case in reversed(cases):
            lines += self._case(case, centre.http)
        for ticket in reversed(tickets):
            lines += self._ticket(ticket)
        return lines

    def _case(self, case: dict[str, Any], http: str) -> list[str]:
        was = self.seen.get(("sos", case["id"]))
        self.seen["sos", case["id"]] = case["state"]
        name = case.get("name") or case["device_id"]
        if was is None:
            return [f"NOTRUF {case['id']}: {name}  → {http}/notruf"]
        return [f"Notruf {case['id']} {_german(case['state'])}"] if was != case["state"] else []

    def _ticket(self, ticket: dict[str, Any]) -> list[str]:
        was = self.seen.get(("ticket", ticket["id"]))
        self.seen["ticket", ticket["id"]] = ticket["status"]
        what = f"Ticket {ticket['id']}"
        if was is None:
            town = TOWN_NAMES.get(ticket["town"], ticket["town"])
            return [f"{what}: {ticket['title_de']} ({town})"]
        return [f"{what} {_german(ticket['status'])}"] if was != ticket["status"] else []


def _items(centre: Centre, path: str) -> list[dict[str, Any]]:
    with centre.ask(path, timeout_s=ASK_S_MAX) as answer:
        found: list[dict[str, Any]] = json.loads(answer.read())["items"]
    return found


def _german(state: str) -> str:
    return STATUS_DE.get(state, state)
