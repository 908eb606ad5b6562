"""Models on the command line: listed, handed on, taken in, fetched, brought up to date; and asked without torch."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from core.audio.store import SpectrogramStore
from core.cli import app
from core.database import Database
from core.files import sha256_of
from core.jobs import kinds
from core.jobs.worker import open_queue, run_here
from core.learning import model
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.loopback import Answer, serving
from tests.models import GENRES, make_old, publish
from tests.sounds import drone, write_sound

PROJECT = Path(__file__).resolve().parents[2]
ROW = {"name", "title", "genres", "accuracy", "interval_95", "songs", "folder", "shipped", "created_at", "problem"}
HEAVY = ("torch", "torchaudio", "librosa", "numba", "scipy", "sklearn")
TOLD_IN_THE_END = f"""
import sys
if __name__ == "__main__":
    from core.cli import app
    try:
        app(prog_name="core")
    finally:
        sys.stderr.write("imported: " + " ".join(name for name in {HEAVY!r} if name in sys.modules) + "\\n")
"""
"""The command as `python -m core`, which then tells what of the heavy packages was imported."""


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def document(*arguments: object) -> Any:
    told = invoke(*arguments, "--json")
    assert told.exit_code == 0, told.stdout + told.stderr
    return json.loads(told.stdout)


def error(*arguments: object) -> str:
    told = invoke(*arguments, "--json")
    assert told.exit_code == 1
    return str(json.loads(told.stdout)["error"])


@pytest.fixture(autouse=True)
def _no_shipped_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.settings.PROJECT", tmp_path)


@pytest.fixture
def home(settings: Settings) -> Path:
    publish(settings.models / "mine")
    return settings.home


@pytest.mark.parametrize("command", ["list", "export", "import", "fetch", "upgrade"])
def test_every_command_has_help_and_the_common_options(command: str) -> None:
    told = invoke("models", command, "--help")
    assert told.exit_code == 0 and "--home" in told.stdout and "--json" in told.stdout


def test_models_are_listed_with_how_well_they_did(home: Path, settings: Settings) -> None:
    publish(settings.models / "untested", seed=1, metrics=None)
    make_old(publish(settings.models / "old", seed=1))
    rows = document("models", "--home", home)
    assert rows == document("models", "list", "--home", home) and all(set(row) == ROW for row in rows)
    by_name = {row["name"]: row for row in rows}
    mine = by_name["mine"]
    assert (mine["genres"], mine["accuracy"], mine["songs"]) == (list(GENRES), 0.5, 20)
    assert (mine["interval_95"], mine["shipped"], mine["problem"]) == ([0.299, 0.701], False, "")
    assert by_name["untested"]["accuracy"] is None
    assert "models upgrade old" in by_name["old"]["problem"] and by_name["old"]["genres"] == []
    told = invoke("models", "--home", home).stdout
    assert "mine: drone, hiss, jazz; 50.0% of 20 test songs right (95 % interval 29.9% to 70.1%)" in told
    assert "untested: drone, hiss, jazz; not tested" in told and "old: cannot be used." in told
    assert document("models", "--home", home / "elsewhere") == []


def test_a_model_goes_out_as_a_file_and_comes_in_elsewhere(home: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "shared.zip", tmp_path / "other"
    told = document("models", "export", "mine", file, "--home", home)
    assert told == {"file": str(file), "bytes": file.stat().st_size, "sha256": sha256_of(file)}
    assert document("models", "import", file, "--home", other)["name"] == "shared"
    assert document("models", "import", file, "--name", "second", "--home", other)["name"] == "second"
    assert {row["name"] for row in document("models", "--home", other)} == {"shared", "second"}
    assert "'shared' already" in error("models", "import", file, "--home", other)
    assert "taken in: third: drone" in invoke("models", "import", file, "--name", "third", "--home", other).stdout


def test_a_model_is_fetched_if_it_is_the_one_that_was_meant(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("models", "export", "mine", tmp_path / "a.zip", "--home", home)
    data, sha256 = (tmp_path / "a.zip").read_bytes(), sha256_of(tmp_path / "a.zip")
    with serving(lambda asked: Answer(data)) as server:
        url, other = f"{server.url}/theirs.zip", tmp_path / "other"
        assert "over https only" in error("models", "fetch", url, "--sha256", sha256, "--home", other)
        monkeypatch.setenv("GENRESCOPE_ALLOWED_HOSTS", server.url.removeprefix("http://"))
        assert "is not the one you asked for" in error("models", "fetch", url, "--sha256", "0" * 64, "--home", other)
        assert "64 digits" in error("models", "fetch", url, "--sha256", "x", "--home", other)
        assert document("models", "--home", other) == []
        row = document("models", "fetch", url, "--sha256", sha256, "--home", other)
        assert (row["name"], row["genres"]) == ("theirs", list(GENRES))


def test_an_older_model_is_brought_up_to_date(home: Path, settings: Settings) -> None:
    make_old(settings.models / "mine")
    assert "python -m core models upgrade mine" in error("predict", "a.mp3", "--model", "mine", "--home", home)
    assert document("models", "upgrade", "mine", "--home", home) == {"name": "mine", "upgraded": True}
    assert document("models", "upgrade", "mine", "--home", home) == {"name": "mine", "upgraded": False}
    assert model.load(settings.models / "mine").genres == GENRES


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("export", "other", "a.zip"), "no model named 'other'"),
        (("import", "/no/such.zip"), "cannot be read"),
        (("upgrade", "other"), "no model named 'other'"),
        (("fetch", "file:///etc/passwd", "--sha256", "0" * 64), "is no web address"),
    ],
)
def test_an_error_is_a_sentence(home: Path, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in error("models", *arguments, "--home", home)


@pytest.mark.parametrize(
    "arguments", [("sing",), ("export",), ("export", "a"), ("import",), ("fetch", "https://a.example/b")]
)
def test_wrong_usage(home: Path, arguments: tuple[str, ...]) -> None:
    told = invoke("models", *arguments, "--home", home)
    assert (told.exit_code, told.stdout) == (2, "") and told.stderr


# -- without torch -----------------------------------------------------------------------------------------------------


@pytest.fixture
def tested(settings: Settings, tmp_path: Path) -> Path:
    """A workspace whose model has two test songs with spectrograms."""
    spectrogram = SpectrogramRecipe()
    for number, genre in enumerate(("drone", "hiss")):
        write_sound(tmp_path / "songs" / genre / f"{number}.wav", drone(np.random.default_rng(number), 5.0))
    database = Database(settings.database)
    queue = open_queue(settings, database)
    run_here(settings, database, kinds.submit_import(queue, tmp_path / "songs", "folder"))
    run_here(settings, database, kinds.submit_preprocess(queue))
    songs = Library(database).songs(spectrogram.fingerprint)
    assert all(
        SpectrogramStore(settings.spectrograms, spectrogram.fingerprint).path(song.sha256).exists() for song in songs
    )
    test = [{"sha256": song.sha256, "artist": "", "title": "", "label": dict(song.label.weights)} for song in songs]
    publish(settings.models / "mine", spectrogram=spectrogram, split={"train": [], "validation": [], "test": test})
    return settings.home


def told_imports(home: Path, script: Path, *arguments: object) -> tuple[Any, str]:
    """What a command answers in a process of its own, and which heavy packages it imported."""
    script.write_text(TOLD_IN_THE_END)
    done = subprocess.run(
        [sys.executable, str(script), *map(str, arguments), "--home", str(home), "--json"],
        cwd=PROJECT, env={"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout), done.stderr.strip().splitlines()[-1]


@pytest.mark.slow
def test_prediction_and_evaluation_import_no_torch(tested: Path, tmp_path: Path) -> None:
    script = tmp_path / "command.py"
    song = tmp_path / "songs" / "drone" / "0.wav"
    [answered], imported = told_imports(tested, script, "predict", song, "--model", "mine")
    assert (answered["error"], imported) == (None, "imported:") and set(answered["spectrum"]) == set(GENRES)
    for more in ((), ("--folder", tmp_path / "songs")):
        report, imported = told_imports(tested, script, "evaluate", "mine", *more)
        assert (report["songs"], imported) == (2, "imported:")


@pytest.mark.slow
def test_what_imports_torch_would_be_told(tested: Path, tmp_path: Path) -> None:
    _, imported = told_imports(tested, tmp_path / "command.py", "models", "upgrade", "mine")
    assert "torch" in imported.split()
