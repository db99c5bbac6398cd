"""`partheland demo`: the real program, with passwords, on a simulated region in time-lapse that begins at dusk.

Broker, gateway and centre run as with `partheland up`. When they are ready the region's inventory is imported, four
people get accounts, and the simulator starts as a fourth child on the same clock.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.clock import LapseClock, RealClock, parse_instant_ms
from core.settings import load
from deploy.commands.inventory import import_text
from deploy.contact import Centre, find_centre, read_contact
from deploy.credentials import load_or_create
from deploy.demo_console import Reporter, welcome
from deploy.demo_folder import claim, clear
from deploy.demo_people import Person, create_accounts, people
from deploy.demo_script import BEFORE_DUSK_MS, RULES, Author, Script, dusk_of_today_ms, next_dusk_ms, write_region
from deploy.demo_script import region_settings as settings_of
from deploy.options import LOOPBACK, Options, keep_to_ourselves, make_folder, require_free_port
from deploy.output import EXIT_OK, BadInput, say, tell, tell_json
from deploy.serving import StopRequest
from deploy.supervisor import Part, Supervisor
from deploy.up import addresses_of, announcer, locked, parts_of, stop_order, tended, with_ports
from firmware_sim.region import Region, generate
from rules.process import RULES_FOLDER

START_S = 12
"""How long the platform takes to start; the fleet is to speak a little before dusk."""
STOP_S_MAX = {"sim": 3.0, "gateway": 4.0, "centre": 5.0, "broker": 3.0}
SPEED_MAX = 100_000
ENVIRONMENT = "PARTHELAND_"


@dataclass(frozen=True)
class Wish:
    """How the demo was asked to run."""

    data: Path
    http_port: int
    mqtt_port: int
    speed: float
    seed: int
    start: str | None
    lamps: int
    as_json: bool


def run_demo(wish: Wish) -> int:
    """The exit code; returns after Ctrl-C. Raises BadInput."""
    if not 0 < wish.speed <= SPEED_MAX:
        raise BadInput(f"--speed is {wish.speed:g}; expected a number above 0, at most {SPEED_MAX}")
    if wish.lamps < 0:
        raise BadInput(f"--lamps is {wish.lamps}; expected 0 or more")
    first_ms = _first_ms(wish)
    require_free_port(LOOPBACK, wish.http_port, "HTTP_PORT=8081 (--http-port)", "HTTP")
    require_free_port(LOOPBACK, wish.mqtt_port, "MQTT_PORT=1884 (--mqtt-port)", "the broker")
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT)]:
        del os.environ[name]  # the demo brings its own settings, for its children too
    stop = StopRequest()
    stop.listen()
    keep_to_ourselves()
    data = claim(wish.data)
    with locked(data, stop.runs) as lock:
        clear(data)
        Demo(wish, _options(wish, data, first_ms)).run(stop, lock)
    say(f"Die Demo ist beendet. Ihre Daten bleiben bis zur nächsten in {data}. (The demo has ended.)")
    return EXIT_OK


def _first_ms(wish: Wish) -> int:
    """The platform's time at its start: so early that the fleet begins a little before dusk."""
    if wish.start is None:
        return dusk_of_today_ms(RealClock().now_ms()) - BEFORE_DUSK_MS - int(START_S * 1000 * wish.speed)
    try:
        return parse_instant_ms(wish.start)
    except ValueError as error:
        raise BadInput(f"--start: {error}") from None


def _options(wish: Wish, data: Path, first_ms: int) -> Options:
    asked: dict[str, dict[str, object]] = {
        "platform": {"data_dir": str(data)},
        "http": {"port": wish.http_port, "bind": LOOPBACK},
        "broker": {"mqtt_port": wish.mqtt_port, "bind": LOOPBACK},
    }
    clock = LapseClock(first_ms, wish.speed, RealClock().now_ms())
    return with_ports(Options(load(None, {}, asked), data, dev=False, clock=clock))


