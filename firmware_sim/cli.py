"""The command line of the simulator: `partheland sim` and `python -m firmware_sim` are this."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from firmware_sim import runner
from firmware_sim.files import write_run
from firmware_sim.moments import iso, parse_duration_ms, parse_time_ms
from firmware_sim.physics.files import write_played
from firmware_sim.physics.plan import DAY_MS, Plan
from firmware_sim.physics.play import play
from firmware_sim.region import Region, generate
from firmware_sim.settings import Settings, read_settings, with_values
from firmware_sim.truth import read_faults, write_truth
from firmware_sim.world import Run, World

EXIT_OK, EXIT_BAD_INPUT, EXIT_OUR_FAULT = 0, 1, 2
FILES_DURATION = "24h"
INSTANT_HELP = "ISO 8601 or Unix ms; default now, with --out 2026-01-10T12:00:00Z"
FILES_START = "2026-01-10T12:00:00Z"
PHYSICS_DURATION = "30d"
PHYSICS_HELP = "with --out: weeks of thousands of lamps with every sort of fault as readings.csv, for judging detection"
NOT_WITH_PHYSICS = ("broker", "region", "faults", "counters", "truth", "inventory_out")

EXAMPLES = """examples:
  partheland sim --broker mqtt://localhost:1883 --speed 120 --inventory-out inventory.csv
  partheland sim --broker mqtt://sim:secret@localhost --lamps 100 --bays 20 --buttons 4 --for 2h --truth truth.csv
  partheland sim --out run1 --seed 7 --start 2026-01-10T15:00:00+01:00 --for 7d --loss 0.1
  partheland sim --out month --physics --lamps 2000 --for 30d --seed 101 --loss 0.28
"""
TOGETHER = """
`up` and `sim` with the same --start and --speed each count from their own start: start them together, or sim lags by
gap x speed (10 s later at --speed 60 is 10 min).
"""


def parser() -> argparse.ArgumentParser:
    """The options, with an example."""
    options = argparse.ArgumentParser(
        prog="partheland sim",
        description="Plays the hardware of the seven towns: lamps, bays, barriers, SOS buttons, cabinets, gateways.",
        epilog=EXAMPLES + TOGETHER,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    target = options.add_mutually_exclusive_group(required=True)
    target.add_argument("--broker", metavar="URL", help="publish to it: mqtt[s]://[user:password@]host[:port]")
    target.add_argument("--out", metavar="DIR", type=Path, help="write messages.ndjson and the CSV files there instead")
    options.add_argument("--region", metavar="FILE", type=Path, help="TOML with sizes, shares, radio, faults")
    options.add_argument("--seed", type=int, default=1, help="one seed, one run (default 1)")
    options.add_argument("--start", metavar="T", help=INSTANT_HELP)
    options.add_argument("--speed", metavar="X", type=float, default=1.0, help="time-lapse: X times as fast")
    options.add_argument("--clock-origin", metavar="MS", type=int, help="the real instant of --start (Unix ms)")
    options.add_argument("--password-file", metavar="FILE", type=Path, help="the password at the broker")
    options.add_argument("--for", metavar="DURATION", dest="duration", help="simulated time, e.g. 90m, 24h, 7d")
    options.add_argument("--faults", metavar="F.csv", type=Path, help="fault,subject,start,end; default: by the seed")
    options.add_argument("--truth", metavar="F.csv", type=Path, help="write which faults there really were")
    options.add_argument("--inventory-out", metavar="F.csv", type=Path, help="write the inventory; sites.csv beside it")
    for name in ("lamps", "bays", "buttons", "counters"):
        options.add_argument(f"--{name}", metavar="N", type=int, help=f"number of {name}")
    options.add_argument("--physics", action="store_true", help=PHYSICS_HELP)
    options.add_argument("--loss", metavar="P", type=float, help="share of messages lost on the way, 0..0.8")
    options.add_argument("--json", action="store_true", help="print the summary as JSON")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when it did what was asked, 1 for bad input, 2 for a fault of ours or the broker's."""
    try:
        options = parser().parse_args(argv)
    except SystemExit as leaving:
        return EXIT_OK if leaving.code in (0, None) else EXIT_BAD_INPUT
    try:
        summary = _run(options)
    except ValueError as error:
        return _complain(str(error), EXIT_BAD_INPUT)
    except OSError as error:
        return _complain(f"{error.filename or 'file'}: {error.strerror}", EXIT_BAD_INPUT)
    except runner.BrokerError as error:
        return _complain(str(error), EXIT_OUR_FAULT)
    text = json.dumps(summary) if options.json else ", ".join(f"{name} {value}" for name, value in summary.items())
    sys.stdout.write(text + "\n")
    return EXIT_OK


