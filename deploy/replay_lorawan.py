"""LoRaWAN captures (one JSON object a line) as the messages a network server would publish.

ChirpStack v3 and Helium records become ChirpStack v4 events with every oddity kept: copies, order, times, gaps,
gateways listed twice. Records without a counter become the `status` or `join` events they were.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from core.clock import iso
from core.device import Device
from core.device_types import OBJECT
from core.registry import normal_eui
from deploy.replay_source import Outgoing, ReplayOptions, Tally, as_id

Json = dict[str, Any]
Event = tuple[str, Json]
_NAMESPACE = uuid.UUID("0d4c9d36-5b07-4f0c-8d0f-7265706c6179")


class RecordError(ValueError):
    """A record that can't become a message; the text is the reason, the same for all of its sort."""


def lorawan_messages(lines: Iterable[str], form: str, options: ReplayOptions, tally: Tally) -> Iterator[Outgoing]:
    """The messages of a capture, in its order; empty lines are passed over. `form` is one of FORMS."""
    counters = _Counters(tally)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        tally.lines += 1
        try:
            record = _parse(line)
            outgoing, what, dev_eui, name = FORMS[form](record, options)
            counters.look(dev_eui or name, what, outgoing.payload)
        except RecordError as reason:
            tally.leave_out(number, str(reason))
            continue
        except (TypeError, AttributeError, LookupError, ValueError, OverflowError):
            tally.leave_out(number, f"a record that is not as {form} writes it")
            continue
        _note_device(tally, options, dev_eui, name)
        tally.sent[what] += 1
        yield outgoing


def _note_device(tally: Tally, options: ReplayOptions, dev_eui: str, name: str) -> None:
    """One device for each EUI, called as in its first record: devices are renamed, their EUI stays."""
    if (dev_eui or name) in tally.devices:
        return
    device_id = as_id(name) or dev_eui
    if any(device.device_id == device_id for device in tally.devices.values()):
        device_id = dev_eui
    kind = options.kind or options.kinds.get(device_id, "other")
    tally.devices[dev_eui or name] = Device(
        device_id=device_id, kind=kind, device_type=OBJECT, town=options.town, dev_eui=dev_eui or None
    )


def _parse(line: str) -> Json:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise RecordError("not JSON") from None
    if not isinstance(record, dict):
        raise RecordError("not a JSON object")
    return record


class _Counters:
    """Counts copies and counters that step back: by itself, so that the gateway's own figures can be compared."""

    def __init__(self, tally: Tally) -> None:
        self.odd: Counter[str] = tally.odd
        self.last: dict[str, tuple[int, Any]] = {}

    def look(self, device: str, what: str, payload: bytes) -> None:
        if what != "up":
            self.odd[f"records without a frame counter, sent as {what}"] += 1
            return
        message = json.loads(payload)
        uplink = message.get("uplink_message", message)
        f_cnt = uplink.get("fCnt", uplink.get("f_cnt", 0))
        data = uplink.get("data", uplink.get("frm_payload", ""))
        before = self.last.get(device)
        self.last[device] = (f_cnt, data)
        if before == (f_cnt, data):
            self.odd["copies of the frame before (same counter, same payload)"] += 1
        elif before is not None and f_cnt <= before[0]:
            self.odd["frame counters that stepped back"] += 1
        gateways = [one.get("gatewayId") for one in message.get("rxInfo", ())]
        self.odd["frames that list a gateway twice"] += len(gateways) != len(set(gateways))


Found = tuple[Outgoing, str, str, str]  # message, what it is, EUI, name of the device


def _event(what: str, dev_eui: str, name: str, body: Json, options: ReplayOptions) -> Found:
    """A ChirpStack v4 event; its deduplication id follows from its content."""
    if not dev_eui:
        raise RecordError("no device EUI")
    application = options.application
    head: Json = {
        "deduplicationId": str(uuid.uuid5(_NAMESPACE, json.dumps(body, sort_keys=True))),
        "time": body.pop("time", None),
        "deviceInfo": {"applicationName": application, "deviceName": name, "devEui": dev_eui, "tags": {}},
    }
    payload = json.dumps({**head, **body}, separators=(",", ":"), ensure_ascii=False).encode()
    return Outgoing(f"application/{application}/device/{dev_eui}/event/{what}", payload), what, dev_eui, name


def _chirpstack3(record: Json, options: ReplayOptions) -> Found:
    inner = record
    while isinstance(inner.get("payload"), dict):  # as the server's web log and recordings with topics wrap it
        inner = inner["payload"]
    dev_eui = _eui3(str(inner.get("devEUI", "")))
    name = str(inner.get("deviceName", ""))
    told = str(record.get("type") or record.get("_topic", "")).rsplit("/", 1)[-1]
    time = inner.get("publishedAt") or inner.get("_date") or _first_time(inner.get("rxInfo"))
    body: Json = {"time": time}
    if "devAddr" in inner:
        body["devAddr"] = _hex_of(str(inner["devAddr"]), 8)
    if "fCnt" not in inner:
        what = "status" if "margin" in inner or told == "status" else "join" if told == "join" else ""
        if not what:
            raise RecordError(f"neither uplink nor status nor join ({told or 'no type'})")
        kept = ("margin", "externalPowerSource", "batteryLevelUnavailable", "batteryLevel")
        return _event(what, dev_eui, name, {**body, **{key: inner[key] for key in kept if key in inner}}, options)
    decoded = inner.get("object")
    if decoded is None and inner.get("objectJSON"):
        decoded = _parse(str(inner["objectJSON"]))
    body |= {"adr": inner.get("adr", False), "dr": inner.get("dr", 0), "fCnt": inner["fCnt"]}
    body |= {"fPort": inner.get("fPort", 0), "confirmed": inner.get("confirmedUplink", False)}
    body |= {"data": _base64_of(str(inner.get("data") or ""))}
    body |= {"object": decoded} if decoded is not None else {}
    body |= {"rxInfo": [_rx_info3(one) for one in inner.get("rxInfo") or ()]}
    body |= {"txInfo": {"frequency": (inner.get("txInfo") or {}).get("frequency", 0)}}
    return _event("up", dev_eui, name, body, options)


