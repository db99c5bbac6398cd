"""The centre as a process: journal, stores and HTTP, until it is asked to stop or a part of it fails."""

from __future__ import annotations

import logging
import os
import secrets
from contextlib import ExitStack
from dataclasses import replace

from api.app import create_app
from api.server import HttpServer
from core.settings import Settings
from deploy.contact import Centre, remove_contact, write_contact
from deploy.options import Options, reachable, signed_in
from deploy.parts import make_inventory, make_stores
from deploy.serving import StopRequest, verdict
from ingest.process import Ingest

log = logging.getLogger(__name__)

STOP_S_MAX = 30.0
TOKEN_BYTES = 32


def run_centre(options: Options) -> int:
    """The exit code. A broker or a store that is away is no error: it keeps trying. Raises what a start can't mend."""
    stop = StopRequest(STOP_S_MAX)
    stop.listen()
    settings = _with_token(signed_in(options))
    inventory = make_inventory(options.data)
    stores = make_stores(settings, options.data, options.clock)
    ingest = Ingest(settings, options.data, options.clock, inventory, stores)
    app = create_app(ingest, inventory, stores, options.clock, settings, options.dev)
    server = HttpServer(app, settings.http.bind, settings.http.port)
    with ExitStack() as stack:
        # The port first: a second centre ends here, before it has touched a file.
        port = server.bind()
        stack.callback(server.stop)
        stack.enter_context(inventory)
        # It ends what has started even when the rest could not: threads must not outlive their files.
        stack.callback(ingest.stop)
        ingest.start()
        server.start()
        _tell_others(options, settings, port)
        stack.callback(remove_contact, options.data, os.getpid())
        while stop.runs() and not ingest.failed.is_set() and server.alive():
            pass
        fatal = ingest.fatal
        if fatal is None and not stop.asked:
            fatal = RuntimeError("the HTTP server has ended")
    return verdict("centre", fatal)


def _with_token(settings: Settings) -> Settings:
    """A token for commands on this machine where none is set; each start has its own."""
    token = settings.http.token or secrets.token_urlsafe(TOKEN_BYTES)
    return replace(settings, http=replace(settings.http, token=token))


def _tell_others(options: Options, settings: Settings, port: int) -> None:
    http, login = settings.http, settings.broker_login()
    host = reachable(http.bind)
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    write_contact(options.data, Centre(address, os.getpid(), http.token, login.host, login.port))
    log.info("the centre runs at %s, broker %s:%s", address, login.host, login.port)
