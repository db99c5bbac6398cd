"""Every setting: one frozen table for each part, one row for each setting with default, limits and a sentence.

The unit stands last in the name. core/settings.py reads them; deploy/partheland.sample.toml shows them.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.settings_rows import ID, ID_EXPECTED, MIB, PORT_MAX, Table, setting


@dataclass(frozen=True, repr=False)
class PlatformSettings(Table):
    """What all parts share."""

    data_dir: str = setting("var", "The folder for everything the platform keeps; relative to where it is started.")
    gateways: tuple[str, ...] = setting(
        ("gw1",),
        "The gateways that the centre expects to hear, by id; a silent one is named.",
        pattern=ID,
        expected=ID_EXPECTED,
    )


@dataclass(frozen=True, repr=False)
class BrokerSettings(Table):
    """The MQTT broker: our own embedded one, or one that runs elsewhere (then host, port and sign-in name it)."""

    embedded: bool = setting(True, "Start a broker of our own on this machine.")
    host: str = setting("127.0.0.1", "Where the gateway and the centre reach the broker.", pattern=r"\S+")
    mqtt_port: int = setting(1883, "The broker's MQTT port; 0 lets the embedded one take any free port.", high=PORT_MAX)
    bind: str = setting(
        "127.0.0.1",
        "The address the embedded broker listens on; 0.0.0.0 lets devices of the network in.",
        pattern=r"\S+",
    )
    username: str = setting("", "The platform's own name at the broker; empty = none.")
    password: str = setting("", "The platform's own password at the broker.", secret=True)
    sync_interval: str = setting(
        "250ms",
        "How often the embedded broker syncs its disk. A power cut loses what it acknowledged in this time and the "
        "gateway had not taken yet; device counters show it. 'always' is slow: see docs/decisions/0003-broker-sync.md.",
        pattern=r"always|[1-9]\d*(ms|s|m)",
        expected="always, or a duration such as 100ms, 10s or 2m",
    )
    ack_wait_s: float = setting(
        3.0, "The embedded broker sends again what was not acknowledged after this time.", low=0.1, high=3600
    )
    max_payload_bytes: int = setting(
        MIB, "The embedded broker cuts off who sends a longer message.", low=1024, high=64 * MIB
    )
    max_inflight: int = setting(
        4000,
        "Messages on their way to one subscriber without acknowledgement; at least twice a group of the gateway.",
        low=1,
        high=PORT_MAX,
    )


@dataclass(frozen=True, repr=False)
class GatewaySettings(Table):
    """The edge: takes messages, checks them, and keeps them until the centre has them."""

    id: str = setting("gw1", "This gateway's name, unique among all gateways.", pattern=ID, expected=ID_EXPECTED)
    spool_mib_max: int = setting(
        2048,
        "How large the spool may grow while the centre is away; then nothing is taken. The last 16 MiB are for SOS.",
        low=64,
        high=1_048_576,
    )
    group_records_max: int = setting(1000, "Records that are committed together at most.", low=1, high=100_000)
    group_wait_ms: int = setting(
        50, "How long a record waits for others to be committed with it; SOS never waits.", high=1000
    )
    sources: tuple[str, ...] = setting(
        ("native", "chirpstack4", "things_stack3"),
        "The families of messages this gateway listens to.",
        choices=("native", "chirpstack4", "things_stack3"),
    )
    down_acks_per_s: int = setting(
        200, "Acknowledgements that are sent down to devices each second at most.", high=100_000
    )
    clock_ahead_s_max: int = setting(
        300, "A device's time further ahead than this counts as absurd: the time of receipt is taken.", high=86_400
    )
    clock_behind_days_max: int = setting(
        0,
        "A device's time further back than this counts as absurd, too. 0 = only a time before 2015 does: backfill and "
        "replayed history keep their times.",
        high=3660,
    )


@dataclass(frozen=True, repr=False)
class UplinkSettings(Table):
    """The gateway's way to the centre. Without a host it is the broker above; without a name, its sign-in too."""

    host: str = setting("", "The broker between gateway and centre; empty = that of [broker].")
    port: int = setting(0, "Its MQTT port; 0 = that of [broker].", high=PORT_MAX)
    username: str = setting("", "The name to sign in with; empty = that of [broker], with its password.")
    password: str = setting("", "The password for this name.", secret=True)
    window_frames: int = setting(64, "Frames on their way without the centre's acknowledgement.", low=1, high=10_000)
    frame_bytes_max: int = setting(
        524_288,
        "A frame is sealed before it grows longer; less than the broker's max_payload_bytes.",
        low=4096,
        high=64 * MIB,
    )
    resend_s: float = setting(
        5.0, "A frame that was not acknowledged is sent again after this time.", low=0.1, high=3600
    )


