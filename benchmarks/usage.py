"""What processes use: CPU time, memory, and time spent waiting for a core."""

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    members, at = [pid], 0
    while at < len(members):
        members += children.get(members[at], [])
        at += 1
    return members


def cpu_seconds(pids: Sequence[int]) -> float | None:
    """CPU time of processes so far, in seconds; None where the system does not tell.

    Linux: the processes' CPU clocks, exact to the nanosecond (clock_getcpuclockid(3) gives the id used here).
    """
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids) if sys.platform == "linux" else None


def resident_mb(pids: Sequence[int]) -> float | None:
    """Resident memory of processes, in MB (2^20 bytes); None where the system does not tell."""
    if sys.platform != "linux":
        return None
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def waited_seconds(pids: Sequence[int]) -> float:
    """Seconds that processes could have run but others had their core; 0 where the system does not tell.

    One that lets others go first (nice) waits because it wants to.
    """
    if sys.platform != "linux":
        return 0.0
    waited = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            if os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0):
                continue
        for schedule in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # the thread has ended
                waited += int(schedule.read_text().split()[1])
    return waited / 1e9


def busy_cores(seconds: float) -> float:
    """How many cores work for anybody, observed for the given time; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0.0
    before = _busy_ticks()
    time.sleep(seconds)
    return (_busy_ticks() - before) / os.sysconf("SC_CLK_TCK") / seconds


def _busy_ticks() -> int:
    ticks = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _wait, irq, softirq, steal = ticks
    return user + nice + system + irq + softirq + steal
