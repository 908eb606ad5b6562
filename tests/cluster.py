"""A real Dask cluster: a scheduler and workers of one thread, each a process of its own, on loopback."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.jobs.test_compute import until

pytest.importorskip("distributed", reason="Dask is not installed (requirements-cluster.txt)")

PROJECT = Path(__file__).resolve().parents[1]


@dataclass
class Cluster:
    """Processes of a cluster; ended one by one, by their id."""

    folder: Path
    surroundings: Mapping[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            f"distributed.cli.{program}",
            "--host",
            "127.0.0.1",
            "--no-dashboard",
            *arguments,
        ]
        surroundings = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1", **self.surroundings}
        log = (self.folder / f"{program}-{len(self.running)}.log").open("wb")
        process = subprocess.Popen(command, cwd=PROJECT, env=surroundings, stdout=log, stderr=log)
        self.running.append(process)
        return process

    def begin(self) -> str:
        file = self.folder / "scheduler.json"
        self.start("dask_scheduler", "--port", "0", "--scheduler-file", str(file))
        assert until(file.exists, within_s=60)
        assert until(lambda: file.read_text().endswith("}"), within_s=5)
        return str(json.loads(file.read_text())["address"])

    def join(self, address: str, *, threads: int = 1) -> subprocess.Popen[bytes]:
        return self.start("dask_worker", address, "--nthreads", str(threads), "--local-directory", str(self.folder))

    def end(self) -> None:
        for process in reversed(self.running):
            process.send_signal(signal.SIGINT)
        for process in self.running:
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def running(folder: Path, *, workers: int = 2, surroundings: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a scheduler with workers; they are ended with the block."""
    made = Cluster(folder, surroundings or {})
    try:
        address = made.begin()
        for _ in range(workers):
            made.join(address)
        with asking(address) as client:
            client.wait_for_workers(workers, timeout=60)
        yield address
    finally:
        made.end()


@contextmanager
def asking(address: str) -> Iterator[Any]:
    """A client, to look at a cluster with."""
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        yield client


def pids(address: str) -> set[int]:
    """Of the workers' processes."""
    with asking(address) as client:
        return set(client.run(os.getpid).values())


def are_idle(address: str) -> bool:
    """Whether no worker does anything, also nothing that was called off."""
    with asking(address) as client:
        return not any(client.run(_n_executing).values())


def _n_executing(dask_worker: Any) -> int:
    return int(dask_worker.state.executing_count)