def _run(options: argparse.Namespace) -> dict[str, object]:
    if options.physics:
        return _play_physics(options)
    settings = _settings(options)
    run = _run_of(options)
    faults = read_faults(options.faults) if options.faults else None
    region = generate(settings, options.seed)
    world = World(region, settings, options.seed, run, faults)
    if options.inventory_out:
        region.write_csv(options.inventory_out, options.inventory_out.with_name("sites.csv"))
    messages = write_run(world, region, options.out) if options.out else _play(world, region, options)
    if options.truth:
        write_truth(options.truth, world.truth())
    tally = {name: count for name, count in asdict(world.tally).items() if name != "handed_out"}
    return {"start": iso(run.start_ms), "devices": len(world.fleet.devices), "messages": messages, **tally}


def _play_physics(options: argparse.Namespace) -> dict[str, object]:
    for name in NOT_WITH_PHYSICS:
        if getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} does not go with --physics; expected --out and sizes")
    asked = {name: getattr(options, name) for name in ("lamps", "bays", "buttons", "loss")}
    duration_ms = parse_duration_ms(options.duration or PHYSICS_DURATION)
    start_ms = parse_time_ms(options.start or FILES_START)
    sizes = {name: number for name, number in asked.items() if number is not None}
    played = play(Plan(seed=options.seed, start_ms=start_ms, days=duration_ms / DAY_MS, **sizes))
    readings = write_played(played, options.out)
    return {
        "start": iso(start_ms),
        "devices": len(played.device_ids),
        "readings": readings,
        "faults": len(played.truth),
    }


def _settings(options: argparse.Namespace) -> Settings:
    settings = read_settings(options.region) if options.region else Settings()
    asked = {name: getattr(options, name) for name in ("lamps", "bays", "buttons", "counters")}
    sizes = {name: number for name, number in asked.items() if number is not None}
    settings = replace(settings, sizes=with_values(settings.sizes, sizes, "command line"))
    if options.loss is not None:
        if not 0 <= options.loss <= 0.8:
            raise ValueError(f"--loss must be 0..0.8, got {options.loss}")
        settings = replace(settings, radio=replace(settings.radio, loss=options.loss, lorawan_loss=options.loss))
    return settings


def _run_of(options: argparse.Namespace) -> Run:
    if not options.speed > 0:
        raise ValueError(f"--speed must be above 0, got {options.speed}")
    if options.start:
        start_ms = parse_time_ms(options.start)
    else:
        start_ms = parse_time_ms(FILES_START) if options.out else runner.now_ms()
    duration = options.duration or (FILES_DURATION if options.out else None)
    end_ms = start_ms + parse_duration_ms(duration) if duration else None
    return Run(start_ms, end_ms, options.speed, live=not options.out)


def _play(world: World, region: Region, options: argparse.Namespace) -> int:
    """Publish until the end, Ctrl-C or SIGTERM; the truth is written first as well, for those who look meanwhile."""
    if options.truth:
        write_truth(options.truth, world.truth())
    broker = runner.parse_broker(options.broker)
    if options.password_file:
        broker = replace(broker, password=options.password_file.read_text(encoding="utf-8").strip())
    player = runner.Runner(world, broker, options.seed, _tell, options.clock_origin)
    _tell(f"{len(world.fleet.devices)} devices of {len(region.rows)} inventory rows play to {player.broker}")
    with _stopped_by_signals(player.stopped):
        return player.run()


@contextmanager
def _stopped_by_signals(stopped: threading.Event) -> Iterator[None]:
    """While inside, Ctrl-C and SIGTERM set the event instead of ending the process; only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stopped.set()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _tell(sentence: str) -> None:
    sys.stderr.write(f"sim: {sentence}\n")
    sys.stderr.flush()


def _complain(sentence: str, code: int) -> int:
    _tell(sentence)
    return code
