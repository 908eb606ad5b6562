"""A worker killed with -9 at random moments: nothing is lost, nothing is half-written, the numbers are the same.

`GENRESCOPE_TEST_KILLS` says how often (3 unless told); every moment comes from a seed.
"""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.audio.waveform import probe
from core.database import Database
from core.jobs import kinds
from core.jobs.queue import Job, Queue
from core.jobs.worker import open_queue, run_here
from core.learning import model
from core.library.playlists import Playlists
from core.library.runs import Epoch, Runs
from core.library.store import Library
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings
from tests.lists import contents
from tests.loopback import Answer, Asked, serving
from tests.soak import often
from tests.sounds import pcm_wav, tone, write_sound
from tests.sources.deezer_server import Deezer, song

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("GENRESCOPE_TEST_KILLS", often(3, 20)))
SONGS, EPOCHS = often(50, 120), often(24, 60)
LAST = 0.8
"""Kills come before this share of the work is done: the job must still be running."""


def until(condition: Callable[[], object], *, within_s: float = 120.0) -> bool:
    """Poll `condition` often until it holds; False if it does not in time."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def start_worker(settings: Settings) -> subprocess.Popen[bytes]:
    """A real worker, with one process and one thread, and a lease that soon runs out."""
    settings.logs.mkdir(parents=True, exist_ok=True)
    surroundings = {"GENRESCOPE_LEASE_S": "1", "GENRESCOPE_PROCESSES": "1", "OMP_NUM_THREADS": "1"}
    with (settings.logs / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "core", "worker", "--until-empty", "--home", settings.home],
            cwd=PROJECT,
            env={**os.environ, **surroundings},
            stdout=log,
            stderr=log,
        )


def work_undisturbed(settings: Settings) -> None:
    worker = start_worker(settings)
    try:
        assert worker.wait(timeout=240) == 0, (settings.logs / "worker.log").read_text()[-3000:]
    finally:
        worker.kill()
        worker.wait()


def state_and_worker(settings: Settings, job: Job) -> tuple[str, str]:
    with closing(sqlite3.connect(settings.database)) as db:
        state, worker = db.execute("SELECT state, worker FROM jobs WHERE id = ?", (job.id,)).fetchone()
    return state, worker or ""


def kill_again_and_again(
    settings: Settings, job: Job, progress: Callable[[], int], total: int, rng: np.random.Generator
) -> None:
    """Start workers and kill each in the midst of `job`: some soon after they took it, some when they got further."""
    for kill in range(KILLS):
        worker = start_worker(settings)

        def is_ours(pid: int = worker.pid) -> bool:
            return f":{pid}:" in state_and_worker(settings, job)[1]

        try:
            assert until(lambda: is_ours() or worker.poll() is not None)  # noqa: B023
            begun_at = progress()
            room = max(1, (int(LAST * total) - begun_at) // (KILLS - kill))
            goal = begun_at + int(rng.integers(1, room + 1)) if kill % 3 else begun_at
            assert until(lambda: progress() >= goal or worker.poll() is not None)  # noqa: B023
            time.sleep(rng.uniform(0, 0.1 if goal > begun_at else 1.0))
        finally:
            alive = worker.poll() is None
            worker.kill()
            worker.wait()
        assert alive, (settings.logs / "worker.log").read_text()[-3000:]
        assert state_and_worker(settings, job)[0] == "running" and is_ours(), "the kill came in the midst of the job"


def assert_sound(database: Database) -> None:
    with database.read() as db:
        assert db.execute("PRAGMA integrity_check").fetchall()[0][0] == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def files_below(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, by its path; what a killed process left of a file it was writing is not one."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".partial-")
    }


def rows(database: Database, columns: str, table: str) -> list[tuple[Any, ...]]:
    with database.read() as db:
        return [tuple(row) for row in db.execute(f"SELECT {columns} FROM {table} ORDER BY 1")]


def imported(settings: Settings, songs: Path) -> tuple[Database, Queue]:
    database = Database(settings.database)
    queue = open_queue(settings, database)
    run_here(settings, database, kinds.submit_import(queue, songs, "folder"))
    return database, queue


# -- importing ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def many_songs(tmp_path: Path) -> Path:
    """Songs of half a megabyte, some of which are none, and some of which are there twice."""
    folder = tmp_path / "songs" / "drone"
    folder.mkdir(parents=True)
    for number in range(max(300, 30 * KILLS)):
        data = pcm_wav(1, 16_000, 16 * 16_000 + (number if number % 10 else 10))
        (folder / f"A{number} - B.wav").write_bytes(data if number % 25 else b"no sound" + str(number).encode())
    return tmp_path / "songs"


def test_importing_survives(many_songs: Path, tmp_path: Path) -> None:
    """With copies into the workspace, and what is told of every file at the end."""
    n = len(list(many_songs.rglob("*.wav")))
    calm, killed = Settings(home=tmp_path / "calm"), Settings(home=tmp_path / "killed")
    results = {}
    for settings in (calm, killed):
        database = Database(settings.database)
        queue = open_queue(settings, database)
        job = kinds.submit_import(queue, many_songs, "folder", copy=True)
        if settings is killed:

            def copied() -> int:
                return sum(1 for path in killed.audio.rglob("*.wav") if not path.name.startswith("."))

            kill_again_and_again(settings, job, copied, int(0.8 * n), np.random.default_rng(4))
            for path in killed.audio.rglob("*.wav"):
                whole_or_partial = (
                    path.name.startswith(".partial-") or probe(path, read_packets=True).packets_sha256 == path.stem
                )
                assert whole_or_partial, path
        work_undisturbed(settings)
        assert_sound(database)
        told = queue.get(job.id)
        assert told.state == "done" and told.result, told.message
        results[settings.home.name] = told.result
    assert results["killed"] == results["calm"]
    assert results["calm"]["imported"] > 0.8 * n and len(results["calm"]["failed"]) == -(-n // 25)
    assert files_below(killed.audio) == files_below(calm.audio)
    one, other = Database(calm.database), Database(killed.database)
    for columns, table in (
        ("id, title, artist, album, duration_s, identity", "tracks"),
        ("id, track_id, sha256, size_bytes, container, codec, duration_s, state", "audio_files"),
        ("id, source, reference, title", "playlists"),
        ("track_id, playlist_id", "playlist_tracks"),
    ):
        assert rows(one, columns, table) == rows(other, columns, table)
    assert {str(track.votes) for track in Library(one).tracks("")} == {
        str(track.votes) for track in Library(other).tracks("")
    }


# -- preprocessing -----------------------------------------------------------------------------------------------------


@pytest.fixture
def long_songs(tmp_path: Path) -> Path:
    """Songs that take some seconds in all to be made into spectrograms."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(40 * 16_000)
    for number in range(SONGS):
        y = noise + tone(200 + 20 * number, 40.0, sample_rate=16_000, amplitude=0.3)
        write_sound(tmp_path / "songs" / "drone" / f"A{number} - B.wav", y, sample_rate=16_000)
    return tmp_path / "songs"


