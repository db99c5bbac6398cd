"""A rule that does not work stops nothing else; the administrator gets one ticket that says which, where and how."""

from pathlib import Path

import pytest

from rules.court import ERRORS_MAX
from rules.looking_after import RULE
from tests.rules.platform import Desk, desk
from tests.rules.town import MINUTE_MS, T0, lamp, lamp_series

BROKEN = """
[rule.too_hot]
title_de = "Zu heiß"
kind = "state"
select = 'kind == "lamp"'
when = 'driver_temp > 80'
"""


def file_in(folder: Path, text: str) -> Path:
    path = folder / "rules" / "hot.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def open_findings(found: Desk) -> list[str]:
    return [one.text_de for one in found.rules.findings.page(rule=RULE, is_open=True)]


def restart(found: Desk, minutes: float = 1) -> None:
    found.crash()
    found.wait(minutes)


def test_a_broken_rule_is_one_ticket_with_its_place_and_remedy_and_the_others_go_on(tmp_path: Path) -> None:
    file_in(tmp_path, BROKEN)
    with desk(tmp_path) as found:
        found.commission([lamp(1)])
        found.tell(lamp_series("NAU-L00001", [40, 40, 0.5, 0.5, 0.5, 0.5]))
        (text,) = open_findings(found)
        assert "too_hot (hot.toml, Zeile 6): when: there is no driver_temp; did you mean driver_temp_c?" in text
        (ticket,) = [one for one in found.rules.tickets.page()[0] if one.rule == RULE]
        assert (ticket.title_de, ticket.subject, ticket.town) == ("Regel gestört", "platform", None)
        assert (ticket.status, ticket.priority) == ("open", "normal")
        assert "lamp_out" in {one.rule for one in found.rules.tickets.page()[0]}


def test_it_stays_one_ticket_over_restarts_and_closes_itself_when_the_rule_is_mended(tmp_path: Path) -> None:
    path = file_in(tmp_path, BROKEN)
    with desk(tmp_path) as found:
        found.wait(1)
        restart(found)
        assert len(open_findings(found)) == 1
        path.write_text(BROKEN.replace("driver_temp ", "driver_temp_c "), encoding="utf-8")
        restart(found)
        assert open_findings(found) == []
        (ticket,) = [one for one in found.rules.tickets.page()[0] if one.rule == RULE]
        assert (ticket.status, ticket.close_reason) == ("closed", "Alle Regeln werden wieder beurteilt.")


def test_another_broken_rule_changes_the_words_of_the_same_ticket(tmp_path: Path) -> None:
    path = file_in(tmp_path, BROKEN)
    with desk(tmp_path) as found:
        found.wait(1)
        path.write_text(BROKEN.replace("too_hot", "much_too_hot"), encoding="utf-8")
        restart(found)
        (text,) = open_findings(found)
        assert "much_too_hot" in text
        (ticket,) = [one for one in found.rules.tickets.page()[0] if one.rule == RULE]
        assert (ticket.status, ticket.text_de) == ("open", text)


def test_a_rule_that_fails_at_run_time_is_set_aside_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk(tmp_path) as found:
        found.commission([lamp(1)])
        found.tell(lamp_series("NAU-L00001", [40]))
        assert open_findings(found) == []
        judge = found.rules._here().judgement.court.judges["voltage_low"]

        def fail(*_: object) -> None:
            raise ValueError("no such column")

        monkeypatch.setattr(judge, "take", fail)
        more = [one for one in lamp_series("NAU-L00001", [40] * (ERRORS_MAX + 2)) if one.t_ms > T0]
        found.tell(more)
        found.clock.ms += MINUTE_MS
        found.rules._looked_back_s = -1000.0
        found.rules.tick()
        (text,) = open_findings(found)
        assert "voltage_low: beiseitegelegt bis zum nächsten Start" in text
        assert found.rules.live.set_aside() == {"voltage_low": "ValueError: no such column"}
        restart(found)
        assert open_findings(found) == []
