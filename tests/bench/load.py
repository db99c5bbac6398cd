"""A load generator as cheap as Python can be: raw MQTT 3.1.1 at QoS 1 over plain sockets, each device in turn.

`python -m tests.bench.load PORT TOTAL PER_S DEVICES CONNECTIONS` prints messages/s and its own CPU a message; exits 1
when the broker drops a connection or does not acknowledge within 120 s.
"""

import os
import select
import socket
import struct
import sys
import time

from core.clock import RealClock

WINDOW = 1000  # unacknowledged messages a connection
STALL_S_MAX = 120.0
REPORT_S = 10.0


def varying_length(number: int) -> bytes:
    """MQTT's length encoding."""
    found = bytearray()
    while True:
        number, digit = divmod(number, 128)
        found.append(digit | (128 if number else 0))
        if not number:
            return bytes(found)


def device_name(number: int) -> str:
    """The id of a device of the load."""
    return f"LOAD-{number:06d}"


def publish_packet(device: int, seq: int, mid: int, t_ms: int) -> bytes:
    """One lamp's message as DESIGN.md has it."""
    topic = b"partheland/naunhof/lamp/%s/up" % device_name(device).encode()
    power_w = 35 + device % 7
    values = b'{"power_w":%d,"voltage_v":230.1,"current_a":0.16,"dim_pct":100,"driver_temp_c":31.0}' % power_w
    payload = b'{"t":%d,"boot":3,"seq":%d,"values":%s}' % (t_ms, seq, values)
    body = struct.pack(">H", len(topic)) + topic + struct.pack(">H", mid) + payload
    return b"\x32" + varying_length(len(body)) + body


class Connection:
    """One socket with its window."""

    def __init__(self, port: int, number: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        name = f"load-{os.getpid()}-{number}".encode()
        body = b"\0\4MQTT\4\2\0\0" + struct.pack(">H", len(name)) + name
        self.socket.sendall(b"\x10" + varying_length(len(body)) + body)
        answer = self.socket.recv(4)
        assert answer[3] == 0, f"the broker refused the load generator: {answer!r}"
        self.socket.setblocking(False)
        self.out = b""
        self.sent = self.acknowledged_bytes = self.mid = 0

    @property
    def room(self) -> int:
        """How many messages it may still send."""
        return 0 if len(self.out) > 65_536 else WINDOW - (self.sent - self.acknowledged_bytes // 4)

    def flush(self) -> None:
        """Send what the socket takes."""
        try:
            self.out = self.out[self.socket.send(self.out) :]
        except BlockingIOError:
            return

    def read(self) -> None:
        """Count acknowledgements: four bytes each, nothing else comes."""
        data = self.socket.recv(65_536)
        if not data:
            sys.exit("the broker closed a connection of the load generator")
        self.acknowledged_bytes += len(data)


def run(port: int, total: int, per_s: float, devices: int, connections: int) -> None:
    """Send `total` messages at `per_s` (0 = as fast as it goes) and wait for their acknowledgements."""
    clock = RealClock()
    every = [Connection(port, number) for number in range(connections)]
    started_s = said_s = moved_s = time.monotonic()
    sent = acknowledged = 0
    first_seq = clock.now_ms() // 1000 % 1_000_000 * 1000
    while acknowledged < total:
        now_s = time.monotonic()
        due = min(total, int((now_s - started_s) * per_s)) if per_s else total
        t_ms = clock.now_ms()
        for one in every:
            sent += offer(one, sent, min(due - sent, one.room, 100), devices, first_seq, t_ms)
        turn(every)
        before, acknowledged = acknowledged, sum(one.acknowledged_bytes for one in every) // 4
        if acknowledged > before:
            moved_s = now_s
        if now_s - moved_s > STALL_S_MAX:
            sys.exit(f"no acknowledgement for {STALL_S_MAX:g} s; {acknowledged} of {total} were acknowledged")
        if now_s - said_s > REPORT_S:
            said_s = now_s
            per_s_now = acknowledged / (now_s - started_s)
            print(f"  {per_s_now:8.0f} acknowledged/s, {sent - acknowledged} under way", flush=True)
    seconds = time.monotonic() - started_s
    used = os.times()
    cpu_us = (used.user + used.system) / total * 1e6
    print(
        f"{total} messages in {seconds:.1f} s = {total / seconds:.0f}/s; generator {cpu_us:.1f} µs CPU each", flush=True
    )


def offer(one: Connection, sent: int, count: int, devices: int, first_seq: int, t_ms: int) -> int:
    """Queue the next `count` messages on a connection; how many that were."""
    packets = []
    for number in range(sent, sent + count):
        one.mid = one.mid % 65_535 + 1
        packets.append(publish_packet(number % devices, first_seq + number // devices, one.mid, t_ms))
    one.out += b"".join(packets)
    one.sent += len(packets)
    return len(packets)


def turn(every: list[Connection]) -> None:
    """One select and what it allows."""
    sockets = {one.socket: one for one in every}
    readable, writable, _ = select.select(sockets, [one.socket for one in every if one.out], [], 0.002)
    for found in writable:
        sockets[found].flush()
    for found in readable:
        sockets[found].read()


if __name__ == "__main__":
    run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
