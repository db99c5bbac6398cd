"""How much one asker may ask: buckets of requests, and growing waits between sign-ins that fail.

All in memory and bounded: who was not heard of longest is forgotten first. Time is the clock's monotonic one.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from core.clock import Clock

KEYS_MAX = 20_000
NAME_FREE, ADDRESS_FREE = 5, 15
WAIT_S_MAX = 300.0
FORGOTTEN_S = 3600.0
IPV6_PREFIX_BITS = 64  # what one household or server has, all of it


class TooManyError(Exception):
    """Too much at once; `wait_s` is how long to wait before asking again."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too much at once; ask again in {math.ceil(wait_s)} s")
        self.wait_s = wait_s

    @property
    def headers(self) -> dict[str, str]:
        """The header that tells programs how long to wait."""
        return {"Retry-After": str(max(1, math.ceil(self.wait_s)))}


class Buckets:
    """A bucket for each key: `burst` requests at once, then `per_s` each second. May be used by several threads."""

    def __init__(self, per_s: float, burst: float, clock: Clock, keys_max: int = KEYS_MAX) -> None:
        self.per_s = per_s
        self.burst = burst
        self.clock = clock
        self.keys_max = keys_max
        self._lock = threading.Lock()
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable) -> None:
        """Take one request out of the bucket of `key`. Raises TooManyError when it is empty."""
        now_s = self.clock.monotonic_s()
        with self._lock:
            left, at_s = self._left.pop(key, (self.burst, now_s))
            left = min(self.burst, left + (now_s - at_s) * self.per_s)
            is_free = left >= 1.0
            self._left[key] = (left - 1.0 if is_free else left, now_s)
            while len(self._left) > self.keys_max:
                self._left.popitem(last=False)
        if not is_free:
            raise TooManyError((1.0 - left) / self.per_s)


class Attempts:
    """Failed sign-ins: after some free ones each doubles the wait. May be used by several threads.

    Who signed in from an address once does not wait there because others fail with the name elsewhere: nobody can lock
    the dispatcher out by typing wrong passwords.
    """

    def __init__(self, clock: Clock, keys_max: int = KEYS_MAX) -> None:
        self.clock = clock
        self.keys_max = keys_max
        self._lock = threading.Lock()
        self._failed: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()
        self._friends: OrderedDict[Hashable, None] = OrderedDict()

    def begin(self, name: str, address: str) -> None:
        """Count an attempt, as failed until `succeeded`. Raises TooManyError while one of both has to wait."""
        now_s = self.clock.monotonic_s()
        with self._lock:
            keys = self._keys(name, address)
            wait_s = max(self._until_s(key, free) for key, free in keys) - now_s
            if wait_s > 0:
                raise TooManyError(wait_s)
            for key, _ in keys:
                count, _at_s = self._failed.pop(key, (0, now_s))
                self._failed[key] = (count + 1 if now_s - _at_s < FORGOTTEN_S else 1, now_s)
            _trim(self._failed, self.keys_max)

    def succeeded(self, name: str, address: str) -> None:
        """The attempt was none that failed."""
        with self._lock:
            for key, _ in self._keys(name, address):
                count, at_s = self._failed.pop(key, (1, 0.0))
                if key == ("address", address) and count > 1:  # an account of one's own buys no guesses at others
                    self._failed[key] = (count - 1, at_s)
            self._friends[name, address] = None
            self._friends.move_to_end((name, address))
            _trim(self._friends, self.keys_max)

    def _keys(self, name: str, address: str) -> list[tuple[Hashable, int]]:
        known = (name, address) in self._friends
        by_name = ("both", name, address) if known else ("name", name)
        return [(by_name, NAME_FREE), (("address", address), ADDRESS_FREE)]

    def _until_s(self, key: Hashable, free: int) -> float:
        count, at_s = self._failed.get(key, (0, -math.inf))
        if count < free:
            return -math.inf
        return at_s + min(WAIT_S_MAX, 2.0 ** min(count - free, 20))


def _trim(kept: OrderedDict[Hashable, Any], keys_max: int) -> None:
    while len(kept) > keys_max:
        kept.popitem(last=False)


def address_of(client: str, headers: Mapping[str, str], proxies: Sequence[str]) -> str:
    """Whose request it is: the connection's other end, or who a proxy of ours says it is.

    Of X-Forwarded-For only the last hop that is none of our proxies is believed: the sender may write what is before.
    An IPv6 address counts with its whole /64.
    """
    hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",") if hop.strip()]
    while client in proxies and hops:
        hop = hops.pop()
        if not _is_address(hop):
            break
        client = hop
    return _whole_network(client)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _whole_network(text: str) -> str:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return text
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found.packed, IPV6_PREFIX_BITS), strict=False))
