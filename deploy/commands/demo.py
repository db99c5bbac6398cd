"""`partheland demo`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.demo import Wish, run_demo
from deploy.output import Parser

EXAMPLES = """
partheland demo
partheland demo --http-port 8081 --mqtt-port 1884
partheland demo --lamps 500 --speed 60 --data var/small
"""


def main(argv: Sequence[str]) -> int:
    """Run the demo until Ctrl-C."""
    parser = Parser("demo", "The whole platform on a simulated region, a day in twelve minutes.", EXAMPLES)
    parser.add_argument("--http-port", type=int, default=8080, metavar="N", help="0 = any free one (8080)")
    parser.add_argument("--mqtt-port", type=int, default=1883, metavar="N", help="0 = any free one (1883)")
    parser.add_argument("--data", type=Path, default=Path("var/demo"), metavar="DIR", help="emptied first (var/demo)")
    parser.add_argument("--speed", type=float, default=120.0, metavar="X", help="X times as fast as life (120)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another seed, another region (1)")
    parser.add_argument("--start", metavar="T", help="begin at this instant instead of today's dusk (ISO 8601)")
    parser.add_argument("--lamps", type=int, default=3000, metavar="N", help="how many street lamps (3000)")
    parser.add_argument("--json", action="store_true", help="addresses and people as one line of JSON when ready")
    asked = parser.parse_args(argv)
    ports = asked.http_port, asked.mqtt_port
    return run_demo(Wish(asked.data, *ports, asked.speed, asked.seed, asked.start, asked.lamps, asked.json))
