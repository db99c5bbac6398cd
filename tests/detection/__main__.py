"""The command behind `make detection`: plays, judges, prints the tables, writes them into docs/detection.md.

python -m tests.detection --seeds 1-9 --losses 0.1            (while tuning)
python -m tests.detection --seeds 101-120 --write             (the report)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from tests.detection.campaign import LOSSES, REPORT_SEEDS, Judge, Sizes, run
from tests.detection.judge import targets_ms
from tests.detection.tables import confusion_table, false_silence_line, replaced, scores_table

PAGE = Path(__file__).parents[2] / "docs" / "detection.md"
JUDGE = "tests.detection.judge:judge"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables of each loss; 1 when the judge or an option is not usable."""
    options = _options(argv)
    try:
        judge = load_judge(options.judge)
        sizes = Sizes(options.lamps, options.days, options.bays, options.buttons, options.parking_days)
        losses = [float(loss) for loss in options.losses.split(",")]
        seeds = parse_seeds(options.seeds)
        parts = []
        for loss in losses:
            part = _part(judge, sizes, seeds, loss)
            sys.stdout.write(part + "\n\n")
            parts.append(part)
        if options.write:
            PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), "\n\n".join(parts)), encoding="utf-8")
    except ValueError as error:
        _tell(str(error))
        return 1
    return 0


def parse_seeds(text: str) -> list[int]:
    """Seeds like 1-9 or 101,105-120."""
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise ValueError(f"{text!r} names no seeds; expected e.g. 1-9 or 101,105-120")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def load_judge(name: str) -> Judge:
    """The function behind MODULE:NAME, which gets (inventory rows, played) and gives findings."""
    module, _, function = name.partition(":")
    try:
        judge: Judge = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"there is no judge {name!r} ({error}); expected MODULE:FUNCTION") from error
    return judge


def _part(judge: Judge, sizes: Sizes, seeds: Sequence[int], loss: float) -> str:
    table = run(judge, sizes, seeds, loss, _tell)
    head = (
        f"### {loss:.0%} loss: {len(seeds)} seeds ({seeds[0]}–{seeds[-1]}), {sizes.lamps:,} lamps × {sizes.days:g} days"
    )
    return "\n\n".join([head, scores_table(table, targets_ms()), false_silence_line(table), confusion_table(table)])


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    usual, report = Sizes(), f"{REPORT_SEEDS[0]}-{REPORT_SEEDS[-1]}"
    options = argparse.ArgumentParser(
        prog="python -m tests.detection", description="Judges the rules on played regions."
    )
    options.add_argument("--lamps", type=int, default=usual.lamps)
    options.add_argument("--days", type=float, default=usual.days)
    options.add_argument("--bays", type=int, default=usual.bays)
    options.add_argument("--buttons", type=int, default=usual.buttons)
    options.add_argument("--parking-days", type=float, default=usual.parking_days)
    options.add_argument("--seeds", default=report, help=f"1-9 are for tuning, {report} for the report (default)")
    options.add_argument("--losses", default=",".join(f"{loss:g}" for loss in LOSSES), help="shares, e.g. 0,0.1,0.28")
    options.add_argument("--judge", default=JUDGE, metavar="MODULE:FUNCTION")
    options.add_argument("--write", action="store_true", help="write the tables into docs/detection.md")
    return options.parse_args(argv)


def _tell(sentence: str) -> None:
    sys.stderr.write(f"detection: {sentence}\n")


if __name__ == "__main__":
    sys.exit(main())
