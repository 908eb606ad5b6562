"""Cross-validation, comparison and reports on the command line, by processes of their own, as people run them."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.cli import app
from core.database import Database
from core.library.evaluations import Evaluations
from core.library.importing import import_folder
from core.library.preprocessing import preprocess
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from core.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]
FIGURES = {
    *("songs", "accuracy", "interval_95", "macro_f1", "top_2_accuracy", "genres", "per_genre", "confusion", "skipped"),
    *("folds", "ece", "reliability", "nll", "brier", "protocol", "seed", "evaluation", "warnings", "name", "failed"),
}


def run(*arguments: str) -> tuple[int, Any, str]:
    """(exit code, the document on standard output, standard error)."""
    done = subprocess.run(
        [sys.executable, "-m", "core", *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=300
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


@pytest.fixture(scope="module")
def home(songs_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = Settings(home=tmp_path_factory.mktemp("prepared"), processes=1)
    library = Library(Database(settings.database))
    import_folder(library, settings, songs_folder, genre_from="folder")
    preprocess(library, settings, SpectrogramRecipe())
    return settings.home


@pytest.mark.slow
def test_from_cross_validation_to_a_file(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "home")
    where = ("--home", str(tmp_path / "home"), "--json")
    code, honest, _ = run("crossvalidate", "--folds", "2", "--steps", "1", "--name", "mine", *where)
    assert (code, honest.keys(), honest["protocol"], honest["name"]) == (0, FIGURES, "artist-folds", "mine")
    assert honest["songs"] == 24 and [fold["songs"] for fold in honest["folds"]] == [12, 12]
    code, naive, _ = run("crossvalidate", "--protocol", "random", "--folds", "2", "--steps", "1", *where)
    assert (code, naive.keys()) == (0, FIGURES) and "leaks on purpose" in naive["warnings"][0]

    code, told, _ = run("compare", str(honest["evaluation"]), str(naive["evaluation"]), *where)
    assert code == 0 and told["songs"] == 24 and told["accuracy"] == [honest["accuracy"], naive["accuracy"]]
    assert told["verdict"] in ("better", "worse", "cannot be told apart on 24 songs")

    page, songs, figures = tmp_path / "a.html", tmp_path / "songs.csv", tmp_path / "figures.csv"
    files = ("--html", str(page), "--csv", str(songs), "--figures", str(figures))
    code, again, _ = run("report", str(honest["evaluation"]), *files, *where)
    assert code == 0 and again == {name: figure for name, figure in honest.items() if name != "failed"}
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>") and "mine" in page.read_text(encoding="utf-8")
    with songs.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 24 and sum(int(row["right"]) for row in rows) == round(24 * honest["accuracy"])
    with figures.open(encoding="utf-8", newline="") as stream:
        assert dict(csv.reader(stream))["accuracy"] == str(honest["accuracy"])


@pytest.mark.slow
def test_a_given_list(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "home")
    files = sorted(Library(Database(Settings(home=tmp_path / "home").database)).known_files()[0])
    listed = tmp_path / "folds.csv"
    with listed.open("w", encoding="utf-8", newline="") as stream:
        rows = [(path, 0 if "Artist 0" in path or "Artist 1" in path else 1) for path in files]
        csv.writer(stream).writerows([("path", "fold"), *rows, ("gone.mp3", 1)])
    asked = ("crossvalidate", "--protocol", "given", "--folds-file", str(listed), "--steps", "1")
    code, told, _ = run(*asked, "--home", str(tmp_path / "home"), "--json")
    assert (code, told.keys()) == (0, FIGURES)
    assert [fold["songs"] for fold in told["folds"]] == [8, 16] and told["warnings"] == []
    assert [file["path"] for file in told["skipped"]] == ["gone.mp3"]


def here(*arguments: str) -> tuple[int, Any, str]:
    """As `run`, in this process: quicker, where nothing is trained."""
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, json.loads(done.stdout) if done.stdout else None, done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("crossvalidate", "--protocol", "best"), "artist-folds, random, given"),
        (("crossvalidate", "--protocol", "given"), "--folds-file"),
        (("crossvalidate", "--folds-file", "x.csv"), "--folds-file"),
        (("crossvalidate", "--steps", "1", "--epochs", "1"), "only one of"),
        (("crossvalidate", "--network", "none"), "network"),
        (("compare", "1"), "second"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    code, document, error = here(*arguments, "--home", str(tmp_path), "--json")
    assert code == 2 and told in document["error"] and error == ""


@pytest.mark.slow
def test_what_is_not_there_is_told(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "home")
    where = ("--home", str(tmp_path / "home"), "--json")
    assert here("report", "7", *where)[:2] == (1, {"error": "There is no evaluation number 7."})
    evaluations = Evaluations(Database(Settings(home=tmp_path / "home").database))
    unfinished = evaluations.begin("a", "crossvalidation", {}, ("a", "b"))
    code, document, _ = run("report", str(unfinished.id), *where)
    assert code == 1 and "not finished" in document["error"]
    code, document, _ = run("crossvalidate", "--folds", "9", "--steps", "1", *where)
    assert code == 1 and "9 folds need at least 9 artists" in document["error"]
    code, document, _ = run("crossvalidate", "--protocol", "given", "--folds-file", str(tmp_path / "none.csv"), *where)
    assert code == 1 and "cannot be read" in document["error"]
