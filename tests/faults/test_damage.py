"""A library that is damaged, emptied or moved: every command says so and names the newest backup; it can be restored."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app import ui
from core import database as ground
from core import doctor
from core.database import Database, damage
from core.errors import LibraryDamaged, WorkspaceError
from core.keeping.backup import back_up, new_path
from core.keeping.restoring import restore
from core.library.playlists import Playlists
from core.settings import Settings
from tests.cli.test_commands import invoke
from tests.lists import contents, listed, playlist

PAGE = 4096


def every_third_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for start in range(3 * PAGE, len(content), 3 * PAGE):
        content[start + 100 : start + 300] = b"\xff" * 200
    path.write_bytes(content)


def bytes_at_random(path: Path) -> None:
    chance, content = random.Random(11), bytearray(path.read_bytes())
    for _ in range(400):
        content[chance.randrange(PAGE, len(content))] = chance.randrange(256)
    path.write_bytes(content)


def a_piece(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[PAGE : PAGE + 400] = random.Random(5).randbytes(400)
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 77])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "every third page": every_third_page,
    "bytes at random": bytes_at_random,
    "a piece in the middle": a_piece,
    "empty": lambda path: path.write_bytes(b""),
    "cut off": cut_off,
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "another file": lambda path: path.write_text("a letter " * 999),
    "schema": lambda path: path.write_bytes(path.read_bytes().replace(b"CREATE TABLE", b"CREATE TA\xff\xfe\xfd")),
}
COMMANDS = [
    *(("status",), ("tracks",), ("playlists", "list"), ("labels", "issues"), ("labels", "duplicates"), ("disk",)),
    *(("playlists", "map", "List a", "house"), ("preprocess",), ("report", "1"), ("compare", "1", "2"), ("collect",)),
    *(("sample",), ("models", "list"), ("train", "--name", "t"), ("genre-votes",), ("worker", "--until-empty")),
]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Some hundred tracks, and a backup of them."""
    settings = Settings(home=tmp_path_factory.mktemp("full"), keep_free_bytes=0)
    database = Database(settings.database)
    for number in range(3):
        tracks = [listed(100 * number + one) for one in range(80)]
        Playlists(database).take_in(playlist("abc"[number], *tracks), {"house": 1.0})
    back_up(database, settings, new_path(settings, "labels"), "labels")
    (settings.spectrograms / "x").mkdir(parents=True)
    (settings.spectrograms / "x" / "a.npy").touch()
    return settings


@pytest.fixture
def here(full: Settings, tmp_path: Path) -> Settings:
    shutil.copytree(full.home, tmp_path / "home")
    return Settings(home=tmp_path / "home", keep_free_bytes=0)


@pytest.mark.parametrize("what", DAMAGES)
def test_every_command_says_so_and_names_the_newest_backup(here: Settings, what: str) -> None:
    DAMAGES[what](here.database)
    before = here.database.read_bytes()
    newest = next((here.data / "backups").glob("*.zip"))
    for command in COMMANDS:
        told = invoke(*command, "--home", here.home, "--json")
        assert str(newest) in told.output and "Traceback" not in told.output, (command, told.output)
        json.loads(told.stdout)
        if command != ("models", "list"):  # which needs no library, and answers
            assert told.exit_code == 1 and set(json.loads(told.stdout)) == {"error"}, command
    assert here.database.read_bytes() == before


@pytest.mark.parametrize("what", DAMAGES)
def test_the_doctor_reports_it_and_does_not_crash(here: Settings, what: str) -> None:
    DAMAGES[what](here.database)
    finding = next(one for one in doctor.examine(here) if one.name == "database")
    assert not finding.ok and finding.needed and "restore" in finding.remedy and ".zip" in finding.remedy


@pytest.mark.parametrize("what", DAMAGES)
def test_the_newest_backup_can_be_restored_and_the_damaged_file_is_kept(
    full: Settings, here: Settings, what: str
) -> None:
    DAMAGES[what](here.database)
    damaged = here.database.read_bytes()
    newest = next((here.data / "backups").glob("*.zip"))
    told = restore(newest, here, replace=True)
    assert Database(here.database).row_counts() == Database(full.database).row_counts()
    Database(here.database).refuse_damaged()
    assert damage(here.database, thorough=True) == ""
    assert Path(told["kept"]).read_bytes() == damaged or what in (
        "every third page",
        "bytes at random",
        "a piece in the middle",
    )


def test_a_library_damaged_while_it_is_open_is_told_of(here: Settings) -> None:
    database = Database(here.database)
    database.version()
    every_third_page(here.database)
    with pytest.raises(LibraryDamaged, match="newest backup"):
        database.check()
    with pytest.raises(LibraryDamaged, match="newest backup"):
        contents(database)


def test_a_library_put_in_the_place_of_another_is_read_anew(here: Settings) -> None:
    database = Database(here.database)
    before = database.version()
    shutil.copy(here.database, here.home / "copy.db")
    (here.home / "copy.db").replace(here.database)
    assert database.version() != before


def test_a_page_never_says_that_all_is_kept(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(ui.session, "settings", lambda: here)
    monkeypatch.setattr(ui.st, "error", lambda text, icon: told.append(text))
    ui.tell_uncaught(KeyError("title"))
    assert "is kept" in told.pop()
    every_third_page(here.database)
    ui.tell_uncaught(KeyError("title"))
    assert "is damaged" in told[0] and "newest backup" in told[0] and "before is kept" not in told[0]


def test_an_empty_file_without_anything_beside_it_is_a_new_beginning(tmp_path: Path) -> None:
    path = tmp_path / "data" / "library.db"
    path.parent.mkdir()
    path.touch()
    assert Database(path).row_counts()["tracks"] == 0


def test_without_a_backup_it_says_what_to_do(here: Settings) -> None:
    shutil.rmtree(here.data / "backups")
    every_third_page(here.database)
    told = damage(here.database)
    assert "There is no backup in" in told and "begin anew" in told


def test_a_check_that_takes_too_long_is_given_up(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground, "CHECK_S", -1.0)
    every_third_page(here.database)
    ground._checked.clear()
    assert damage(here.database) in ("", damage(here.database, thorough=True))
    assert "is damaged" in damage(here.database, thorough=True)


@pytest.mark.parametrize("what", ["moved", "library alone", "deleted"])
def test_a_workspace_that_was_moved_is_called_moved(here: Settings, what: str) -> None:
    database = Database(here.database)
    if what == "deleted":
        shutil.rmtree(here.home)
    elif what == "moved":
        here.home.rename(here.home.with_name("elsewhere"))
    else:
        here.database.rename(here.home / "library.db")
    for ask in (database.version, database.row_counts, lambda: Playlists(database).take_in(playlist("x", listed(1)))):
        with pytest.raises(WorkspaceError, match="was moved") as told:
            ask()
        assert "owner" not in str(told.value)
    assert not here.database.exists(), "and no new one is begun"


def test_a_folder_in_the_library_s_place_is_called_that(tmp_path: Path) -> None:
    (tmp_path / "data" / "library.db").mkdir(parents=True)
    with pytest.raises(WorkspaceError, match="is a folder"):
        Database(tmp_path / "data" / "library.db")
