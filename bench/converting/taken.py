"""What a command takes: wall and processor time, and the memory of all its processes."""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

# In between, for a child's peak of memory counts that of its parent until it starts.
_TIMED = """
import json, resource, subprocess, sys, time
with open(sys.argv[1], "wb") as said:
    started = time.perf_counter()
    code = subprocess.call(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=said)
    wall = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, code]))
"""
_PAUSE_S = 0.003


@dataclass(frozen=True)
class Taken:
    """What a run took.

    Attributes
    ----------
    wall_s, cpu_s : seconds, the latter of all its processes
    peak_mb : MiB, at the peak of its largest process, or of all its processes together
    code : the exit code
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    code: int

    def least(self, other: "Taken") -> "Taken":
        """Return the least of two rounds, for the machine's noise only ever adds; but most of the memory."""
        return Taken(
            min(self.wall_s, other.wall_s),
            min(self.cpu_s, other.cpu_s),
            max(self.peak_mb, other.peak_mb),
            max(self.code, other.code),
        )


def taken(arguments: list, said: Path) -> Taken:
    """Return what a command takes; what it says on stderr goes to the file `said`."""
    timer = [sys.executable, "-I", "-S", "-c", _TIMED, said, *arguments]
    done = subprocess.run(list(map(str, timer)), stdout=subprocess.PIPE, check=True)
    return Taken(*json.loads(done.stdout))


def together_mb(arguments: list) -> float:
    """Return the peak memory of a command's processes together, MiB; pages they share count once.

    A run of its own, for looking every few milliseconds takes time, and yet misses what is shorter.
    """
    most = 0
    running = psutil.Popen(list(map(str, arguments)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while running.poll() is None:
        now = 0
        try:
            for process in [running, *running.children(recursive=True)]:
                now += process.memory_full_info().pss
        except psutil.Error:
            continue  # one ended while we looked
        most = max(most, now)
        time.sleep(_PAUSE_S)
    return most / 2**20
