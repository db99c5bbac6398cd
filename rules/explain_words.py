"""The verdict of an explanation, and the German sentence that says it with numbers."""

from __future__ import annotations

from core.device import Device
from core.german import clock_time, counted, joined, local, moment, number, upper_first
from core.kinds import VALUES
from rules.explain_silence import OF_DEVICES
from rules.explanation import Explanation, Run, Sample, Silence, Term
from rules.judgement import Judgement
from rules.plain_words import PlainWords, many_of
from rules.sentences import place_of, span_text
from rules.spec import Rule
from rules.terms import OPERATORS, STANDSTILL, leaf_of
from rules.vocabulary import ATTRIBUTES

STAGE_DE = {"planned": "geplant", "installed": "montiert", "maintenance": "in Wartung", "retired": "außer Betrieb"}
DREW = "power_w"
REPORTED = frozenset(name for values in VALUES.values() for name in values)
LEARNED_DE = {
    "reference_w": "Die gewohnte Leistung ist noch nicht bekannt; sie wird in den ersten Nächten gelernt.",
    "full_w": "Noch ist nicht bekannt, wie viel die Lampe bei vollem Licht nimmt; das zeigt ihre erste Nacht.",
    "tilt_change_deg": "Das Gerät hat keine Neigung gemeldet, oder ihr Ausgangswert wird noch gelernt.",
}
"""What nobody told because it must be learned first."""
STALE_INTERVALS = 2.5
Said = tuple[str, str]
"""(verdict, sentence)."""


def sentence_for(found: Explanation, rule: Rule, judgement: Judgement, place: int) -> Said:
    """What it comes down to, in the order in which the engine asks."""
    said = _not_asked(found, rule, judgement) or _told_already(found, rule, judgement.fleet.devices[place])
    if said is not None:
        return said
    if found.silence is not None:
        return _of_silence(found, rule, found.silence)
    if (rule.name, place) in judgement.blame.episodes:
        return _held_back(found, rule)
    return _of_samples(found, float(judgement.fleet.interval_ms[place]) / 1000.0)


def _not_asked(found: Explanation, rule: Rule, judgement: Judgement) -> Said | None:
    """Why the rule never looked at the device at all."""
    why = judgement.court.aside.get(rule.name)
    if not found.is_selected:
        return "not_selected", f"Nicht beurteilt: {_not_meant(found, rule, judgement)}"
    if why is not None:
        return "set_aside", f"Nicht beurteilt: Die Regel wurde beiseitegelegt, weil sie nicht zu rechnen war ({why})."
    return None


def _not_meant(found: Explanation, rule: Rule, judgement: Judgement) -> str:
    device = judgement.fleet.devices[judgement.fleet.number[found.device_id]]
    about = PlainWords(rule).about()
    if device.kind in rule.device_kinds:
        return f"Die Regel gilt nicht für alle {about}, sondern nur, wo das zutrifft: {found.select}."
    return f"Die Regel gilt nicht für dieses Gerät, sondern für {about}."


def _told_already(found: Explanation, rule: Rule, device: Device) -> Said | None:
    """What is open, and what is not judged now."""
    if found.open is not None:
        return _fired(found, device.device_id)
    if rule.kind == "event":
        return "not_fired", f"Nicht ausgelöst: Bis {_when(found.at_ms, found)}, kam kein solches Zeichen."
    if not found.is_in_service:
        stage = STAGE_DE.get(device.stage, device.stage)
        return "out_of_service", f"Nicht beurteilt: Das Gerät ist nicht im Betrieb, es ist {stage}."
    if found.window is not None:
        reason = f" ({found.window})" if found.window else ""
        return "in_window", f"Nicht beurteilt: Für diese Zeit sind Arbeiten angekündigt{reason}."
    return None


def _fired(found: Explanation, device_id: str) -> Said:
    episode = found.open
    assert episode is not None, "asked only for what is open"
    told = f"gemeldet {_when(episode.opened_ms, found)}"
    if episode.subject in (device_id, f"gateway:{device_id}"):
        return "open", f"Ausgelöst ({told}): {episode.text_de}"
    line = place_of(episode.subject, None) or "die ganze Plattform"
    return "in_line", f"Ausgelöst als Teil von „{line}“ ({told}): {episode.text_de}"


def _held_back(found: Explanation, rule: Rule) -> Said:
    if found.inhibited_by:
        names = " und ".join(f"„{one.title_de}“" for one in found.inhibited_by)
        return "inhibited", f"Unterdrückt durch {names}: Das erklärt, was hier gemessen wird."
    if rule.group is not None and not rule.group.alone:
        return "waiting", f"Hier ist es so; gemeldet wird es erst, wenn {many_of(rule.group)} dasselbe zeigen."
    return "waiting", (
        "Noch nicht gemeldet: Die Bedingung ist erfüllt; gewartet wird auf frische Messwerte oder darauf, "
        "ob die Nachbarn dasselbe zeigen."
    )


