"""`partheland codec decode`: what a payload says, by the same decoders the gateway uses."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from core.device_types import DEVICE_TYPES
from core.kinds import find_value
from core.reading import Scalar
from deploy.output import EXIT_BAD_INPUT, EXIT_OK, BadInput, Parser, tell_json
from gateway.codecs import decode_payload
from gateway.source import Refused

EXAMPLES = """
partheland codec decode --device-type partheland-lamp-1 --fport 10 --hex 0101640160090a00a1220012d6870fde
partheland codec decode --device-type bosch-tps110 --fport 1 --hex 01
"""


def main(argv: Sequence[str]) -> int:
    """Decode one payload; JSON on stdout."""
    parser = Parser("codec", "Decodes a LoRaWAN payload; one line of JSON on stdout.", EXAMPLES)
    parser.add_argument("action", choices=("decode",))
    parser.add_argument("--device-type", metavar="NAME", help=f"one of {', '.join(_with_decoder())}")
    parser.add_argument("--js", metavar="FILE", help="a decoder in JavaScript instead (comes with a later version)")
    parser.add_argument("--fport", type=int, required=True, metavar="N", help="the LoRaWAN port, 1 … 255")
    parser.add_argument("--hex", required=True, metavar="HEX", help="the payload")
    arguments = parser.parse_args(argv)
    answer = _decode(arguments)
    tell_json(answer)
    return EXIT_BAD_INPUT if answer["errors"] else EXIT_OK


def _with_decoder() -> list[str]:
    return [name for name, row in DEVICE_TYPES.items() if row.decoder]


def _decode(arguments: argparse.Namespace) -> dict[str, object]:
    if arguments.js is not None:
        raise BadInput("--js: decoders in JavaScript come with a later version; --device-type works today")
    if arguments.device_type not in DEVICE_TYPES:
        raise BadInput(f"--device-type is {arguments.device_type}; expected one of {', '.join(_with_decoder())}")
    if not 1 <= arguments.fport <= 255:
        raise BadInput(f"--fport is {arguments.fport}; expected 1 … 255")
    try:
        data = bytes.fromhex(arguments.hex)
    except ValueError:
        raise BadInput(f"--hex is '{arguments.hex[:40]}'; expected pairs of hex digits, e.g. 0164") from None
    device_type = DEVICE_TYPES[arguments.device_type]
    values: dict[str, Scalar] = {}
    errors: list[str] = []
    try:
        values = decode_payload(device_type, arguments.fport, data)
    except Refused as refused:
        errors.append(refused.reason)
    warnings = [text for name, value in values.items() if (text := _warning(device_type.kind, name, value))]
    return {"kind": device_type.kind, "values": values, "raw": data.hex(), "warnings": warnings, "errors": errors}


def _warning(kind: str, name: str, value: Scalar) -> str:
    """What the gateway's check would say of a value; '' = nothing."""
    row = find_value(kind, name) if kind else None
    if kind and row is None:
        return f"'{name}' is no value of the kind {kind}"
    if row is None or isinstance(value, str) or row.low <= value <= row.high:
        return ""
    return f"{name} is {value:g} {row.unit}; plausible is {row.low:g} … {row.high:g}"
