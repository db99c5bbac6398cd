"""The centre as a process: journal, stores and HTTP, until it is asked to stop or a part of it fails."""

from __future__ import annotations

import logging
import os
import secrets
from contextlib import ExitStack
from dataclasses import replace

from api.accounts import Accounts
from api.app import create_app
from api.centre import Centre
from api.server import HttpServer
from core.clock import RealClock
from core.inventory import Inventory
from core.settings import Settings
from deploy.contact import Centre as Contact
from deploy.contact import remove_contact, write_contact
from deploy.credentials import make_admin_password
from deploy.options import Options, reachable, signed_in
from deploy.parts import make_database, make_stores
from deploy.serving import StopRequest, verdict
from ingest.process import Ingest
from rules.process import Rules

log = logging.getLogger(__name__)

STOP_S_MAX = 30.0
TOKEN_BYTES = 32


def run_centre(options: Options) -> int:
    """The exit code. A broker or a store that is away is no error: it keeps trying. Raises what a start can't mend."""
    stop = StopRequest(STOP_S_MAX)
    stop.listen()
    settings = _with_token(signed_in(options))
    database = make_database(options.data)
    inventory = Inventory(database)
    stores = make_stores(settings, options.data, options.clock)
    ingest = Ingest(settings, options.data, options.clock, inventory, stores)
    rules = Rules(database, inventory, ingest.journal, options.clock, options.data, ingest.fail, ingest.hears)
    ingest.keep_for("rules", rules.how_far)
    accounts = Accounts(database, RealClock())  # time-lapse must not sign people out after minutes
    app = create_app(Centre(ingest, inventory, stores, rules, accounts, options.clock, settings, options.dev))
    server = HttpServer(app, settings.http.bind, settings.http.port)
    with ExitStack() as stack:
        # The port first: a second centre ends here, before it has touched a file.
        port = server.bind()
        stack.callback(server.stop)
        stack.enter_context(inventory)
        _make_first_account(options, accounts)
        # It ends what has started even when the rest could not: threads must not outlive their files.
        stack.callback(ingest.stop)
        ingest.start()
        stack.callback(rules.stop)
        rules.start()
        server.start()
        _tell_others(options, settings, port)
        stack.callback(remove_contact, options.data, os.getpid())
        while stop.runs() and not ingest.failed.is_set() and server.alive():
            pass
        fatal = ingest.fatal
        if fatal is None and not stop.asked:
            fatal = RuntimeError("the HTTP server has ended")
    return verdict("centre", fatal)


def _make_first_account(options: Options, accounts: Accounts) -> None:
    """Somebody has to let the others in; `up` says where the password is, nothing ever says the password."""
    if not options.dev and accounts.is_empty():
        accounts.add_first(make_admin_password(options.data))


def _with_token(settings: Settings) -> Settings:
    """A token for commands on this machine where none is set; each start has its own."""
    token = settings.http.token or secrets.token_urlsafe(TOKEN_BYTES)
    return replace(settings, http=replace(settings.http, token=token))


def _tell_others(options: Options, settings: Settings, port: int) -> None:
    http, login = settings.http, settings.broker_login()
    host = reachable(http.bind)
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    write_contact(options.data, Contact(address, os.getpid(), http.token, login.host, login.port))
    log.info("the centre runs at %s, broker %s:%s", address, login.host, login.port)
