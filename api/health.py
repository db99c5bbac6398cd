"""Whether the centre lives, whether it is ready, and its figures for a Prometheus server."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.centre import AskCentre, Centre, as_json
from api.problems import ProblemError
from api.route import Policy
from api.who import AskWho

CANARY_SILENT_S_MAX = 30.0


@dataclass(frozen=True)
class Health:
    """The process answers."""

    alive: bool = True


@dataclass(frozen=True)
class Readiness:
    """The centre takes readings. `notes` say which store is behind, or waits for somebody."""

    ready: bool
    notes: list[str]


async def healthz() -> Response:
    """The process lives."""
    return as_json(Health())


def readyz(centre: AskCentre, who: AskWho) -> Response:
    """The centre takes readings; otherwise 503 with the reasons. A store that is away is a note: its readings wait."""
    reasons = _reasons(centre)
    notes = _notes(centre, tell_all=who.may(Policy.PLATFORM))
    if reasons:
        detail = "The centre is not ready: " + " ".join(reasons)
        more = {"ready": False, "reasons": reasons, "notes": notes}
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": "1"}, more)
    return as_json(Readiness(True, notes))


def metrics(request: Request) -> Response:
    """All figures in Prometheus' text format."""
    return Response(generate_latest(request.app.state.figures), media_type=CONTENT_TYPE_LATEST)


def _reasons(centre: Centre) -> list[str]:
    ingest = centre.ingest
    reasons = []
    if ingest.failed.is_set():
        reasons.append("A part of the centre failed; the process ends and is started anew.")
    for lane, session in ingest.sessions.items():
        if not session.connected:
            reasons.append(f"The broker did not take the subscription of the lane {lane} yet.")
    if any(accept.full for accept in ingest.accepts.values()):
        reasons.append("There is no room for the journal; free disk space, the gateways keep what comes meanwhile.")
    silent_s = ingest.canary_silent_s()
    if silent_s is not None and silent_s > CANARY_SILENT_S_MAX:
        reasons.append(
            f"Nothing that the broker must keep came through for {CANARY_SILENT_S_MAX:.0f} s; "
            "see whether its disk is full, devices keep their messages meanwhile."
        )
    for writer in ingest.writers:
        state = writer.state()
        if state.position is None and state.trouble is None:
            reasons.append(f"The store {writer.store.name} is being opened.")
        elif not state.is_running:
            reasons.append(f"The writer of the store {writer.store.name} stands still.")
    if not reasons and not ingest.ready():
        reasons.append("The centre does not take frames yet.")
    return reasons


def _notes(centre: Centre, tell_all: bool) -> list[str]:
    notes = []
    for writer in centre.ingest.writers:
        state = writer.state()
        if state.trouble is not None:
            what = "waits for a person" if state.needs_person else "is away"
            why = f": {state.trouble}" if tell_all else ""
            notes.append(f"The store {writer.store.name} {what}, its readings wait in the journal{why}.")
    for gateway, status in list(centre.ingest.gateways.items()):
        if status.get("full") is True:
            who = f"The gateway {gateway}" if tell_all else "A gateway"
            notes.append(f"{who} has no room for its spool; free disk space, devices keep their messages meanwhile.")
    return notes