@dataclass(frozen=True, repr=False)
class IngestSettings(Table):
    """The centre's front door and its journal."""

    journal_days_min: int = setting(
        14, "The journal keeps readings so long, as far as journal_gib_max allows.", low=1, high=3660
    )
    journal_gib_max: int = setting(
        20,
        "Beyond this size the journal lets its oldest segments go, read by every store or not (then it says so "
        "loudly): a store that is away for months must not fill the disk that SOS needs.",
        low=1,
        high=100_000,
    )
    segment_mib: int = setting(256, "The size of one file of the journal.", low=1, high=65_536)
    group_wait_ms: int = setting(
        50, "How long a frame waits for others to be committed with it; SOS never waits.", high=1000
    )


@dataclass(frozen=True, repr=False)
class StoreSettings(Table):
    """Where readings are kept for questions."""

    kind: str = setting(
        "duckdb", "DuckDB is embedded, InfluxDB 2 a server of its own.", choices=("duckdb", "influxdb", "both")
    )
    duckdb_file: str = setting("readings.duckdb", "DuckDB's file; relative to data_dir.", pattern=r".+")
    duckdb_memory_mib: int = setting(1024, "The memory that DuckDB may use.", low=64, high=1_048_576)
    influx_url: str = setting(
        "http://127.0.0.1:8086", "InfluxDB's address.", pattern=r"https?://\S+", expected="http://… or https://…"
    )
    influx_org: str = setting("partheland", "InfluxDB's organisation.", pattern=r".+")
    influx_bucket: str = setting("partheland", "InfluxDB's bucket.", pattern=r".+")
    influx_token: str = setting("", "InfluxDB's token, with the right to read and write the bucket.", secret=True)
    retention_days: int = setting(0, "Readings older than this are deleted; 0 = never.", high=36_500)


@dataclass(frozen=True, repr=False)
class HttpSettings(Table):
    """The centre's HTTP face."""

    bind: str = setting(
        "127.0.0.1", "The address to listen on; behind a reverse proxy it stays as it is.", pattern=r"\S+"
    )
    port: int = setting(8080, "The port to listen on; 0 = any free one.", high=PORT_MAX)
    token: str = setting(
        "", "Who sends this token is admin of all towns; empty = a random one each start.", secret=True
    )
    public_url: str = setting(
        "",
        "The address by which people reach the platform, through a reverse proxy that speaks TLS; with https the "
        "cookie of a sign-in is only ever sent encrypted. Empty = the address that was asked.",
        pattern=r"|https?://[^\s/?#@]+",
        expected="https://… or http://… without a path, or nothing",
    )
    proxies: tuple[str, ...] = setting(
        (),
        "The addresses of reverse proxies whose X-Forwarded-For tells who asks.",
        pattern=r"[0-9A-Fa-f.:]{2,45}",
        expected="an IP address",
    )
    guest_requests_per_s: int = setting(
        50, "How many requests one address may send without signing in, each second.", low=1, high=1_000_000
    )
    guest_burst: int = setting(200, "How many of them at once.", low=1, high=1_000_000)
    account_requests_per_s: int = setting(
        200, "How many requests one account or token may send, each second.", low=1, high=1_000_000
    )
    account_burst: int = setting(1000, "How many of them at once.", low=1, high=1_000_000)


@dataclass(frozen=True, repr=False)
class LegalSettings(Table):
    """What only the operator can say, for the legal pages; what is empty is shown there as missing."""

    operator: str = setting("", "Who runs this platform, e.g. Stadtverwaltung Naunhof.")
    address: str = setting("", "The operator's postal address.")
    represented_by: str = setting("", "Who represents the operator, e.g. the mayor's name.")
    phone: str = setting("", "The operator's telephone number.")
    email: str = setting("", "The operator's e-mail address.")
    vat_id: str = setting("", "The operator's VAT number, if there is one.")
    data_protection_officer: str = setting("", "Name and address of the data protection officer.")
    accessibility_contact: str = setting("", "Whom to write to about barriers on these pages.")
    accessibility_checked_on: str = setting("", "When these pages were last checked for barriers, e.g. 12.01.2026.")
    enforcement_body: str = setting(
        "Durchsetzungsstelle für digitale Barrierefreiheit in Sachsen",
        "Who settles a dispute about barriers; printed as it stands here.",
    )
