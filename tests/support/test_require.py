import pytest

from tests.support.require import require


def test_a_part_that_is_here_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTHELAND_REQUIRE", "browser")
    assert require("browser", "chromium", "it is not installed") == "chromium"


def test_a_missing_part_is_skipped_by_name_and_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTHELAND_REQUIRE", "influxd")
    with pytest.raises(pytest.skip.Exception, match="browser is not here: no chromium on the search path"):
        require("browser", None, "no chromium on the search path")


def test_a_missing_part_that_is_demanded_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTHELAND_REQUIRE", "influxd, browser")
    with pytest.raises(pytest.fail.Exception, match="demands browser, but no chromium on the search path"):
        require("browser", None, "no chromium on the search path")
