"""What a browser shows when something is wrong: a sentence, and a way on. Nothing of our insides."""

from __future__ import annotations

from fastapi import Request, Response

from api.pages.view import render
from api.who import PUBLIC

HEADINGS = {
    400: "Das haben wir nicht verstanden",
    401: "Bitte anmelden",
    403: "Dafür reicht der Zugang nicht",
    404: "Diese Seite gibt es nicht",
    405: "So geht es nicht",
    409: "Das hat sich inzwischen geändert",
    413: "Das ist zu groß",
    429: "Zu viele Anfragen",
    500: "Das ist unser Fehler",
    503: "Gerade nicht erreichbar",
}


def problem_page(request: Request, status: int, sentence: str) -> Response:
    """The page for a status; `sentence` says in German what was wrong and what to do."""
    heading = HEADINGS.get(status, HEADINGS[400 if status < 500 else 500])
    who = getattr(request.state, "who", PUBLIC)
    return render(request, who, "problem.html", status, heading=heading, sentence=sentence, number=status)
