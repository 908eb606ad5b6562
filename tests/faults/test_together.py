"""Many at one workspace: sessions that edit at the same moment, workers that want the same jobs. No update is lost, no job done twice."""

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.database import Database
from core.jobs import kinds
from core.jobs.worker import open_queue
from core.library.edits import KEPT, latest_edit, undo
from core.library.genres import Genres
from core.library.playlists import Playlists
from core.library.store import Library
from core.music import ListedTrack, Playlist
from core.settings import Settings
from tests.faults.test_kills import assert_sound
from tests.soak import often
from tests.sounds import pcm_wav

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
SESSIONS = 10
EACH = often(8, 60)

SESSION = """
import sys
from pathlib import Path
from core.database import Database
from core.library.genres import Genres
from core.library.store import Library
database, number, each = Database(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
library, genres = Library(database), Genres(database)
sys.stdin.readline()  # all begin together
for n in range(each):
    library.label_by_hand([1 + number * each + n], {f"genre {number}": 1.0}, who=f"session {number}")
    library.label_by_hand([1 + 10 * each], {f"genre {number}": 1.0, f"also {n}": 0.5}, who=f"session {number}")  # all want this one
    genres.add(f"new {number} {n}")
"""


def test_ten_sessions_that_edit_at_once_lose_nothing(settings: Settings) -> None:
    """Each in a process of its own; each labels songs of its own, and all of them the same one."""
    database = Database(settings.database)
    n = SESSIONS * EACH + 1
    tracks = tuple(ListedTrack(f"Song {k}", (f"Artist {k}",)) for k in range(1, n + 1))
    Playlists(database).take_in(Playlist("csv", "a", "a", tracks), {"techno": 1.0})
    library = Library(database)
    assert [track.id for track in library.tracks("")] == list(range(1, n + 1))
    with database.read() as db:
        before = db.execute("SELECT count(*) FROM edits").fetchone()[0]
    sessions = [
        subprocess.Popen(
            [sys.executable, "-c", SESSION, str(settings.database), str(number), str(EACH)],
            cwd=PROJECT, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for number in range(SESSIONS)
    ]  # fmt: skip
    for one in sessions:
        assert one.stdin is not None
        one.stdin.write(b"\n")
        one.stdin.flush()
    for one in sessions:
        _, err = one.communicate(timeout=240)
        assert one.returncode == 0, err.decode()[-2000:]

    labels = {track.id: dict(track.label.weights) if track.label else {} for track in library.tracks("")}
    for number in range(SESSIONS):
        for k in range(EACH):
            assert labels[1 + number * EACH + k] == {f"genre {number}": 1.0}
    contested = labels[n]
    assert len(contested) == 2 and abs(sum(contested.values()) - 1) < 1e-6, "the last word of one of them, whole"
    known = {genre.name for genre in Genres(database).all()}
    assert {f"new {number} {k}" for number in range(SESSIONS) for k in range(EACH)} <= known
    with database.read() as db:
        made = db.execute("SELECT count(*) FROM edits").fetchone()[0] - before
    assert made == 3 * SESSIONS * EACH, "every edit is there, and can be undone"
    assert_sound(database)
    for _ in range(min(made, KEPT)):  # as far back as edits are kept
        edit = latest_edit(database)
        assert edit is not None
        undo(database, edit.id)
    assert_sound(database)
    assert len(library.tracks("")) == n


def test_two_workers_and_two_tabs_do_each_job_once(settings: Settings, tmp_path: Path) -> None:
    database = Database(settings.database)
    folders = []
    for folder in range(often(4, 12)):
        for number in range(3):
            path = tmp_path / f"songs {folder}" / "g" / f"{folder} {number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pcm_wav(1, 8_000, 8_000 + 3 * folder + number))
        folders.append(tmp_path / f"songs {folder}")
    queue = open_queue(settings, database)

    def tab(_: int) -> list[int]:
        return [
            kinds.submit_import(open_queue(settings, Database(settings.database)), one, "folder").id for one in folders
        ]

    with ThreadPoolExecutor(2) as tabs:
        first, second = tabs.map(tab, range(2))
    assert first == second and len(set(first)) == len(folders), "asked for twice, each is one job"
    environment = {**os.environ, "GENRESCOPE_PROCESSES": "1"}
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "core", "worker", "--until-empty", "--home", str(settings.home)],
            cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for _ in range(2)
    ]  # fmt: skip
    commands = [
        subprocess.Popen(
            [sys.executable, "-m", "core", "import", str(one), "--genre-from", "folder", "--home", str(settings.home)],
            cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for one in folders[:2]
    ]  # fmt: skip
    for process in (*workers, *commands):
        out, _ = process.communicate(timeout=240)
        assert process.returncode == 0, out.decode()[-2000:]
    jobs = [job for job in queue.history("import", limit=200) if job.id in first]
    assert Counter((job.state, job.attempt) for job in jobs) == {("done", 1): len(folders)}
    assert sum(job.result["imported"] for job in jobs if job.result) == 3 * len(folders)
    assert len(Library(database).tracks("")) == 3 * len(folders)
    assert_sound(database)