class Demo:
    """One demo from its start to its end."""

    def __init__(self, wish: Wish, options: Options) -> None:
        self.wish = wish
        self.options = options
        self.folder = options.data / "region"
        self.reporter: Reporter | None = None

    def run(self, stop: StopRequest, lock: int) -> None:
        """Until `stop`. Raises BadInput."""
        say("Partheland-Demo startet: Broker, Gateway, Zentrale … (starting, some ten seconds)")
        script, region = self._write_region()
        logs = make_folder(self.options.data / "logs")
        parts = [replace(part, stop_s_max=STOP_S_MAX[part.name]) for part in parts_of(self.options, None)]
        order = ["sim", *stop_order(self.options)]
        announce = announcer(logs / "up.log", self._aside)
        supervisor = Supervisor(parts, order, logs, RealClock(), announce, pass_fds=(lock,))
        try:
            with tended(self.options, supervisor, stop.runs) as runs:
                supervisor.run(_until(runs, self._stop_reporter), lambda: self._begin(supervisor, script, region))
        finally:
            self._stop_reporter()

    def _write_region(self) -> tuple[Script, Region]:
        """The region and what happens in it, as files for the simulator and for who is curious."""
        make_folder(self.folder)
        settings = settings_of(self.wish.lamps)
        region = generate(settings, self.wish.seed)
        script = Author(region, self.wish.seed, next_dusk_ms(self.options.clock.now_ms())).write()
        region.write_csv(self.folder / "inventory.csv", self.folder / "sites.csv")
        write_region(self.folder / "region.toml", settings)
        script.write_faults(self.folder / "faults.csv")
        (make_folder(self.options.data / RULES_FOLDER) / "demo.toml").write_text(RULES, encoding="utf-8")
        return script, region

    def _begin(self, supervisor: Supervisor, script: Script, region: Region) -> None:
        """All parts are ready: fill the platform, let the fleet speak, tell people. Raises BadInput."""
        centre = find_centre(self.options.data)
        if centre is None:
            raise BadInput("the centre went away right after its start; logs/centre.log in the data folder says why")
        for name in ("inventory.csv", "sites.csv"):
            text = (self.folder / name).read_text(encoding="utf-8")
            outcome = import_text(self.options.data, text, accept_valid=False, clock=self.options.clock)
            assert outcome["imported"], f"our own {name} is right: {outcome['problems'][:3]}"
        persons = people()
        create_accounts(centre, persons)
        supervisor.add(self._fleet())
        self._tell_ready(centre, persons, script)
        data, clock = self.options.data, self.options.clock
        self.reporter = Reporter(lambda: read_contact(data), clock, script.moments, say if self.wish.as_json else tell)
        self.reporter.start()

    def _fleet(self) -> Part:
        """The simulator on the platform's clock, signed in as the devices are."""
        devices = load_or_create(self.options.data).devices
        secret = self.folder / "password"
        secret.write_text(devices.password, encoding="utf-8")
        clock = self.options.clock
        assert isinstance(clock, LapseClock), "a demo runs in time-lapse"
        # The fleet powers up now: what would have been said since the platform's start is not made up.
        now_ms = RealClock().now_ms()
        started_ms = clock.start_ms + int(clock.speed * (now_ms - clock.origin_ms))
        port = self.options.settings.broker.mqtt_port
        command = [sys.executable, "-m", "deploy.cli", "sim"]
        command += ["--broker", f"mqtt://{devices.name}@{LOOPBACK}:{port}", "--password-file", str(secret)]
        command += ["--region", str(self.folder / "region.toml"), "--seed", str(self.wish.seed)]
        command += ["--faults", str(self.folder / "faults.csv"), "--truth", str(self.folder / "truth.csv")]
        command += ["--start", str(started_ms), "--speed", repr(clock.speed), "--clock-origin", str(now_ms)]
        return Part("sim", command, lambda: True, STOP_S_MAX["sim"])

    def _tell_ready(self, centre: Centre, persons: list[Person], script: Script) -> None:
        if self.wish.as_json:
            found = vars(addresses_of(self.options))
            tell_json({"ready": True, "pid": os.getpid(), **found, "people": [asdict(one) for one in persons]})
        else:
            tell(welcome(centre.http, persons, script.moments, self.options.clock, self.wish.speed))

    def _aside(self, sentence: str) -> None:
        """What the supervisor does is for its log; a part that falls is worth a line here."""
        if "it starts again" in sentence or "was killed" in sentence:
            say(f"    ({sentence})")

    def _stop_reporter(self) -> None:
        if self.reporter is not None:
            self.reporter.stop()
            self.reporter = None


def _until(runs: Callable[[], bool], at_the_end: Callable[[], None]) -> Callable[[], bool]:
    """`runs`; the first time it is over, `at_the_end` is called before the children stop."""

    def still() -> bool:
        if runs():
            return True
        say("\nDie Demo wird beendet … (stopping)")
        at_the_end()
        return False

    return still
