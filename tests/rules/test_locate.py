"""Where things stand in a TOML file."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

from rules.locate import locate

SAMPLE = Path(__file__).parent / "sample.toml"


def test_every_key_of_a_file_is_found_where_it_stands() -> None:
    text = SAMPLE.read_text(encoding="utf-8") + (
        '[odd."a.b".c]\n"x y" = [1, [2, "]#"], { z = 3 }]\nq.r = 1\n'
        '[[odd.list]]\ns = """\na "" b\\""""\n[[odd.list.inner]]\nt = \'\'\'x\'\'\'\n[[odd.list]]\nu = 1\n'
    )
    located, lines = locate(text), text.split("\n")
    paths = list(paths_of(tomllib.loads(text)))
    assert len(paths) > 80
    for path in paths:
        assert path in located.spots
        line, column = located.key(path)
        assert path[-1] == 0 or isinstance(path[-1], int) or str(path[-1]) in lines[line - 1][column - 1 :]


def paths_of(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The ways to everything in a TOML document; for tables only what stands in them."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in inner:
            yield from paths_of(each, (*path, key))
    else:
        yield path
