"""The demo's data folder: each demo starts with an empty one, and deletes nothing but what a demo made there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from deploy.options import make_folder
from deploy.output import BadInput
from deploy.up import LOCK_NAME

MARK = "demo.json"


def claim(folder: Path) -> Path:
    """The folder with our mark in it, made if it is not there. Raises BadInput when it holds what is not ours."""
    folder = folder.absolute()
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise BadInput(f"{folder} is no folder of its own; name another one with --data")
    if folder.is_dir() and any(folder.iterdir()) and not _is_ours(folder):
        raise BadInput(
            f"{folder} holds something that no demo made, and a demo would delete it; "
            "move it away, or name another folder with --data"
        )
    make_folder(folder)
    mark = folder / MARK
    mark.write_text(json.dumps({"made_by": "partheland demo", "folder": str(folder)}), encoding="utf-8")
    return folder


def clear(folder: Path) -> None:
    """Delete what the demo before left; only in a folder that `claim` gave, and while its lock is ours."""
    assert _is_ours(folder), "only what a demo made is deleted"
    for path in folder.iterdir():
        if path.name in (MARK, LOCK_NAME):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _is_ours(folder: Path) -> bool:
    """Whether a demo made it, here: a copy of a demo's folder elsewhere is somebody's own."""
    mark = folder / MARK
    try:
        told = json.loads(mark.read_text(encoding="utf-8")) if mark.is_file() else None
    except (OSError, ValueError):
        return False
    return told == {"made_by": "partheland demo", "folder": str(folder)}
