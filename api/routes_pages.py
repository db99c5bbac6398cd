"""The routes of the pages that people read, and who may use each."""

from __future__ import annotations

from api.pages import device, legal, map, parking, rules, sign_in, sos, start, static_files, why, yard
from api.route import HTML, Policy, Route

FORM = "application/x-www-form-urlencoded"
BYTES = "application/octet-stream"

PAGES: tuple[Route, ...] = (
    Route("GET", "/", start.start_page, Policy.OPEN, media=HTML, shown=False),
    Route("GET", "/parken", parking.parking_page, Policy.OPEN, media=HTML, shown=False),
    Route("GET", "/parken/{town}/{site}", parking.site_page, Policy.OPEN, media=HTML, shown=False),
    Route("GET", "/karte", map.map_page, Policy.OPEN, media=HTML, shown=False),
    Route("GET", "/karte/geraete.json", map.map_data, Policy.OPEN, shown=False),
    Route("GET", "/geraet/{device_id}", device.device_page, Policy.SIGNED_IN, media=HTML, shown=False),
    Route("GET", "/geraet/{device_id}/warum", why.why_page, Policy.TICKETS, media=HTML, shown=False),
    Route("GET", "/regeln", rules.rules_page, Policy.TICKETS, media=HTML, shown=False),
    Route("GET", "/regeln/{rule}", rules.rule_page, Policy.TICKETS, media=HTML, shown=False),
    Route("POST", "/regeln/{rule}", rules.try_rule, Policy.ADMIN, media=HTML, takes=FORM, shown=False),
    Route("GET", "/bauhof", yard.yard_page, Policy.TICKETS, media=HTML, shown=False),
    Route("GET", "/bauhof/{ticket_id}", yard.ticket_page, Policy.TICKETS, media=HTML, shown=False),
    Route("POST", "/bauhof/{ticket_id}/{action}", yard.act, Policy.TICKETS_WORK, media=HTML, takes=FORM, shown=False),
    Route("GET", "/notruf", sos.sos_page, Policy.SOS, media=HTML, shown=False),
    Route("GET", "/notruf/liste", sos.sos_list, Policy.SOS, media=HTML, shown=False),
    Route("POST", "/notruf/{case_id}/{action}", sos.act, Policy.SOS, media=HTML, takes=FORM, shown=False),
    Route("GET", "/anmelden", sign_in.sign_in, Policy.OPEN, media=HTML, shown=False),
    Route("GET", "/impressum", legal.imprint, Policy.OPEN, media=HTML, shown=False),
    Route("GET", "/datenschutz", legal.privacy, Policy.OPEN, media=HTML, shown=False),
    Route("GET", "/barrierefreiheit", legal.accessibility, Policy.OPEN, media=HTML, shown=False),
    Route("GET", "/hinweise", legal.notices, Policy.OPEN, media=HTML, shown=False),
    Route("GET", "/static/{path:path}", static_files.static_file, Policy.OPEN, media=BYTES, shown=False),
)