def test_preprocessing_survives(long_songs: Path, tmp_path: Path) -> None:
    calm, killed = Settings(home=tmp_path / "calm"), Settings(home=tmp_path / "killed")
    imported(calm, long_songs)
    shutil.copytree(calm.home, killed.home)
    results = {}
    for settings in (calm, killed):
        database = Database(settings.database)
        queue = open_queue(settings, database)
        job = kinds.submit_preprocess(queue)
        if settings is killed:

            def made() -> int:
                return sum(1 for path in killed.spectrograms.rglob("*.npy") if not path.name.startswith("."))

            kill_again_and_again(settings, job, made, SONGS, np.random.default_rng(1))
        work_undisturbed(settings)
        assert_sound(database)
        told = queue.get(job.id)
        assert told.state == "done" and told.result, told.message
        results[settings.home.name] = {name: value for name, value in told.result.items() if name != "seconds"}
    assert results["killed"] == results["calm"]
    assert (results["calm"]["done"], results["calm"]["failed"]) == (SONGS, [])
    assert files_below(killed.spectrograms) == files_below(calm.spectrograms)
    assert len(files_below(calm.spectrograms)) == SONGS
    one, other = Database(calm.database), Database(killed.database)
    for columns, table in (
        ("audio_id, fingerprint, state, reason, n_frames, band_mean, band_std", "spectrograms"),
        ("sha256, state, reason, duration_s", "audio_files"),
        ("id, title, artist, duration_s", "tracks"),
    ):
        assert rows(one, columns, table) == rows(other, columns, table)
    fingerprint = SpectrogramRecipe().fingerprint
    assert {track.state for track in Library(other).tracks(fingerprint)} == {"ready"}


