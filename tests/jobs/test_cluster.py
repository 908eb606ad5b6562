"""Fan-outs on a real Dask cluster: a scheduler and two workers, each a process of its own, on loopback."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.audio.store import SpectrogramStore
from core.database import Database
from core.errors import ClusterError, GenrescopeError, JobStopped
from core.jobs import cluster as clusters
from core.jobs.compute import fan_out
from core.library.importing import import_folder
from core.library.preprocessing import preprocess
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.jobs.test_compute import crash_as_told, go_on, square_if_even, threads_of_arithmetic, until

PROJECT = Path(__file__).resolve().parents[2]
RECIPE = SpectrogramRecipe()


@dataclass
class Cluster:
    """Processes of a cluster; ended one by one, by their id."""

    folder: Path
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
        surroundings = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
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

    def join(self, address: str) -> subprocess.Popen[bytes]:
        return self.start("dask_worker", address, "--nthreads", "1", "--local-directory", str(self.folder))

    def end(self) -> None:
        for process in reversed(self.running):
            process.send_signal(signal.SIGINT)
        for process in self.running:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.end()


@pytest.fixture(scope="module")
def scheduler(cluster: Cluster) -> str:
    """The address of a scheduler with two workers of one thread."""
    from distributed import Client

    address = cluster.begin()
    for _ in range(2):
        cluster.join(address)
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    return address


def test_every_item_is_answered_once_with_its_result_or_its_error(scheduler: str) -> None:
    answers = dict(fan_out(square_if_even, range(20), processes=1, check=go_on, scheduler=scheduler))
    assert {n: answer for n, answer in answers.items() if n % 2 == 0} == {n: n * n for n in range(0, 20, 2)}
    odd = {n: answer for n, answer in answers.items() if n % 2}
    assert all(isinstance(error, GenrescopeError) and str(error) == f"{n} is odd" for n, error in odd.items())


def test_workers_are_modest(scheduler: str) -> None:
    ((_, threads),) = fan_out(threads_of_arithmetic, [0], processes=1, check=go_on, scheduler=scheduler)
    assert set(threads) == {1}  # type: ignore[arg-type]


def test_a_dead_worker_loses_only_what_it_was_doing(scheduler: str, tmp_path: Path) -> None:
    items = [("once", str(tmp_path / "once")), *(("fine", str(tmp_path / str(n))) for n in range(6))]
    answers = dict(fan_out(crash_as_told, items, processes=1, check=go_on, scheduler=scheduler))
    assert answers == {item: item[0] for item in items}
    assert (tmp_path / "once").stat().st_size == 2


def test_an_item_that_kills_its_workers_is_answered_with_an_error(scheduler: str, tmp_path: Path) -> None:
    items = [("always", str(tmp_path / "always")), ("fine", str(tmp_path / "fine"))]
    answers = dict(fan_out(crash_as_told, items, processes=1, check=go_on, scheduler=scheduler))
    assert answers[items[1]] == "fine"
    assert isinstance(answers[items[0]], GenrescopeError) and "crashed" in str(answers[items[0]])


def test_the_same_spectrograms_come_out_and_it_goes_on_after_a_stop(
    scheduler: str, songs_folder: Path, tmp_path: Path
) -> None:
    def made(home: Path, **settings: Any) -> tuple[dict[str, bytes], list[Any]]:
        told = Settings(home=home, processes=1, **settings)
        library = Library(Database(told.database))
        import_folder(library, told, songs_folder, genre_from="folder")
        asked = 0

        def stop() -> None:
            nonlocal asked
            asked += 1
            if asked == 3:
                raise JobStopped("Stopped.")

        if "dask_scheduler" in settings:
            with pytest.raises(JobStopped):
                preprocess(library, told, RECIPE, check=stop)
        preprocess(library, told, RECIPE)
        store = SpectrogramStore(told.spectrograms, RECIPE.fingerprint)
        songs = library.songs(RECIPE.fingerprint)
        return {song.sha256: store.path(song.sha256).read_bytes() for song in songs}, [song.n_frames for song in songs]

    near, far = made(tmp_path / "near"), made(tmp_path / "far", dask_scheduler=scheduler)
    assert len(near[0]) == 24 and near == far


def test_nothing_to_do_asks_nobody(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, dask_scheduler="tcp://127.0.0.1:1")
    preprocess(Library(Database(settings.database)), settings, RECIPE)


def test_a_scheduler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "CONNECT_S", 0.5)
    with pytest.raises(ClusterError, match="does not answer") as told:
        list(fan_out(square_if_even, [2], processes=1, check=go_on, scheduler="tcp://127.0.0.1:1"))
    assert "GENRESCOPE_DASK_SCHEDULER" in str(told.value)


def test_a_cluster_without_a_worker_is_told(tmp_path: Path) -> None:
    alone = Cluster(tmp_path)
    try:
        with pytest.raises(ClusterError, match="has no worker"):
            list(fan_out(square_if_even, [2], processes=1, check=go_on, scheduler=alone.begin()))
    finally:
        alone.end()


def test_other_versions_are_told(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "version", lambda name: "0.0.1")
    with pytest.raises(ClusterError, match=r"has Genrescope .*, this machine 0\.0\.1"):
        list(fan_out(square_if_even, [2], processes=1, check=go_on, scheduler=scheduler))


def test_a_scheduler_that_goes_away_is_told(tmp_path: Path) -> None:
    short = Cluster(tmp_path)
    try:
        address = short.begin()
        short.join(address)

        def go_away() -> None:
            short.running[0].kill()

        from distributed import Client

        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
        checks: list[Callable[[], None]] = [go_away]
        with pytest.raises(ClusterError, match="went away"):
            list(
                fan_out(
                    slow, range(4), processes=1, check=lambda: checks.pop()() if checks else None, scheduler=address
                )
            )
    finally:
        short.end()


def slow(n: int) -> int:
    time.sleep(60)
    return n