def _rx_info3(one: Json) -> Json:
    info: Json = {"gatewayId": _hex_of(str(one.get("gatewayID", "")), 16)}
    renamed = {
        "gwTime": one.get("time"),
        "rssi": one.get("rssi"),
        "snr": one.get("loRaSNR"),
        "channel": one.get("channel"),
    }
    return info | {key: value for key, value in renamed.items() if value not in (None, 0)}


def _first_time(rx_info: Any) -> str | None:
    return next((one["time"] for one in rx_info or () if one.get("time")), None)


def _is_hex(text: str) -> bool:
    return len(text) % 2 == 0 and bool(text) and set(text) <= set("0123456789abcdefABCDEF")


def _hex_of(text: str, digits: int) -> str:
    """An id of ChirpStack v3 (hex, or base64 over MQTT) as lower-case hex; other texts stay as they are."""
    if _is_hex(text) and len(text) >= digits:
        return text.lower()
    try:
        return binascii.a2b_base64(text, strict_mode=True).hex()
    except (binascii.Error, ValueError):
        return text


def _eui3(text: str) -> str:
    return normal_eui(text) or normal_eui(_hex_of(text, 16))


def _base64_of(data: str) -> str:
    """The payload as base64. Captures of ChirpStack v3 hold hex, which often is valid base64 too."""
    return base64.b64encode(bytes.fromhex(data)).decode() if _is_hex(data) else data


def _helium(record: Json, options: ReplayOptions) -> Found:
    dev_eui, name = normal_eui(str(record.get("dev_eui", ""))), str(record.get("name", ""))
    reported = record.get("reported_at") or record.get("_timestamp")
    body: Json = {"time": iso(int(reported)) if reported else None, "devAddr": str(record.get("devaddr", "")).lower()}
    if "fcnt" not in record:
        told = str(record.get("type") or record.get("category") or "")
        return _event("join" if "join" in told else "status", dev_eui, name, body, options)
    decoded = record.get("decoded") or {}
    body |= {"fCnt": record["fcnt"], "fPort": record.get("port", 0), "data": record.get("payload") or ""}
    body |= {"object": decoded["payload"]} if isinstance(decoded.get("payload"), dict) else {}
    hotspots = record.get("hotspots") or ()
    body |= {"rxInfo": [{"gatewayId": one["id"], "rssi": one["rssi"], "snr": one["snr"]} for one in hotspots]}
    return _event("up", dev_eui, name, body, options)


# What only one sort of event has; the join event has an address and nothing of the others.
MARKS_4 = (
    ("rxInfo", "up"), ("fCnt", "up"), ("fPort", "up"), ("margin", "status"), ("acknowledged", "ack"),
    ("downlinkId", "txack"), ("integrationName", "integration"), ("location", "location"), ("level", "log"),
    ("devAddr", "join"),
)  # fmt: skip


def _chirpstack4(record: Json, options: ReplayOptions) -> Found:
    topic, wrapped = str(record.get("topic") or ""), record.get("payload")
    message: Json = wrapped if isinstance(wrapped, dict) else record
    info = message.get("deviceInfo") or {}
    dev_eui = normal_eui(str(info.get("devEui", "")))
    if not dev_eui:
        raise RecordError("not an event of ChirpStack v4 (no deviceInfo.devEui)")
    told = topic.rsplit("/", 1)[-1] if "/event/" in topic else ""
    found = next((what for mark, what in MARKS_4 if mark in message), "")
    what = told or found
    if not what:
        raise RecordError("an event of ChirpStack v4 of unknown sort")
    application = info.get("applicationId") or options.application
    sent_to = topic if told else f"application/{application}/device/{dev_eui}/event/{what}"
    payload = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    return Outgoing(sent_to, payload), what, dev_eui, str(info.get("deviceName", ""))


def _ttn3(record: Json, options: ReplayOptions) -> Found:
    wrapped = record.get("payload") or record.get("result")
    message: Json = wrapped if isinstance(wrapped, dict) else record
    ids = message.get("end_device_ids") or {}
    name = str(ids.get("device_id", ""))
    what = "up" if "uplink_message" in message else "join" if "join_accept" in message else ""
    if not name or not what:
        raise RecordError("neither an uplink nor a join of The Things Stack v3, or no device_id")
    application = (ids.get("application_ids") or {}).get("application_id") or options.application
    payload = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
    dev_eui = normal_eui(str(ids.get("dev_eui", "")))
    return Outgoing(f"v3/{application}/devices/{name}/{what}", payload), what, dev_eui, name


FORMS: dict[str, Callable[[Json, ReplayOptions], Found]] = {
    "chirpstack4": _chirpstack4,
    "chirpstack3": _chirpstack3,
    "ttn3": _ttn3,
    "helium": _helium,
}
