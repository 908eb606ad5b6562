"""Work in a process of its own: what it answers, and what it took in time, processor time and memory.

Every process is started by a small one in between. The kernel counts the memory of whoever starts a process into the peak
of what is started, and whoever measures may have grown large.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PROJECT = Path(__file__).resolve().parent.parent
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
"""What `ru_maxrss` counts in."""


class Ended(NamedTuple):
    """A process that has ended well: what it wrote, or answered; its duration, processor time and peak memory."""

    answer: Any
    out: str
    errors: str
    wall_s: float
    cpu_s: float
    peak_mb: float


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, is_quiet: bool = True) -> Ended:
    """Run a command in the project's folder. `RuntimeError`, with the end of what it said, if it fails.

    Unless `is_quiet`, what it writes to standard error goes on to ours.
    """
    with tempfile.TemporaryDirectory() as scratch:
        told = Path(scratch) / "told.json"
        ended = subprocess.run(
            [sys.executable, "-m", "benchmarks.children", "wait", str(told), *command],
            cwd=PROJECT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if is_quiet else None,
            text=True,
        )
        if ended.returncode:
            last = (ended.stderr or "").strip().splitlines()[-1:] or [f"it ended with {ended.returncode}"]
            raise RuntimeError(last[0])
        usage = json.loads(told.read_text(encoding="utf-8"))
    return Ended(None, ended.stdout, ended.stderr or "", **usage)


def call(function: str, *arguments: Any, env: Mapping[str, str] | None = None, is_quiet: bool = True) -> Ended:
    """Call `module:function` with arguments that JSON can hold; so must be its answer."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "answer.json"
        command = [sys.executable, "-m", "benchmarks.children", "call", str(target), function, json.dumps(arguments)]
        ended = run(command, env=env, is_quiet=is_quiet)
        return ended._replace(answer=json.loads(target.read_text(encoding="utf-8")))


def _wait(told: Path, command: Sequence[str]) -> int:
    """The small process in between: start the command, wait for it, write down what it took."""
    begun = time.perf_counter()
    process_id = os.posix_spawn(command[0], list(command), os.environ)
    _, status, usage = os.wait4(process_id, 0)
    taken = {
        "wall_s": time.perf_counter() - begun,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss * MAXRSS_BYTES / 1e6,
    }
    told.write_text(json.dumps(taken), encoding="utf-8")
    return abs(os.waitstatus_to_exitcode(status))


def _call(target: Path, function: str, arguments: str) -> int:
    module, _, name = function.partition(":")
    answer = getattr(importlib.import_module(module), name)(*json.loads(arguments))
    target.write_text(json.dumps(answer), encoding="utf-8")
    return 0


if __name__ == "__main__":
    what, file, *rest = sys.argv[1:]
    sys.exit(_wait(Path(file), rest) if what == "wait" else _call(Path(file), rest[0], rest[1]))
