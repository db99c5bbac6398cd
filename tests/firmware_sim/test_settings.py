import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

import firmware_sim
from firmware_sim.settings import Settings, SettingsError, read_settings

SAMPLE = Path(firmware_sim.__file__).parent / "sample.toml"


def test_the_sample_shows_every_setting_with_its_default() -> None:
    assert tomllib.loads(SAMPLE.read_text(encoding="utf-8")) == asdict(Settings())
    assert read_settings(SAMPLE) == Settings()


def test_what_a_file_names_is_changed_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "region.toml"
    path.write_text("[sizes]\nlamps = 12\n[radio]\nloss = 0\n", encoding="utf-8")
    settings = read_settings(path)
    assert (settings.sizes.lamps, settings.radio.loss, settings.sizes.bays) == (12, 0.0, 300)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[sizes]\nlampen = 1", "unknown setting 'lampen'"),
        ("[lamps]\nnumber = 1", "unknown table 'lamps'"),
        ("lamps = 1", "unknown table 'lamps'"),
        ("[sizes]\nlamps = -1", "lamps must be a number"),
        ("[sizes]\nlamps = 1.5", "lamps must be a number of type int"),
        ("[sizes]\nlamps = true", "lamps must be a number"),
        ("[radio]\nloss = 10", "loss is a share"),
        ("[sizes]\ngateways = 0", "gateways must be 1 or more"),
        ("[sizes", "is not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_file_name_and_reason(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "region.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=says) as caught:
        read_settings(path)
    assert "region.toml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no\.toml: cannot be read"):
        read_settings(tmp_path / "no.toml")
