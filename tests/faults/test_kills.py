"""A worker killed with -9 at random moments: nothing lost, nothing half-written, and the same final numbers.

GENRESCOPE_TEST_KILLS says how often (3; ten for a thorough look).
"""

import contextlib
import dataclasses
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from core.database import Database
from core.jobs import kinds, worker
from core.jobs.queue import Job, Queue
from core.learning.model import read_card
from core.learning.training import Request
from core.library.runs import Epoch, Runs
from core.library.store import Library
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings
from tests.sounds import write_library, write_sound

KILLS = int(os.environ.get("GENRESCOPE_TEST_KILLS", "3"))
PATIENCE_S = 120
TIMES = ("seconds", "seconds_left", "crops_per_second")
PROJECT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def running_worker(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "GENRESCOPE_LEASE_S": "1", "GENRESCOPE_PROCESSES": "2"}
    command = [sys.executable, "-m", "core", "worker", "--until-empty", "--home", str(home)]
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait(condition: object, queue: Queue, job_id: int) -> Job:
    """The job, once `condition(job)` holds or it has ended."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        job = queue.get(job_id)
        if condition(job) or not job.unfinished:  # type: ignore[operator]
            return job
        time.sleep(0.01)
    raise TimeoutError(queue.get(job_id))


def kill_repeatedly(settings: Settings, queue: Queue, job: Job, *, seed: int) -> int:
    """Kill the worker of `job` KILLS times while it works on it, then let one finish; returns how often it was hit."""
    chance = random.Random(seed)
    hits = 0
    for number in range(KILLS):
        with running_worker(settings.home) as process:
            claimed = wait(lambda job: job_is_of(settings, job, process.pid), queue, job.id)
            if number % 2:  # a moment after it has got somewhere; else a moment after it began, whatever it does
                wait(
                    lambda job, before=claimed: (job.done, job.message) != (before.done, before.message), queue, job.id
                )
            time.sleep(chance.uniform(0, 0.4 if number % 2 else 3.0))
            process.kill()
            process.wait()
        if not queue.get(job.id).unfinished:
            break
        hits += 1
    with running_worker(settings.home) as process:
        ended = wait(lambda job: False, queue, job.id)
        assert ended.state == "done", ended.message
        assert process.wait(PATIENCE_S) == 0
    return hits


def job_is_of(settings: Settings, job: Job, process_id: int) -> bool:
    with contextlib.closing(sqlite3.connect(settings.database)) as db:
        worker_name = db.execute("SELECT worker FROM jobs WHERE id = ?", (job.id,)).fetchone()[0] or ""
    return job.state == "running" and f":{process_id}:" in worker_name


def assert_sound(settings: Settings) -> None:
    """The database is consistent, and every file in the workspace whole."""
    with contextlib.closing(sqlite3.connect(settings.database)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    for path in settings.spectrograms.rglob("*.npy"):
        if not path.name.startswith(".partial-"):
            assert np.load(path, allow_pickle=False).dtype == np.uint8


def files_under(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*.npy"))
        if not path.name.startswith(".partial-")
    }


def open_home(home: Path) -> tuple[Settings, Database, Queue]:
    settings = Settings(home=home, processes=2, lease_s=1.0)
    database = Database(settings.database)
    return settings, database, worker.open_queue(settings, database)


def test_preprocessing(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    rng = np.random.default_rng(0)
    for number in range(40):
        write_sound(tmp_path / "songs" / "noise" / f"{number}.flac", 0.1 * rng.standard_normal(48_000 * 40))
    undisturbed, database, queue = open_home(tmp_path / "undisturbed")
    worker.run_here(undisturbed, database, kinds.submit_import(queue, tmp_path / "songs", "folder"))
    shutil.copytree(tmp_path / "undisturbed", tmp_path / "killed")
    worker.run_here(undisturbed, database, kinds.submit_preprocess(queue))

    killed, database, queue = open_home(tmp_path / "killed")
    job = kinds.submit_preprocess(queue)
    hits = kill_repeatedly(killed, queue, job, seed=KILLS)
    record_property("kills", hits)
    assert hits >= min(KILLS, 2)
    result = queue.get(job.id).result
    assert result
    assert (result["done"], result["skipped"], result["failed"]) == (40, 0, [])
    assert_sound(killed)
    assert files_under(killed.spectrograms) == files_under(undisturbed.spectrograms)
    assert {track.state for track in Library(database).tracks(SpectrogramRecipe().fingerprint)} == {"ready"}


def test_training(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    songs = write_library(tmp_path / "songs")
    undisturbed, database, queue = open_home(tmp_path / "undisturbed")
    worker.run_here(undisturbed, database, kinds.submit_import(queue, songs, "folder"))
    worker.run_here(undisturbed, database, kinds.submit_preprocess(queue))
    shutil.copytree(tmp_path / "undisturbed", tmp_path / "killed")
    recipe, request = TrainingRecipe(epochs=12 + 2 * KILLS, patience=1000), Request().as_json()

    def outcome(settings: Settings, database: Database) -> tuple[list[Epoch], dict[str, object], str]:
        run = Runs(database).get("run")
        assert run.result
        epochs = [dataclasses.replace(epoch, **dict.fromkeys(TIMES, 0.0)) for epoch in Runs(database).epochs(run)]
        return epochs, run.result["test"], read_card(settings.models / "run").weights_sha256

    worker.run_here(undisturbed, database, kinds.submit_train(queue, "run", recipe, request))
    expected = outcome(undisturbed, database)

    killed, database, queue = open_home(tmp_path / "killed")
    job = kinds.submit_train(queue, "run", recipe, request)
    hits = kill_repeatedly(killed, queue, job, seed=KILLS)
    record_property("kills", hits)
    assert hits >= min(KILLS, 2)
    assert_sound(killed)
    assert outcome(killed, database) == expected
    assert not killed.runs.exists() or list(killed.runs.iterdir()) == []
