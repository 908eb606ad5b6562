"""Files that commands read and write: none is replaced unasked, those of the workspace and the inputs never; no pipe is waited for."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import typer
from typer.testing import Result

from core.cli import app
from core.cli import files as cli_files
from core.database import Database
from core.files import sha256_of
from core.library.evaluations import EvaluatedSong, Evaluations
from core.library.importing import import_folder
from core.library.store import Library
from core.settings import Settings
from tests import models
from tests.cli.test_commands import invoke
from tests.sounds import drone, write_sound

WRITES: dict[tuple[str, str], tuple[str, ...]] = {
    ("predict", "html"): ("predict", "{song}", "--model", "m", "--neighbours", "0", "--html"),
    ("report", "html"): ("report", "1", "--html"),
    ("report", "csv"): ("report", "1", "--csv"),
    ("report", "figures"): ("report", "1", "--figures"),
    ("backup", "file"): ("backup",),
    ("models export", "file"): ("models", "export", "m"),
    ("playlists export", "file"): ("playlists", "export"),
}
"""Every option and argument that names a file to write, and a call that ends with it."""
READS: dict[tuple[str, str], tuple[str, ...]] = {
    ("import", "directory"): ("import", "{it}", "--genre-from", "folder"),
    ("import", "csv"): ("import", "{songs}", "--genre-from", "csv", "--csv", "{it}"),
    ("match", "file"): ("match", "{it}"),
    ("train", "holdout_artists"): ("train", "--name", "t", "--holdout-artists", "{it}"),
    ("evaluate", "folder"): ("evaluate", "m", "--folder", "{it}"),
    ("crossvalidate", "folds_file"): ("crossvalidate", "--protocol", "given", "--folds-file", "{it}"),
    ("predict", "files"): ("predict", "{it}", "--model", "m", "--neighbours", "0"),
    ("why", "file"): ("why", "{it}", "--model", "m"),
    ("restore", "file"): ("restore", "{it}"),
    ("models import", "file"): ("models", "import", "{it}"),
    ("playlists import", "file"): ("playlists", "import", "{it}"),
    ("playlists add", "refs"): ("playlists", "add", "{it}"),
}
"""Every option and argument that names a file or folder to read, and a call with it."""
NOT_TYPED = {("playlists add", "refs")}
"""A path among other things, so not declared as one."""


def commands(of: typer.Typer = app, before: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """(name, function) of every command."""
    for info in of.registered_commands:
        assert info.callback
        yield f"{before}{info.name or info.callback.__name__}", info.callback
    for group in of.registered_groups:
        assert group.typer_instance
        yield from commands(group.typer_instance, f"{before}{group.name} ")


def has_path(hint: Any) -> bool:
    return hint is Path or any(has_path(part) for part in get_args(hint))


def test_every_path_of_every_command_is_listed_here() -> None:
    """A new command that writes a file is tested below, or this fails."""
    found = {
        (name, parameter)
        for name, function in commands()
        for parameter, hint in get_type_hints(function).items()
        if parameter not in ("home", "return") and has_path(hint)
    }
    assert found == (set(WRITES) | set(READS)) - NOT_TYPED


def test_what_writes_takes_force() -> None:
    functions = dict(commands())
    assert {name for name, function in functions.items() if "force" in get_type_hints(function)} == {
        name for name, _ in WRITES
    }


def test_commands_write_only_through_the_helper() -> None:
    """No command opens a file to write by itself."""
    for path in Path(cli_files.__file__).parent.glob("*.py"):
        if path.name != "files.py":
            found = re.findall(
                r"\bwhole\(|write_(?:text|bytes)\(|\.open\(\"[wax]|open\([^)]*\"[wax]b?\"", path.read_text()
            )
            assert [one for one in found if "devnull" not in one] == [] or path.name == "frame.py", path


@dataclass
class Place:
    """A workspace with a song by reference, a model, a spectrogram, a backup and an evaluation; and free room beside it."""

    root: Path
    settings: Settings
    song: Path

    def call(self, arguments: tuple[str, ...], *more: object, it: object = "") -> Result:
        filled = [one.format(song=self.song, songs=self.song.parent, it=it) for one in arguments]
        return invoke(*filled, *more, "--home", self.settings.home, "--json")

    def own(self) -> dict[str, Path]:
        """A file of each kind that is never replaced."""
        data = self.settings.data
        return {
            "library": self.settings.database,
            "song": self.song,
            "model": self.settings.models / "m" / "model.onnx",
            "spectrogram": data / "spectrograms" / ("a" * 16) / "ab" / f"ab{'c' * 62}.npy",
            "backup": data / "backups" / "kept.zip",
            "audio": data / "audio" / "ab" / f"ab{'d' * 62}.wav",
            "token": self.settings.spotify_token,
        }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    root = tmp_path_factory.mktemp("place")
    settings = Settings(home=root / "home", keep_free_bytes=0)
    song = write_sound(root / "songs" / "rock" / "A - B.wav", drone(np.random.default_rng(1), 3.0))
    database = Database(settings.database)
    import_folder(Library(database), settings, song.parent.parent, genre_from="folder")
    models.publish(settings.models / "m")
    evaluations = Evaluations(database)
    begun = evaluations.begin("e", "test", {}, ("a", "b"))
    row = np.array([1.0, 0.0])
    evaluations.add_songs(begun, [EvaluatedSong("a" * 64, "a.wav", "t", "x", 0, row, row)])
    evaluations.finish(begun, {"warnings": []})
    place = Place(root, settings, song)
    for path in place.own().values():
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"precious")
    return place


@pytest.fixture
def place(made: Place, tmp_path: Path) -> Place:
    """A copy of it; its song is where it was."""
    shutil.copytree(made.settings.home, tmp_path / "home")
    return Place(tmp_path, Settings(home=tmp_path / "home", keep_free_bytes=0), made.song)


@pytest.mark.parametrize("what", WRITES, ids=" ".join)
def test_a_file_that_exists_is_replaced_only_with_force(place: Place, what: tuple[str, str]) -> None:
    target = place.root / "there.zip"
    target.write_bytes(b"mine")
    refused = place.call(WRITES[what], target)
    assert refused.exit_code == 1 and "--force" in json.loads(refused.stdout)["error"]
    assert target.read_bytes() == b"mine"
    done = place.call(WRITES[what], target, "--force")
    assert done.exit_code == 0, done.output
    assert target.read_bytes() != b"mine"
    new = place.root / "new folder" / "new.zip"
    assert place.call(WRITES[what], new).exit_code == 0 and new.stat().st_size > 0
    assert not list(place.root.rglob(".partial*"))


def spellings(path: Path, root: Path) -> Iterator[Path]:
    """Other names of a file."""
    yield path
    yield Path(f"{path.parent}/./../{path.parent.name}//{path.name}")
    link, folder, hard = root / "a link", root / "a folder link", root / "a hard link"
    for one in (link, folder, hard):
        one.unlink(missing_ok=True)
    link.symlink_to(path)
    yield link
    folder.symlink_to(path.parent, target_is_directory=True)
    yield folder / path.name
    os.link(path, hard)
    yield hard
    yield Path("/proc/self/root") / path.relative_to("/") if Path("/proc/self/root").exists() else path


@pytest.mark.parametrize("force", [(), ("--force",)], ids=["plain", "forced"])
@pytest.mark.parametrize("what", WRITES, ids=" ".join)
def test_files_of_the_workspace_and_inputs_are_never_replaced(
    place: Place, what: tuple[str, str], force: tuple[str, ...]
) -> None:
    before = {path: sha256_of(path) for path in place.own().values()}
    for kind, path in place.own().items():
        for spelled in spellings(path, place.root):
            told = place.call(WRITES[what], spelled, *force)
            assert told.exit_code == 1 and set(json.loads(told.stdout)) == {"error"}, (kind, spelled, told.output)
    for new in (place.settings.database.with_name("library.db-wal"), place.settings.models / "m" / "new.txt"):
        assert place.call(WRITES[what], new, *force).exit_code == 1 and not new.exists()
    assert {path: sha256_of(path) for path in before} == before


@pytest.mark.parametrize("what", WRITES, ids=" ".join)
def test_what_is_no_file_is_not_written(place: Place, what: tuple[str, str]) -> None:
    os.mkfifo(place.root / "pipe")
    (place.root / "loop").symlink_to("loop")
    (place.root / "file").touch()
    odd = [place.root, place.root / "pipe", place.root / "loop", place.root / "file" / "x.zip", "/dev/null", "n" * 300]
    for one in odd:
        told = place.call(WRITES[what], one, "--force")
        assert told.exit_code == 1 and json.loads(told.stdout)["error"].endswith("."), one


def test_a_model_folder_elsewhere_is_an_input_too(place: Place) -> None:
    elsewhere = shutil.copytree(place.settings.models / "m", place.root / "elsewhere")
    call = ("models", "export", str(elsewhere))
    for name in ("card.json", "new.zip"):
        told = place.call(call, elsewhere / name, "--force")
        assert told.exit_code == 1 and "what this command reads" in told.stdout
    assert not (elsewhere / "new.zip").exists()


def test_a_report_needs_a_file_for_each(place: Place) -> None:
    both = place.root / "both"
    assert place.call(("report", "1", "--html", str(both), "--csv"), both).exit_code == 2 and not both.exists()


def test_a_new_backup_may_lie_among_the_workspace_s_own(place: Place) -> None:
    assert place.call(("backup",), place.settings.data / "backups" / "new.zip").exit_code == 0


@pytest.mark.parametrize("what", READS, ids=" ".join)
def test_pipes_devices_and_odd_paths_are_told_at_once(place: Place, what: tuple[str, str]) -> None:
    os.mkfifo(place.root / "pipe")
    (place.root / "loop").symlink_to("loop")
    gone = place.root / os.fsdecode(b"inv\xe9lid")
    for one in (place.root / "pipe", "/dev/zero", place.root / "loop", gone, "n" * 300, "~nobody-of-this-name/x"):
        told = place.call(READS[what], it=one)
        assert told.exit_code == 1, (one, told.output)
        json.loads(told.stdout)
        assert "Traceback" not in told.stderr
