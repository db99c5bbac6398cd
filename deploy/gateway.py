"""The gateway as a process: runs until it is asked to stop or one of its threads fails."""

from __future__ import annotations

import logging

from deploy.options import Options, signed_in
from deploy.serving import StopRequest, verdict
from gateway.process import Gateway

log = logging.getLogger(__name__)

STOP_S_MAX = 20.0


def run_gateway(options: Options) -> int:
    """The exit code. A broker that is away is no error: it keeps trying. Raises StorageError, BadInput."""
    stop = StopRequest(STOP_S_MAX)
    stop.listen()
    settings = signed_in(options)
    gateway = Gateway(settings, options.data, options.clock)
    gateway.start()
    login = settings.broker_login()
    log.info("gateway %s runs, broker %s:%s", settings.gateway.id, login.host, login.port)
    try:
        gateway.watch(stop.runs)
    finally:
        gateway.stop()
    return verdict("gateway", gateway.fatal)
