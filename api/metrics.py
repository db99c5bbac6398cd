"""The centre's figures, read when a Prometheus server asks; nothing is kept here but the count of requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.centre import Centre
from api.ledger import number_of
from core.clock import MS_PER_S
from ingest.books import Verdict
from ingest.verify import tally

GATEWAY_FIGURES = {
    "lag_seconds": ("lag_s", "Age of the oldest record that waits in the gateway's spool"),
    "waiting_frames": ("waiting_frames", "Frames that wait in the gateway's spool"),
    "waiting_bytes": ("waiting_bytes", "Bytes that wait in the gateway's spool"),
    "hours_left": ("hours_left", "Hours until the spool is full at the present rate"),
}


def make_registry(centre: Centre) -> tuple[CollectorRegistry, Counter]:
    """A registry of its own for one centre, and the counter of HTTP requests in it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(CentreCollector(centre))
    requests = Counter(
        "partheland_http_requests",
        "Requests by method, route and status",
        ["method", "route", "status"],
        registry=registry,
    )
    return registry, requests


class CentreCollector(Collector):
    """Asks the centre's parts; every name begins with `partheland_`."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: the parts may not be open yet when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All figures as they are now."""
        yield _gauge("ready", "1 = the centre takes frames", float(self.centre.ingest.ready()))
        yield from self._journal()
        yield from self._lanes()
        yield from self._stores()
        yield from self._gateways()
        counts = self.centre.ingest.quarantine.counts()
        yield _counter("quarantined", "Refused messages and values", {k: float(v) for k, v in counts.items()}, "code")

    def _journal(self) -> Iterator[Metric]:
        journal = self.centre.ingest.journal
        known = tally(journal)
        with journal.exclusive():
            size, segments = sum(segment.bytes for segment in journal.segments), len(journal.segments)
        verdicts = [one.name.lower() for one in Verdict] + ["value_refused"]
        records = {verdict: float(known.counts[verdict]) for verdict in verdicts}
        yield _counter("records", "Records that came from gateways, each once, by verdict", records, "verdict")
        yield _gauge("journal_head_position", "The position that the next record gets", known.head)
        yield _gauge("journal_tail_position", "The oldest position still there", known.tail)
        yield _gauge("journal_bytes", "Bytes of frames in the journal", size)
        yield _gauge("journal_segments", "Files of the journal", segments)
        missing = sum(high - low + 1 for line in known.gateways for low, high in line.missing)
        yield _gauge("missing_records", "Records that gateways numbered and that did not come yet", missing)
        positions = self.centre.ingest.positions()
        at = {name: float(position) for name, position in positions.items()}
        lags = {name: float(max(0, known.head - position)) for name, position in positions.items()}
        yield _gauge("consumer_position", "Everything before this journal position is done", at, "consumer")
        yield _gauge("consumer_lag_records", "Records of the journal still to be done", lags, "consumer")

    def _lanes(self) -> Iterator[Metric]:
        accepts = self.centre.ingest.accepts
        for name, help_ in (
            ("frames", "Frames written to the journal"),
            ("repeated_frames", "Frames that came again and were only acknowledged"),
            ("damaged_messages", "Messages of gateways that could not be unpacked"),
        ):
            values = {lane: float(accept.counts[name]) for lane, accept in accepts.items()}
            yield _counter(name, f"{help_}, since the start", values, "lane")
        full = {lane: float(accept.full) for lane, accept in accepts.items()}
        yield _gauge("journal_full", "1 = no room for the journal, nothing is acknowledged", full, "lane")

    def _stores(self) -> Iterator[Metric]:
        states = {writer.store.name: writer.state() for writer in self.centre.ingest.writers}
        writing = {name: float(state.is_running and state.trouble is None) for name, state in states.items()}
        yield _gauge("store_writing", "1 = the store takes readings", writing, "store")
        person = {name: float(state.needs_person) for name, state in states.items()}
        yield _gauge("store_needs_person", "1 = somebody has to look after the store", person, "store")
        failures = {name: float(state.failures) for name, state in states.items()}
        yield _gauge("store_failures", "Failed writes in a row", failures, "store")

    def _gateways(self) -> Iterator[Metric]:
        said = dict(self.centre.ingest.gateways)
        for name, (key, help_) in GATEWAY_FIGURES.items():
            found = {one: number_of(status, key) for one, status in said.items()}
            values = {one: value for one, value in found.items() if value is not None}
            yield _gauge(f"gateway_{name}", help_, values, "gateway")
        heard = {one: (number_of(status, "heard_ms") or 0.0) / MS_PER_S for one, status in said.items()}
        yield _gauge("gateway_last_heard_timestamp_seconds", "When its last status came, Unix", heard, "gateway")


def _gauge(name: str, help_: str, values: float | Mapping[str, float], label: str | None = None) -> Metric:
    """One value, or one for each value of a label."""
    family = GaugeMetricFamily(f"partheland_{name}", help_, labels=[label] if label else [])
    for labels, value in _labelled(values):
        family.add_metric(labels, value)
    return family


def _counter(name: str, help_: str, values: Mapping[str, float], label: str) -> Metric:
    family = CounterMetricFamily(f"partheland_{name}", help_, labels=[label])
    for labels, value in _labelled(values):
        family.add_metric(labels, value)
    return family


def _labelled(values: float | Mapping[str, float]) -> list[tuple[list[str], float]]:
    return [([one], value) for one, value in values.items()] if isinstance(values, Mapping) else [([], values)]
