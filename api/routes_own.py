"""The routes of our own API, and who may use each."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from api import devices, events, health, items, ledger, parking, readings, rules, sos, tickets
from api.route import CSV, EVENTS, JSON, TEXT, Policy, Route
from ingest.verify import Report


async def openapi(request: Request) -> Response:
    """The description of this API."""
    return JSONResponse(request.app.openapi())


OWN = (
    Route("GET", "/healthz", health.healthz, Policy.OPEN, health.Health),
    Route("GET", "/readyz", health.readyz, Policy.OPEN, health.Readiness),
    Route("GET", "/metrics", health.metrics, Policy.PLATFORM, media=TEXT),
    Route("GET", "/openapi.json", openapi, Policy.OPEN, shown=False),
    Route("GET", "/api/v1/readings", readings.readings, Policy.SIGNED_IN, readings.ReadingsPage),
    Route("GET", "/api/v1/readings/count", readings.count, Policy.SIGNED_IN, readings.ReadingsCount),
    Route("GET", "/api/v1/export", readings.export, Policy.SIGNED_IN, media=CSV),
    Route("GET", "/api/v1/devices", devices.devices, Policy.SIGNED_IN, devices.DevicesPage),
    Route("GET", "/api/v1/devices/{device_id}", devices.device, Policy.SIGNED_IN, devices.DeviceItem),
    Route("POST", "/api/v1/inventory", devices.import_inventory, Policy.PLATFORM, devices.Imported, takes=CSV),
    Route("GET", "/api/v1/inventory.csv", devices.inventory_csv, Policy.SIGNED_IN, media=CSV),
    Route("GET", "/api/v1/sites.csv", devices.sites_csv, Policy.SIGNED_IN, media=CSV),
    Route("GET", "/api/v1/gateways", ledger.gateways, Policy.SIGNED_IN, ledger.Gateways),
    Route("GET", "/api/v1/parking/sites", parking.sites, Policy.OPEN, parking.SitesPage),
    Route("GET", "/api/v1/parking/sites/{site_id}", parking.site, Policy.OPEN, parking.SiteWithBays),
    Route("GET", "/api/v1/findings", tickets.findings, Policy.TICKETS, tickets.FindingsPage),
    Route("GET", "/api/v1/tickets", tickets.tickets, Policy.TICKETS, tickets.TicketsPage),
    Route("GET", "/api/v1/tickets/{ticket_id}", tickets.ticket, Policy.TICKETS, items.TicketItem),
    Route(
        "POST",
        "/api/v1/tickets/{ticket_id}/{action}",
        tickets.act_on_ticket,
        Policy.TICKETS_WORK,
        items.TicketItem,
        takes=JSON,
    ),
    Route("GET", "/api/v1/repairs.csv", tickets.repairs_csv, Policy.TICKETS, media=CSV),
    Route("GET", "/api/v1/rules", rules.rules, Policy.TICKETS, rules.RulesPage),
    Route("GET", "/api/v1/rules/{rule}/explain", rules.explain, Policy.TICKETS, rules.ExplanationItem),
    Route("POST", "/api/v1/rules/{rule}/preview", rules.preview, Policy.ADMIN, rules.PreviewItem, takes=JSON),
    Route("GET", "/api/v1/sos", sos.cases, Policy.SOS, sos.SosPage),
    Route("GET", "/api/v1/sos/{case_id}", sos.case, Policy.SOS, items.SosItem),
    Route("POST", "/api/v1/sos/{case_id}/{action}", sos.act_on_case, Policy.SOS, items.SosItem, takes=JSON),
    Route("GET", "/api/v1/events", events.events, Policy.OPEN, media=EVENTS),
    Route("GET", "/api/v1/ledger", ledger.ledger, Policy.PLATFORM, ledger.Ledger),
    Route("GET", "/api/v1/quarantine", ledger.quarantine, Policy.PLATFORM, ledger.QuarantinePage),
    Route("GET", "/api/v1/verify", ledger.verify, Policy.PLATFORM, Report),
)
