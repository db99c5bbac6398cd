"""Which devices a question means, and the refusals of a question that means none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api.centre import Centre
from api.datahub.partheland_api.errors import not_found, wrong
from api.datahub.partheland_api.types import GATEWAY, TYPES, is_shown, word_of
from api.datahub.partheland_api.view import Holder, Seen
from api.problems import shown
from core.device import Device
from core.town import is_id


@dataclass(frozen=True)
class Selected:
    """The parameters that choose devices, as they were sent; '' counts as not sent."""

    type: str | None = None
    id: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether not all devices are meant."""
        return bool(self.type or self.id)


def check_type(word: str | None) -> None:
    """Refuse a type that is none."""
    if word and word not in TYPES:
        message = f"Den Gerätetyp {shown(word)} gibt es nicht; möglich: {', '.join(TYPES)}."
        raise wrong("INVALID_TYPE", message, allowed=list(TYPES))


def chosen(centre: Centre, selected: Selected, holder: Holder | None) -> list[Seen]:
    """The devices that are meant, by id, as the holder of the key may see them. Raises 400 for an unknown type."""
    check_type(selected.type)
    known = centre.inventory.snapshot().devices
    if selected.id:
        found = known.get(selected.id) if is_id(selected.id) else None
        candidates = [found] if found is not None else []
    else:
        candidates = [known[device_id] for device_id in sorted(known)]
    return list(_seen(centre, candidates, selected.type, holder))


def gateways(centre: Centre, gateway_id: str | None) -> list[Device]:
    """The gateways that stand outside and whose place is known, by id; only the one of this id, if one is named."""
    known = centre.inventory.snapshot().devices
    return [
        device
        for device_id, device in sorted(known.items())
        if device.kind == GATEWAY and is_shown(device) and None not in (device.lat, device.lon)
        if not gateway_id or device_id == gateway_id
    ]


def _seen(centre: Centre, candidates: list[Device], word: str | None, holder: Holder | None) -> Iterator[Seen]:
    meant = [(device, word_of(device)) for device in candidates if device.kind != GATEWAY and is_shown(device)]
    meant = [one for one in meant if not word or one[1] == word]
    said = centre.rules.live.latest_of([device.device_id for device, _ in meant])
    unsure = _unsure_bays(centre, [device for device, its_word in meant if its_word == "parking"])
    for (device, its_word), latest in zip(meant, said, strict=True):
        yield Seen(device, its_word, latest, may_look_inside(holder, device), device.device_id in unsure)


def _unsure_bays(centre: Centre, bays: list[Device]) -> set[str]:
    """Those that the page for drivers counts as unknown, so that both say the same."""
    places = {(bay.town, bay.site) for bay in bays if bay.site is not None}
    states = (bay for town, site in places for bay in centre.rules.live.bays(town, site))
    return {bay.device_id for bay in states if bay.state == "unknown"}


def may_look_inside(holder: Holder | None, device: Device) -> bool:
    """Whether what is internal of this device is the holder's business."""
    return holder is not None and holder.town in (None, device.town)


def some(found: list[Seen], selected: Selected) -> list[Seen]:
    """The same devices; 404 when there are none."""
    if not found:
        told = {name: value[:100] for name in ("type", "id") if (value := getattr(selected, name))}
        raise not_found("Kein Gerät zur Abfrage gefunden.", **told)
    return found
