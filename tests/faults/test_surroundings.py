"""Surroundings that fail: a full disk, a workspace that cannot be written, a library that another program holds, a clock that
jumps. A plain message each time; and when it is over, the same command goes on.
"""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from core.jobs import kinds
from core.jobs.queue import Queue
from core.jobs.worker import open_queue, run_here
from core.library.store import Library
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings
from tests.faults.test_kills import assert_sound
from tests.soak import often
from tests.sounds import pcm_wav

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
SONGS = 12


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """A dozen songs of 1.9 MB each."""
    folder = tmp_path / "songs" / "drone"
    folder.mkdir(parents=True)
    for number in range(SONGS):
        (folder / f"{number}.wav").write_bytes(pcm_wav(1, 16_000, 60 * 16_000 + number))
    return folder.parent


@contextlib.contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """A file system at `place`; the test is skipped where this user may not mount any."""
    place.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(["mount", *options, str(place)], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"this user may not mount a file system: {made.stderr.strip()[:100]}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def core(home: Path, *command: str, through: Sequence[str] = ()) -> tuple[int, dict[str, Any], str]:
    """A command in a process of its own, started `through` another: (exit code, what it said, standard error)."""
    if not shutil.which("mount"):
        pytest.skip("this system has no mount")
    ran = subprocess.run(
        [*through, sys.executable, "-m", "core", *command, "--home", str(home), "--json"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "GENRESCOPE_PROCESSES": "1", "HOME": "/tmp"},
        check=False,
    )
    return ran.returncode, json.loads(ran.stdout.splitlines()[-1]), ran.stderr


def assert_plain(told: str) -> None:
    """A sentence for people."""
    assert "Traceback" not in told and "Error:" not in told and "unexpected" not in told.lower(), told


def test_a_full_disk_is_told_and_the_import_goes_on_when_there_is_room(songs: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=10m", "tmpfs") as home:
        code, answer, err = core(home, "import", str(songs), "--genre-from", "folder", "--copy")
        told = answer.get("error") or " ".join(one["reason"] for one in answer["failed"])
        assert code == 1 and "full" in told, (answer, err[-2000:])
        assert_plain(told)
        assert len(json.dumps(answer)) < 20_000
        for path in (home / "data" / "audio").rglob("*.wav"):
            assert path.name.startswith(".partial-") is False and path.stat().st_size > 1_900_000, "whole or absent"
        subprocess.run(["mount", "-o", "remount,size=100m", str(home)], check=True)
        code, answer, err = core(home, "import", str(songs), "--genre-from", "folder", "--copy")
        assert code == 0 and answer["imported"] + answer["already_known"] == SONGS, (answer, err[-2000:])
        database = Database(Settings(home=home).database)
        assert_sound(database)
        assert len(Library(database).tracks("")) == SONGS
        assert len(list((home / "data" / "audio").rglob("*.wav"))) == SONGS


def test_a_disk_that_fills_while_spectrograms_are_made(songs: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=2m", "tmpfs") as home:
        assert core(home, "import", str(songs), "--genre-from", "folder")[0] == 0
        code, answer, err = core(home, "preprocess")
        told = answer.get("error") or " ".join(one["reason"] for one in answer["failed"])
        assert code == 1 and "full" in told, (answer, err[-2000:])
        assert_plain(told)
        subprocess.run(["mount", "-o", "remount,size=100m", str(home)], check=True)
        code, answer, err = core(home, "preprocess")
        assert code == 0 and answer["failed"] == [], (answer, err[-2000:])
        database = Database(Settings(home=home).database)
        assert_sound(database)
        states = {track.state for track in Library(database).tracks(SpectrogramRecipe().fingerprint)}
        assert states == {"ready"}


def test_no_room_for_the_library_itself_is_told(songs: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "tiny", "-t", "tmpfs", "-o", "size=64k", "tmpfs") as home:
        code, answer, err = core(home, "import", str(songs), "--genre-from", "folder")
        assert code == 1 and "full" in answer["error"], (answer, err[-2000:])
        assert_plain(answer["error"])
        assert "Traceback" not in err
        subprocess.run(["mount", "-o", "remount,size=100m", str(home)], check=True)
        assert core(home, "import", str(songs), "--genre-from", "folder")[0] == 0


@pytest.mark.parametrize("there", [True, False])
def test_a_read_only_workspace_is_told(songs: Path, tmp_path: Path, there: bool) -> None:
    """On a file system mounted read-only; then it is writable again."""
    with mounted(tmp_path / "ro", "-t", "tmpfs", "-o", "size=100m", "tmpfs") as home:
        if there:
            assert core(home, "status")[0] == 0
        subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
        code, answer, err = core(home, "import", str(songs), "--genre-from", "folder")
        assert code == 1 and "written" in answer["error"], (answer, err[-2000:])
        assert_plain(answer["error"])
        subprocess.run(["mount", "-o", "remount,rw", str(home)], check=True)
        code, answer, _ = core(home, "import", str(songs), "--genre-from", "folder")
        assert code == 0 and answer["imported"] == SONGS


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to give a folder to somebody")
def test_a_workspace_of_somebody_else_is_told(songs: Path, tmp_path: Path) -> None:
    if not shutil.which("setpriv"):
        pytest.skip("this system has no setpriv")
    as_others = [
        "setpriv",
        "--bounding-set=-dac_override,-dac_read_search,-fowner",
    ]  # root, without its right to all files
    home = tmp_path / "of somebody"
    home.mkdir()
    assert core(home, "status")[0] == 0
    for path in (home, *home.rglob("*")):
        os.chown(path, 12345, 12345)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    code, answer, err = core(home, "import", str(songs), "--genre-from", "folder", through=as_others)
    assert code == 1 and "written" in answer["error"], (answer, err[-2000:])
    assert_plain(answer["error"])
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    code, answer, _ = core(home, "import", str(songs), "--genre-from", "folder")
    assert code == 0 and answer["imported"] == SONGS


def test_spectrograms_that_were_lost_end_no_training(
    songs_folder: Path, settings: Settings, database: Database, tmp_path: Path
) -> None:
    """As after a backup of the labels was taken in on another machine, and one file of a song was lost on the way."""
    songs = shutil.copytree(songs_folder, tmp_path / "songs")
    queue = open_queue(settings, database)
    run_here(settings, database, kinds.submit_import(queue, songs, "folder"))
    run_here(settings, database, kinds.submit_preprocess(queue))
    lost = next(path for path in sorted(songs.rglob("*")) if path.suffix == ".mp3")
    lost.unlink()
    shutil.rmtree(settings.spectrograms)
    recipe = TrainingRecipe(network="small_resnet", steps=2, crop_frames=32, batch_size=4)
    trained = run_here(settings, database, kinds.submit_train(queue, "a", recipe, {})).result
    assert trained is not None and [one["path"] for one in trained["failed"]] == [str(lost)]
    assert all("is not at" in one["reason"] for one in trained["failed"])
    assert len(Library(database).songs(SpectrogramRecipe().fingerprint)) == 23
    for made in list(settings.spectrograms.rglob("*.npy"))[::2]:
        made.write_bytes(made.read_bytes()[:-1])
    heard = run_here(settings, database, kinds.submit_embed(queue, "a")).result
    assert heard is not None and (heard["songs"], heard["failed"]) == (23, [])
    shutil.rmtree(settings.spectrograms)
    tested = run_here(settings, database, kinds.submit_evaluate(queue, "a")).result
    assert tested is not None and tested["songs"] and tested["failed"] == []
    assert len(list(settings.spectrograms.rglob("*.npy"))) == 23
    assert_sound(database)


def hold(database: Path, seconds: float, begun: threading.Event) -> None:
    """As another program that writes, and takes its time."""
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        begun.set()
        time.sleep(seconds)
        db.execute("ROLLBACK")


@pytest.mark.parametrize("seconds", [float(often(3, 25))])
def test_a_library_that_is_held_a_while_is_waited_for(settings: Settings, songs: Path, seconds: float) -> None:
    database = Database(settings.database)
    begun = threading.Event()
    holder = threading.Thread(target=hold, args=(settings.database, seconds, begun))
    holder.start()
    begun.wait()
    queue = open_queue(settings, database)
    told = run_here(settings, database, kinds.submit_import(queue, songs, "folder")).result
    holder.join()
    assert told is not None and told["imported"] == SONGS
    assert_sound(database)


def test_a_library_that_is_held_for_too_long_is_told(
    settings: Settings, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after the 30 s that are waited for."""
    Database(settings.database)
    monkeypatch.setattr("core.database.BUSY_TIMEOUT_S", 0.3)
    database = Database(settings.database)
    begun = threading.Event()
    holder = threading.Thread(target=hold, args=(settings.database, 2.0, begun))
    holder.start()
    begun.wait()
    queue = open_queue(settings, database)
    try:
        with pytest.raises(Exception, match="another program") as told:
            kinds.submit_import(queue, songs, "folder")
        assert_plain(str(told.value))
    finally:
        holder.join()
    result = run_here(settings, database, kinds.submit_import(queue, songs, "folder")).result
    assert result is not None and result["imported"] == SONGS


@pytest.mark.parametrize("jump_s", [86_400.0, -86_400.0])
def test_a_clock_that_jumps_by_a_day_loses_no_job(database: Database, jump_s: float) -> None:
    at = [1_000_000.0]
    clock: Callable[[], float] = lambda: at[0]  # noqa: E731
    queue = Queue(database, lease_s=10.0, clock=clock)
    job = queue.submit("import", {"n": 1}, key="a")
    mine = queue.claim("mine")
    assert mine is not None
    at[0] += jump_s
    assert queue.renew(job, "mine") == (True, False), "the worker that lives keeps its job"
    assert queue.claim("other") is None, "and nobody else gets it"
    at[0] += 11
    again = queue.claim("other")
    assert again is not None and again.id == job.id, "one that died is replaced"
    assert queue.renew(job, "mine") == (False, False)
    queue.finish(again, "other", "done")
    assert queue.get(job.id).state == "done"


def test_a_dead_worker_s_lease_from_the_future_does_not_hold_its_job_for_a_day(database: Database) -> None:
    """The clock was put back by a day after a worker died: its lease seems to last until tomorrow."""
    at = [1_000_000.0]
    queue = Queue(database, lease_s=10.0, clock=lambda: at[0])
    job = queue.submit("import", {"n": 1}, key="a")
    assert queue.claim("mine") is not None
    at[0] -= 86_400
    assert queue.claimable()
    again = queue.claim("other")
    assert again is not None and again.id == job.id
