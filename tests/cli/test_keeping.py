"""`backup`, `restore` and `disk`, as a script meets them."""

import json
from pathlib import Path

from core.cli.frame import ORDER
from core.database import Database
from core.library.playlists import Playlists
from core.settings import Settings
from tests.cli.test_commands import invoke
from tests.lists import listed, playlist


def document(*arguments: object, home: Path) -> object:
    done = invoke(*arguments, "--home", home, "--json")
    return json.loads(done.stdout)


def test_there_and_back(settings: Settings, tmp_path: Path) -> None:
    Playlists(Database(settings.database)).take_in(playlist("a", listed(1), listed(2)), {"house": 1.0})
    file, other = tmp_path / "b.zip", tmp_path / "other"
    told = document("backup", file, home=settings.home)
    assert isinstance(told, dict) and told["rows"]["tracks"] == 2 and told["size_bytes"] == file.stat().st_size
    again = document("backup", file, home=settings.home)
    assert isinstance(again, dict) and "already" in again["error"]
    back = document("restore", file, home=other)
    assert isinstance(back, dict) and back["rows"] == told["rows"] and back["kept"] is None
    refused = invoke("restore", file, "--home", other)
    assert refused.exit_code == 1 and "--replace" in refused.output
    replaced = document("restore", file, "--replace", home=other)
    assert isinstance(replaced, dict) and Path(replaced["kept"]).is_file()


def test_a_wrong_word_is_told(tmp_path: Path) -> None:
    assert "labels, spectrograms, everything" in invoke("backup", tmp_path / "b.zip", "--with", "all").output
    told = document("disk", "--clean", "secrets", home=tmp_path)
    assert isinstance(told, dict) and "There is: songs" in told["error"]


def test_the_disk(settings: Settings) -> None:
    Database(settings.database)
    settings.logs.mkdir(parents=True)
    (settings.logs / "worker.log").write_bytes(bytes(1234))
    told = document("disk", home=settings.home)
    assert isinstance(told, list)
    assert next(one for one in told if one["kind"] == "logs")["free_bytes"] == 1234
    assert "1 KB freed; 1 files removed." in invoke("disk", "--clean", "logs", "--home", settings.home).stdout


def test_they_stand_in_the_list_of_commands() -> None:
    assert {"backup", "restore", "disk"} <= set(ORDER)