# -- reading playlists -------------------------------------------------------------------------------------------------


def test_reading_playlists_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n = max(12, 3 * KILLS)
    calm, killed = Settings(home=tmp_path / "calm"), Settings(home=tmp_path / "killed")
    lists = {number: (f"List {number}", [song(3 * number + i) for i in range(150)]) for number in range(1, n + 1)}
    deezer = Deezer(playlists=lists)

    def slowly(asked: Asked) -> Answer:
        time.sleep(0.02)
        return deezer(asked)

    def library(database: Database) -> dict[str, list[tuple[Any, ...]]]:
        """Everything but when it was done."""
        told = contents(database)
        for table, columns in (
            ("playlists", "id, source, reference, title, owner, url, skipped"),
            ("tracks", "id, title, artist, album, duration_s, isrc, identity, set_aside, created_by_job"),
        ):
            told[table] = rows(database, columns, table)
        return told

    with serving(slowly) as server:
        monkeypatch.setenv("GENRESCOPE_DEEZER_API_URL", server.url)
        for settings in (calm, killed):
            database = Database(settings.database)
            queue = open_queue(settings, database)
            refs = [f"deezer:playlist:{number}" for number in lists]
            job = kinds.submit_read(queue, refs, take_in=True, genres={"techno": 1.0, "house": 0.5})
            if settings is killed:

                def taken_in(database: Database = database) -> int:
                    return len(Playlists(database).all())

                kill_again_and_again(settings, job, taken_in, n, np.random.default_rng(3))
                assert {row.tracks for row in Playlists(database).all()} <= {150}, "what is there is whole"
            work_undisturbed(settings)
            assert_sound(database)
            told = queue.get(job.id)
            assert told.state == "done" and told.result and told.result["failed"] == [], told.message
            assert [row["tracks"] for row in told.result["playlists"]] == [150] * n
    one, other = Database(calm.database), Database(killed.database)
    assert library(other) == library(one)
    assert len(Playlists(one).all()) == n and len(Library(one).tracks("")) == 3 * n + 147
    assert rows(other, "id, description", "edits") == [], "to go on is no edit"


# -- training ----------------------------------------------------------------------------------------------------------


def test_training_survives(songs_folder: Path, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "workspace", processes=1)
    database, queue = imported(settings, songs_folder)
    run_here(settings, database, kinds.submit_preprocess(queue))
    recipe = TrainingRecipe(
        network="small_resnet", epochs=EPOCHS, crop_frames=32, crops_per_song=2, batch_size=16, patience=EPOCHS, seed=3
    )
    runs = Runs(database)

    def epochs(name: str) -> list[Epoch]:
        """Without what a clock says."""
        run = runs.find(name)
        told = runs.epochs(run) if run else []
        return [replace(epoch, crops_per_second=0.0, seconds=0.0, seconds_left=0.0) for epoch in told]

    calm = kinds.submit_train(queue, "calm", recipe, {})
    work_undisturbed(settings)
    killed = kinds.submit_train(queue, "killed", recipe, {})
    kill_again_and_again(settings, killed, lambda: len(epochs("killed")), EPOCHS, np.random.default_rng(2))
    assert runs.get("killed").state == "running"
    work_undisturbed(settings)

    assert_sound(database)
    results = [queue.get(job.id).result or {} for job in (calm, killed)]
    assert [queue.get(job.id).state for job in (calm, killed)] == ["done", "done"]
    assert [runs.get(name).state for name in ("calm", "killed")] == ["finished", "finished"]
    assert len(epochs("calm")) == EPOCHS and epochs("killed") == epochs("calm")
    for name in ("epochs", "steps", "best_epoch", "test"):
        assert results[0][name] == results[1][name], name
    cards = [model.read_card(settings.models / name) for name in ("calm", "killed")]
    assert cards[0].weights_sha256 == cards[1].weights_sha256 and cards[0].metrics == cards[1].metrics
    assert model.load(settings.models / "killed").genres == ("drone", "hiss")
    assert list(settings.runs.iterdir()) == [], "no checkpoint is left"
