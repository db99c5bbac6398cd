"""A real InfluxDB 2 server for tests, on a free port and with its data in a folder of the test run."""

import json
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from tests.support.processes import ServerProcess, free_port

REQUEST_S_MAX = 30.0


def find_influxd() -> str | None:
    """The server's path: `PARTHELAND_INFLUXD`, then what deploy/build-influxd keeps, then the search path."""
    named = os.environ.get("PARTHELAND_INFLUXD")
    if named:
        return shutil.which(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return shutil.which(cache / "influxd-2.7.12" / "influxd") or shutil.which("influxd")


class InfluxServer:
    """A server with organisation and bucket `partheland`; it can be taken away and comes back with data and port."""

    def __init__(self, folder: Path, program: str) -> None:
        port = free_port()
        command = [program, "run", "--reporting-disabled", "--http-bind-address", f"127.0.0.1:{port}"]
        command += ["--bolt-path", str(folder / "influxd.bolt"), "--sqlite-path", str(folder / "influxd.sqlite")]
        command += ["--engine-path", str(folder / "engine"), "--log-level", "warn"]
        self.server = ServerProcess(command, port, folder / "influxd.log")
        self.url = f"http://127.0.0.1:{port}"
        self.org = "partheland"
        self.bucket = "partheland"
        self.token = "only-for-tests"

    def start(self) -> None:
        """Starts the server where it was, and returns when it answers; does nothing while it runs."""
        self.server.start()

    def stop(self) -> None:
        """Ends the server as an administrator would; until `start` its port refuses."""
        self.server.stop()

    def kill(self) -> None:
        """Ends the server as kill -9 does; until `start` its port refuses."""
        self.server.kill()

    def set_up(self) -> None:
        """Makes user, organisation, bucket and token; only once, on an empty server."""
        account = {"username": "test", "password": "only-for-tests", "token": self.token}
        self.post("/api/v2/setup", {**account, "org": self.org, "bucket": self.bucket})

    def new_bucket(self, name: str) -> str:
        """The name of an empty bucket that is now there; for tests that count what a bucket holds."""
        found = json.loads(self._request("GET", f"/api/v2/orgs?org={self.org}", None))
        self.post("/api/v2/buckets", {"orgID": found["orgs"][0]["id"], "name": name, "retentionRules": []})
        return name

    def query_csv(self, flux: str) -> str:
        """The answer to a Flux query as annotated CSV, the way any other program would ask."""
        return self.post(f"/api/v2/query?org={self.org}", {"query": flux, "type": "flux"})

    def write_lines(self, bucket: str, lines: str) -> None:
        """Writes line protocol with times in ns, beside our own writer; the data is queryable when this returns."""
        self._request("POST", f"/api/v2/write?org={self.org}&bucket={bucket}&precision=ns", lines.encode())

    def post(self, path: str, body: dict[str, object]) -> str:
        """The answer to a JSON POST; an answer of 400 and above is an error with the server's own words."""
        return self._request("POST", path, json.dumps(body).encode())

    def _request(self, method: str, path: str, content: bytes | None) -> str:
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_S_MAX) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            error.close()
            raise RuntimeError(f"InfluxDB answered {error.code} to {method} {path}: {said}") from None
