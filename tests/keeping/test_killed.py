"""Backups and restores killed (-9) at every step: all or nothing, completed by the next start, and no halves left."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core import files as ground
from core.database import Database
from core.files import sha256_of, work_folder
from core.keeping.backup import back_up
from core.keeping.restoring import complete, restore
from core.library.playlists import Playlists
from core.library.runs import Runs
from core.recipes import TrainingRecipe
from core.settings import Settings
from tests.lists import listed, playlist

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a copy of this process, made by fork")
STEPS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "sqlite3.connect", "open"}


def killed_at(step: int, work: Callable[[], object], *, within: Path) -> bool:
    """Do `work` in a copy of this process that is killed before its step number `step` in `within`; False if it got to its end."""
    child = os.fork()
    if child == 0:
        left = [step]

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            if event in STEPS and any(str(within) in str(argument) for argument in arguments):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(watch)
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def model_folder(settings: Settings, name: str, content: bytes) -> None:
    folder = settings.models / name
    folder.mkdir(parents=True)
    for file in ("card.json", "model.onnx", "weights.safetensors"):
        (folder / file).write_bytes(content)


def workspace(home: Path, *titles: str, model: bytes, checkpoint: bytes) -> Settings:
    """A small library with a model `A` and a training that has not ended."""
    settings = Settings(home=home, keep_free_bytes=0)
    database = Database(settings.database)
    for number, title in enumerate(titles):
        Playlists(database).take_in(playlist(title, listed(number)), {"house": 1.0})
    model_folder(settings, "A", model)
    run = Runs(database).begin("cut off", TrainingRecipe(), {})
    folder = settings.runs / str(run.id)
    folder.mkdir(parents=True)
    (folder / "last.safetensors").write_bytes(checkpoint)
    return settings


def state(settings: Settings) -> tuple[list[str], dict[str, str]]:
    """Playlists, and the files of models and trainings."""
    names = sorted(row.title for row in Playlists(Database(settings.database)).all())
    found = [
        path for folder in (settings.models, settings.runs) for path in sorted(folder.rglob("*")) if path.is_file()
    ]
    return names, {path.relative_to(settings.home).as_posix(): sha256_of(path) for path in found}


def halves(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob(".*") if path.name.startswith((".partial", ".restoring")))


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [False, True])
def test_a_restore_killed_at_any_step_is_whole_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    monkeypatch.setattr(ground, "NEW_S", 0.0)
    source = workspace(tmp_path / "source", "new one", "new two", model=b"new", checkpoint=b"new")
    archive = tmp_path / "new.zip"
    back_up(Database(source.database), source, archive, "labels")
    goal = state(source)
    outcomes = set()
    for step in range(1000):
        settings = workspace(tmp_path / f"{step}", "old", model=b"old", checkpoint=b"old")
        if damaged:
            settings.database.write_bytes(b"\xff" * settings.database.stat().st_size)
        before = None if damaged else state(settings)
        was_killed = killed_at(step, lambda: restore(archive, settings, replace=True), within=settings.data)  # noqa: B023
        told = complete(settings)
        if told or not was_killed or (damaged and settings.database.read_bytes()[:1] != b"\xff"):
            assert state(settings) == goal, (step, told)
            outcomes.add("completed" if told else "done")
        elif damaged:
            assert settings.database.read_bytes()[:1] == b"\xff" and state_of_models(settings) == {b"old"}, step
            outcomes.add("as before")
        else:
            assert state(settings) in (before, goal), (step, told)
            outcomes.add("as before" if state(settings) == before else "done")
        assert not settings.restoring.exists() and complete(settings) == ""
        restore(archive, settings, replace=True)  # whatever was left does not stop the next one
        assert state(settings) == goal and halves(settings.data) == [], step
        if not was_killed:
            break
    else:
        pytest.fail("it never came to its end")
    assert outcomes == {"as before", "completed", "done"}


def state_of_models(settings: Settings) -> set[bytes]:
    return {path.read_bytes() for path in settings.models.rglob("*") if path.is_file()}


def test_what_was_written_after_a_completed_restore_is_not_taken_back(tmp_path: Path) -> None:
    """Killed after the library was replaced, before the plan was removed; then somebody goes on working."""
    source = workspace(tmp_path / "source", "new", model=b"new", checkpoint=b"new")
    archive = tmp_path / "new.zip"
    back_up(Database(source.database), source, archive, "labels")
    settings = Settings(home=tmp_path / "here", keep_free_bytes=0)
    Database(settings.database)
    real = Path.rename

    def at_the_end() -> None:
        def rename(path: Path, target: Path) -> Path:
            if path == settings.restoring:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(path, target)

        Path.rename = rename  # type: ignore[method-assign, assignment] - in the copy of this process only
        restore(archive, settings)

    assert killed_at(10**9, at_the_end, within=settings.data)
    Playlists(Database(settings.database)).take_in(playlist("mine", listed(7)))
    assert "complete now" in complete(settings)
    assert [row.title for row in Playlists(Database(settings.database)).all()] == ["List new", "List mine"]


@pytest.mark.slow
def test_a_backup_killed_at_any_step_leaves_no_half_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground, "NEW_S", 0.0)
    settings = workspace(tmp_path / "here", "one", model=b"m", checkpoint=b"c")
    database, folder = Database(settings.database), tmp_path / "backups"
    left = 0
    for step in range(1000):
        target = folder / f"{step}.zip"
        if not killed_at(step, lambda: back_up(database, settings, target, "labels"), within=folder):  # noqa: B023
            break
        left = max(left, len(halves(folder)))
    assert step > 5 and left == 1, "the next backup removes what the one before left"
    assert halves(folder) == []
    for made in folder.glob("*.zip"):
        other = Settings(home=tmp_path / made.stem, keep_free_bytes=0)
        restore(made, other)


def test_a_work_folder_of_a_living_process_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground, "NEW_S", 0.0)
    with work_folder(tmp_path, ".partial-x-") as mine:
        time.sleep(0.01)
        with work_folder(tmp_path, ".partial-x-") as other:
            assert mine.is_dir() and other != mine
    assert list(tmp_path.iterdir()) == []