def _of_samples(found: Explanation, interval_s: float) -> Said:
    sample, run = found.sample, found.run
    if sample is None:
        return "no_sample", f"Nicht beurteilt: Bis {_when(found.at_ms, found)}, liegt kein Messwert vor."
    if sample.in_window:
        return "in_window", "Nicht beurteilt: Für die Zeit des letzten Messwerts sind Arbeiten angekündigt."
    stale = ""
    if interval_s > 0 and sample.age_s > STALE_INTERVALS * interval_s:
        stale = f" Der letzte Messwert ist {span_text(sample.age_s)} alt."
    gate = _term(sample, "where")
    if run is not None and run.is_bad:
        return "not_yet", _not_yet(found, run) + _gate_words(gate, " Der neueste Messwert sagt nichts dazu: ") + stale
    if gate is not None and gate.truth != "true":
        return "not_judged", f"Nicht beurteilt{_clock(sample, found)}{_leaf_words(gate)}{_last_judged(found)}{stale}"
    verdict, words = _of_when(sample, found)
    return verdict, f"{words}{stale}"


def _of_when(sample: Sample, found: Explanation) -> Said:
    when = _term(sample, "when")
    if when is None or when.truth == "false" or (when.truth == "unknown" and leaf_of(when, "false") is not None):
        return "not_fired", f"Nicht ausgelöst: {_not_met(sample, when, found)}"
    if when.truth == "unknown":
        return "unknown", f"Nicht zu entscheiden{_clock(sample, found)}{_leaf_words(when)}"
    return "not_yet", f"Noch nicht{_clock(sample, found)}Die Bedingung ist erfüllt, aber noch nicht lange genug."


def _term(sample: Sample, key: str) -> Term | None:
    return next((one.term for one in sample.conditions if one.key == key), None)


def _not_yet(found: Explanation, run: Run) -> str:
    if run.changes_needed:
        return f"Noch nicht: erst {run.changes} von {run.changes_needed} Wechseln in {span_text(run.needed_s, True)}."
    parts = []
    if run.samples_needed > 1:
        parts.append(f"erst {number(run.samples)} von {number(run.samples_needed)} Messwerten")
    if run.nights_needed > 1:
        parts.append(f"in {number(run.nights)} von {counted(run.nights_needed, 'Nacht', 'Nächten')}")
    if run.needed_s > 0:
        parts.append(_of_time(run.lasted_s, run.needed_s))
    said = ", ".join(parts) or "noch nicht lange genug"
    return f"Noch nicht: {said} (seit {_when(run.since_ms, found)})."


def _of_time(lasted_s: float, needed_s: float) -> str:
    """`seit 15 von 59 Minuten`: both in the same unit."""
    unit_s, words = (60, "Minuten") if needed_s < 2 * 3600 else (3600, "Stunden")
    return f"seit {number(lasted_s / unit_s, 0)} von {number(needed_s / unit_s, 0)} {words}"


def _gate_words(gate: Term | None, head: str) -> str:
    return "" if gate is None or gate.truth == "true" else f"{head}{_leaf_words(gate)}"


def _leaf_words(term: Term) -> str:
    """What was the reason that a condition did not hold."""
    leaf = leaf_of(term, "false") or leaf_of(term, "unknown")
    if leaf is None:
        return "Die Bedingung ist nicht erfüllt."
    if leaf.truth == "unknown":
        return _not_known(leaf)
    return f"{upper_first(leaf.german)}."


def _not_known(leaf: Term) -> str:
    """What is missing, and why it may be."""
    missing = [one for one in leaf.values if one.value is None]
    learned = [LEARNED_DE[one.name] for one in missing if one.name in LEARNED_DE]
    if learned:
        return learned[0]
    names = [one.german for one in missing if one.name in REPORTED]
    if names:
        return f"Nicht gemeldet hat das Gerät: {joined(names)}."
    names = [one.german for one in missing if one.name in ATTRIBUTES]
    if names:
        return f"Im Verzeichnis fehlt: {joined(names)}."
    return f"Nicht bekannt ist: {joined([one.german for one in missing]) or leaf.text}."


def _not_met(sample: Sample, when: Term | None, found: Explanation) -> str:
    leaf = None if when is None else leaf_of(when, "false")
    at = _at(sample, found)
    if leaf is None or leaf.left is None or leaf.right is None:
        return f"{at} war die Bedingung nicht erfüllt."
    left, right = leaf.left, leaf.right
    if left.name == STANDSTILL:
        still = (
            "haben sich die Messwerte geändert" if not left.value else f"standen die Messwerte seit {left.words} still"
        )
        return f"{at} {still}; gemeldet wird das erst nach {right.words}."
    needed = f"{OPERATORS[leaf.operator]}{right.words}"
    if left.name == DREW:
        return f"{at} nahm die Lampe {left.words} auf; gemeldet wird erst bei {needed}."
    if leaf.operator in ("==", "!="):
        return f"{at}: {left.german} {left.words}; verlangt ist {needed}."
    return f"{at}: {left.german} {left.words}; gemeldet wird erst bei {needed}."


