"""Files that pages load: our own from api/static, Leaflet from its installed wheel; nothing from a third party.

An address with the present fingerprint may be kept for ever, because another content gets another address.
"""

from __future__ import annotations

import hashlib
from functools import cache
from http import HTTPStatus
from pathlib import Path

from fastapi import Request, Response
from xstatic.pkg import leaflet

from api.problems import ProblemError, shown

OWN = Path(__file__).resolve().parents[1] / "static"
VENDOR = "vendor/leaflet/"
LEAFLET_FILES = (
    "leaflet.js",
    "leaflet.css",
    "images/layers.png",
    "images/layers-2x.png",
    "images/marker-icon.png",
    "images/marker-icon-2x.png",
    "images/marker-shadow.png",
)
MEDIA = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".geojson": "application/geo+json",
}
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "public, no-cache"
FINGERPRINT_CHARS = 10


@cache
def files() -> dict[str, Path]:
    """Every file that may be asked for, by its name below /static/. Nothing else is ever opened."""
    own = {path.relative_to(OWN).as_posix(): path for path in OWN.rglob("*") if path.suffix in MEDIA}
    vendor = Path(leaflet.BASE_DIR)
    return own | {VENDOR + name: vendor / name for name in LEAFLET_FILES}


@cache
def fingerprint() -> str:
    """Changes when any of the files does."""
    digest = hashlib.sha256()
    for name, path in sorted(files().items()):
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:FINGERPRINT_CHARS]


def static_url(name: str) -> str:
    """The address under which a page loads a file."""
    assert name in files(), f"there is no static file '{name}'"
    return f"/static/{fingerprint()}/{name}"


def static_file(request: Request, path: str) -> Response:
    """One file, with or without the fingerprint in its address."""
    first, _, rest = path.partition("/")
    is_current = first == fingerprint()
    found = files().get(rest if is_current else path)
    if found is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no file {shown(path)}.")
    tag = f'"{fingerprint()}"'
    headers = {"Cache-Control": FOR_EVER if is_current else ASK_AGAIN, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(found.read_bytes(), headers=headers, media_type=MEDIA[found.suffix])
