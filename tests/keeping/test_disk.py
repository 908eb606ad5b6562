"""What takes how much disk, and that only what nothing needs goes."""

import os
import shutil
import time
from pathlib import Path

import pytest

from core.database import Database
from core.errors import LibraryError
from core.jobs import kinds
from core.jobs.worker import open_queue
from core.keeping import disk
from core.keeping.disk import clean, measure
from core.library import edits
from core.library.evaluations import Evaluations
from core.library.importing import import_folder
from core.library.runs import Runs
from core.library.store import Library
from core.recipes import SpectrogramRecipe, TrainingRecipe
from core.settings import Settings

OLD = time.time() - 100_000


def put(path: Path, size: int = 10, *, old: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    if old:
        os.utime(path, (OLD, OLD))
    return path


def use(database: Database, settings: Settings, kind: str) -> disk.Use:
    return next(one for one in measure(database, settings) if one.kind == kind)


def test_every_kind_is_measured(database: Database, settings: Settings) -> None:
    for number, name in enumerate(("audio/ab/x.mp3", "runs/1/last.safetensors", "answers/a.sqlite", "logs/worker.log",
                                   "backups/a.zip", "bin/models/1/a/card.json"), start=1):  # fmt: skip
        put(settings.data / name, 1000 * number)
    put(settings.models / "a" / "card.json", 7)
    put(settings.data / "secrets" / "spotify.json", 999)
    told = {one.kind: (one.size_bytes, one.files) for one in measure(database, settings)}
    library = sum(path.stat().st_size for path in settings.data.glob("library.db*"))
    assert told.pop("library")[0] == library > 0
    assert told == {
        "songs": (1000, 1), "checkpoints": (2000, 1), "answers": (3000, 1), "logs": (4000, 1), "backups": (5000, 1),
        "bin": (6000, 1), "models": (7, 1), "spectrograms": (0, 0),
    }  # fmt: skip


@pytest.fixture
def imported(database: Database, settings: Settings, songs_folder: Path) -> list[Path]:
    """Copies of songs that the library knows, a day old."""
    import_folder(Library(database), settings, songs_folder / "drone", genre_from="tag", copy=True)
    copies = sorted(path for path in settings.audio.rglob("*") if path.is_file())
    assert len(copies) == 12
    for path in copies:
        os.utime(path, (OLD, OLD))
    return copies


def test_only_sound_of_no_track_goes(database: Database, settings: Settings, imported: list[Path]) -> None:
    stranger = put(settings.audio / "ab" / ("ab" + 62 * "0" + ".mp3"), 1234)
    young = put(settings.audio / "ab" / "young.mp3", old=False)
    removed = Library(database).tracks(SpectrogramRecipe().fingerprint)[0]
    with edits.editing(database, "removed one") as db:
        db.execute("DELETE FROM audio_files WHERE track_id = ?", (removed.id,))
    assert use(database, settings, "songs").free_bytes == 1234
    assert clean(database, settings, "songs") == (1234, 1)
    assert not stranger.exists()
    assert young.exists() and all(path.exists() for path in imported)
    edit = edits.latest_edit(database)
    assert edit
    edits.undo(database, edit.id)
    assert Path(removed.path).exists(), "undoing brings back a track that can be heard"


def test_only_spectrograms_that_nothing_learns_from_go(
    database: Database, settings: Settings, imported: list[Path]
) -> None:
    known, now = imported[0].stem, SpectrogramRecipe().fingerprint
    other = SpectrogramRecipe(n_mels=64)
    keep = [
        put(settings.spectrograms / now / known[:2] / f"{known}.npy"),
        put(settings.spectrograms / other.fingerprint / known[:2] / f"{known}.npy"),
        put(settings.spectrograms / now / "ab" / f"ab{62 * '1'}.npy", old=False),
    ]
    gone = [
        put(settings.spectrograms / now / "ab" / f"ab{62 * '0'}.npy", 100),
        put(settings.spectrograms / ("0" * 16) / known[:2] / f"{known}.npy", 200),
    ]
    runs = Runs(database)
    run = runs.begin("cut off", TrainingRecipe(), {})
    runs.plan(run, {"spectrogram": other.model_dump(mode="json")})
    runs.end(run, "stopped")
    assert clean(database, settings, "spectrograms") == (300, 2)
    assert [path.exists() for path in (*keep, *gone)] == [True] * 3 + [False] * 2
    runs.end(run, "finished", result={})
    assert clean(database, settings, "spectrograms") == (10, 1) and not keep[1].exists()


def test_only_checkpoints_that_nothing_goes_on_from_go(database: Database, settings: Settings) -> None:
    runs, evaluations = Runs(database), Evaluations(database)
    for name, state in (("a", "stopped"), ("b", "finished")):
        runs.end(runs.begin(name, TrainingRecipe(), {}), state)
    begun = [evaluations.begin(name, "crossvalidation", {}, ("a", "b")) for name in "ab"]
    evaluations.finish(begun[1], {})
    names = ("1/last", "2/last", "9/last", "cv-1/0/last", "cv-2/0/last", "cv-9/0/last", "odd/last")
    paths = [put(settings.runs / f"{name}.safetensors") for name in names]
    assert clean(database, settings, "checkpoints") == (50, 5)
    assert [name for name, path in zip(names, paths, strict=True) if path.exists()] == ["1/last", "cv-1/0/last"]
    assert sorted(path.name for path in settings.runs.iterdir()) == ["1", "cv-1"]


def test_pauses_that_services_ask_for_are_kept(database: Database, settings: Settings) -> None:
    names = ("a.sqlite", "a.sqlite-wal", "a.pause.json", "a.pace.sqlite", "yt-dlp/x/y.json")
    paths = {name: put(settings.answers / name) for name in names}
    clean(database, settings, "answers")
    assert [name for name, path in paths.items() if path.exists()] == ["a.pause.json", "a.pace.sqlite"]


def test_the_newest_backup_stays_and_the_bin_is_emptied(database: Database, settings: Settings) -> None:
    old = [
        put(settings.data / "backups" / f"{name}") for name in ("genrescope-20260101-everything.zip", "library-v3-1.db")
    ]
    new = [
        put(settings.data / "backups" / f"{name}", old=False)
        for name in ("genrescope-20260202-everything.zip", "library-v4-2.db")
    ]
    new.append(put(settings.data / "backups" / "genrescope-20260101-labels.zip"))
    put(settings.data / "bin" / "models" / "1" / "a" / "card.json")
    clean(database, settings, "backups")
    clean(database, settings, "bin")
    assert not any(path.exists() for path in old) and all(path.exists() for path in new)
    assert list((settings.data / "bin").iterdir()) == []


@pytest.mark.parametrize("kind", ["library", "models"])
def test_what_is_needed_never_goes(database: Database, settings: Settings, kind: str) -> None:
    put(settings.models / "a" / "card.json")
    assert clean(database, settings, kind) == (0, 0)
    assert settings.database.exists() and (settings.models / "a" / "card.json").exists()


def test_no_link_is_followed(database: Database, settings: Settings, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside" / "precious.mp3", 5000)
    inside = put(settings.logs / "worker.log", 1)
    (settings.logs / "file").symlink_to(outside)
    (settings.logs / "folder").symlink_to(outside.parent)
    assert use(database, settings, "logs").size_bytes == 1
    assert clean(database, settings, "logs") == (1, 1)
    assert outside.exists() and not inside.exists() and (settings.logs / "folder").is_symlink()

    (settings.data / "bin").symlink_to(outside.parent)  # a disk of its own, say
    told = use(database, settings, "bin")
    assert (told.linked, told.size_bytes) == (True, 0)
    assert clean(database, settings, "bin") == (0, 0) and outside.exists()


def test_nothing_goes_while_a_job_is_at_work(database: Database, settings: Settings) -> None:
    log = put(settings.logs / "worker.log")
    queue = open_queue(settings, database)
    job = kinds.submit_preprocess(queue)
    with pytest.raises(LibraryError, match="at work"):
        clean(database, settings, "logs")
    assert log.exists()
    queue.request_stop(job.id)
    clean(database, settings, "logs")
    assert not log.exists()


def test_an_unknown_kind_is_told(database: Database, settings: Settings) -> None:
    with pytest.raises(LibraryError, match="There is: songs"):
        clean(database, settings, "secrets")


def test_it_is_quick_with_many_files(database: Database, settings: Settings) -> None:
    folder = settings.spectrograms / SpectrogramRecipe().fingerprint
    for number in range(5000):
        path = folder / f"{number % 256:02x}" / f"{number % 256:02x}{number:062x}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    begun = time.process_time()
    assert use(database, settings, "spectrograms").files == 5000
    assert time.process_time() - begun < 5
    shutil.rmtree(folder)
