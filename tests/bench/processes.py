"""What processes cost: CPU seconds and memory from /proc, for benchmarks on Linux."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """CPU seconds since the process started, and its memory now and at most (MiB)."""

    cpu_s: float
    rss_mib: float
    peak_mib: float


def cost_of(pid: int) -> Cost:
    """The cost of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    cpu_s = (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return Cost(cpu_s, int(status["VmRSS"].split()[0]) / 1024, int(status["VmHWM"].split()[0]) / 1024)


def children_of(pid: int) -> dict[str, int]:
    """The direct children of a process, by what they are: broker, gateway, centre, telegraf …"""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if parent == pid:
            name = "broker" if "nats-server" in words[0] else next((w for w in words if w in ("gateway", "centre")), "")
            found[name or words[0]] = int(folder.name)
    return found


def machine() -> str:
    """One line: cores, model, memory."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "unknown processor")
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return f"{os.cpu_count()} cores, {model}, {gib:.0f} GiB"