def _last_judged(found: Explanation) -> str:
    """What was said the last time the rule looked, when that was not now."""
    judged = found.judged
    if judged is None or judged is found.sample:
        return ""
    when = _term(judged, "when")
    if when is None or when.truth != "false":
        return ""
    return f" Zuletzt beurteilt: {_not_met(judged, when, found)}"


def _of_silence(found: Explanation, rule: Rule, silence: Silence) -> Said:
    if rule.event:
        heard = _when(silence.heard_ms or 0, found)
        return "not_fired", f"Nicht ausgelöst: zuletzt {heard}; fällig ist es alle {span_text(silence.interval_s)}."
    if rule.name not in OF_DEVICES:
        return "not_fired", _of_line(found, rule, silence)
    if rule.name == "never_reported":
        if silence.heard_ms is not None:
            heard = _when(silence.heard_ms, found)
            return "not_fired", f"Nicht ausgelöst: Das Gerät hat sich schon gemeldet, zuletzt {heard}."
    elif silence.heard_ms is None:
        return "not_fired", "Nicht ausgelöst: Das Gerät hat sich noch nie gemeldet; dafür gibt es eine eigene Regel."
    if silence.explained_by:
        above = place_of(silence.explained_by, None) or "die ganze Plattform"
        return "inhibited", f"Unterdrückt durch „{above}“: Von dort kommt gar nichts, das erklärt auch dieses Gerät."
    return ("not_yet" if silence.missed >= 1 else "not_fired"), _missing(found, silence)


def _missing(found: Explanation, silence: Silence) -> str:
    head = "Noch nicht" if silence.missed >= 1 else "Nicht ausgelöst"
    heard = "noch nie gehört" if silence.heard_ms is None else f"zuletzt gehört {_when(silence.heard_ms, found)}"
    missing = "es fehlt keine Meldung" if silence.missed < 1 else f"seither fehlt {_messages(silence.missed)}"
    missing = missing if silence.missed < 2 else missing.replace("fehlt", "fehlen")
    said = (
        f"{head}: {heard}; {missing}. Gemeldet wird erst, wenn mehr als {number(silence.allowed or 0)} in Folge fehlen"
    )
    if not silence.messages:
        return f"{said}."
    gaps = "keine längere Lücke" if not silence.bursts else counted(silence.bursts, "längere Lücke", "längere Lücken")
    return f"{said}: So viele kann sein Funk verlieren (bisher {_messages(silence.messages)}, {gaps})."


def _messages(count: float) -> str:
    return counted(int(count), "Meldung", "Meldungen")


def _of_line(found: Explanation, rule: Rule, silence: Silence) -> str:
    if rule.name not in ("circuit_down", "phase_down"):
        return _of_receiver(found, rule, silence)
    quiet, members, needed = silence.quiet or 0, silence.members or 0, number(silence.quiet_needed or 0, 0)
    if not silence.subject:
        return "Nicht ausgelöst: Das Gerät hängt an keiner solchen Leitung."
    return (
        f"Nicht ausgelöst: {place_of(silence.subject, None)}: Von {number(members)} Lampen schweigen {number(quiet)}; "
        f"gemeldet wird erst, wenn {needed} zugleich verstummen, während ringsum etwas ankommt."
    )


def _of_receiver(found: Explanation, rule: Rule, silence: Silence) -> str:
    """How many messages are missing on the way is not told: not all devices that take it have been looked at."""
    if silence.heard_ms is None:
        return "Nicht ausgelöst: Noch ist nicht bekannt, über welchen Empfänger dieses Gerät gehört wird."
    heard = _when(silence.heard_ms, found)
    if rule.name == "gateway_down":
        return (
            f"Nicht ausgelöst: Über {place_of(silence.subject, None)} kam zuletzt {heard}, etwas an; gemeldet wird, "
            "wenn alle Geräte schweigen, die er sonst hört."
        )
    return f"Nicht ausgelöst: Zuletzt kam {heard}, etwas an; gemeldet wird, wenn von niemandem mehr etwas kommt."


def _clock(sample: Sample, found: Explanation) -> str:
    return f" ({_at(sample, found).split(' ', 1)[1]}): "


def _at(sample: Sample, found: Explanation) -> str:
    """`Um 18:40 Uhr` on the day that is asked about, else with the day."""
    is_same_day = local(sample.t_ms).date() == local(found.at_ms).date()
    return f"Um {clock_time(sample.t_ms)}" if is_same_day else f"Am {moment(sample.t_ms, found.at_ms)}"


def _when(ms: int, found: Explanation) -> str:
    return moment(ms, found.at_ms)
