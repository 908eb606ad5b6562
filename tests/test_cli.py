"""The commands, as a script calls them: one JSON document, and exit codes that can be relied on."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from core.cli import app
from tests.sounds import hiss, write_sound

PROJECT = Path(__file__).resolve().parents[1]
COMMANDS = ["import", "preprocess", "train", "evaluate", "predict", "status", "doctor", "worker"]


def call(*arguments: str | Path) -> tuple[int, Any, str]:
    """(exit code, the JSON on standard output, standard error) of a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "core", *map(str, arguments), "--json"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_home_and_json(command: str) -> None:
    told = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert told.exit_code == 0
    assert "--home" in told.output
    assert "--json" in told.output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-command"],
        ["import"],
        ["import", ".", "--genre-from", "nowhere"],
        ["import", ".", "--genre-from", "csv"],
        ["import", ".", "--genre-from", "folder", "--csv", "x.csv"],
        ["train"],
        ["train", "--name", "x", "--steps", "0"],
        ["train", "--name", "x", "--steps", "5", "--epochs", "5"],
        ["train", "--name", "x", "--network", "huge"],
        ["predict"],
        ["evaluate", "x", "--genre-from", "tag"],
        ["status", "--colour"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str], tmp_path: Path) -> None:
    if arguments[1:]:
        arguments = [*arguments, "--home", str(tmp_path)]
    assert CliRunner().invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["import", "/no/such/folder", "--genre-from", "folder"], "not a folder"),
        (["train", "--name", "x"], "Import songs"),
        (["train", "--name", "../x"], "cannot be a model's name"),
        (["train", "--name", "x", "--holdout-artists", "/no/such/file"], "list of artists"),
        (["evaluate", "nothing"], "There is no model named"),
        (["predict", "x.mp3"], "There is no model yet"),
        (["predict", "x.mp3", "--model", "../../etc"], "There is no model named"),
    ],
)
def test_a_command_that_fails_says_why_in_json_and_is_1(
    arguments: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.settings.PROJECT", tmp_path)
    done = CliRunner().invoke(app, [*arguments, "--home", str(tmp_path), "--json"])
    assert done.exit_code == 1
    assert why in json.loads(done.stdout)["error"]


def test_the_whole_way(songs_folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    at = ("--home", home)

    code, imported, _ = call("import", songs_folder, "--genre-from", "folder", *at)
    assert code == 0
    assert imported == {"imported": 24, "already_known": 0, "duplicates": 0, "probable_duplicates": [], "failed": []}
    bad = tmp_path / "more" / "hiss"
    bad.mkdir(parents=True)
    (bad / "broken.mp3").write_text("not a song")
    code, imported, _ = call("import", bad.parent, "--genre-from", "folder", *at)
    assert code == 1
    assert imported["imported"] == 0
    assert [Path(item["path"]).name for item in imported["failed"]] == ["broken.mp3"]
    assert imported["failed"][0]["reason"]

    code, made, told = call("preprocess", *at)
    assert (code, made["done"], made["skipped"], made["failed"]) == (0, 24, 0, [])
    assert made["seconds"] > 0
    assert made["audio_seconds"] == pytest.approx(24 * 6, rel=0.03)
    assert "Traceback" not in told
    assert call("preprocess", *at)[1]["skipped"] == 24

    held_out = tmp_path / "artists.txt"
    held_out.write_text("Drone Artist 0\nhiss artist 0\n")
    code, trained, _ = call("train", "--name", "First", "--steps", 6, "--holdout-artists", held_out, *at)
    assert code == 0
    assert {"name", "epochs", "steps", "seconds", "crops_per_second", "test"} <= set(trained)
    assert (trained["name"], trained["steps"]) == ("First", 6)
    assert trained["test"]["songs"] == 4
    code, again, _ = call("train", "--name", "First", "--steps", 6, *at)
    assert code == 1
    assert "already" in again["error"]

    code, report, _ = call("evaluate", "First", *at)
    assert code == 0
    assert {name: report[name] for name in trained["test"]} == trained["test"]
    code, report, _ = call("evaluate", "First", "--folder", songs_folder, "--genre-from", "folder", *at)
    assert code == 0
    assert report["songs"] == 24
    assert sum(map(sum, report["confusion"])) == 24
    assert report["interval_95"][0] <= report["accuracy"] <= report["interval_95"][1]
    assert report["genres"] == ["drone", "hiss"]
    assert {"macro_f1", "skipped"} <= set(report)

    song = next((songs_folder / "hiss").glob("*.mp3"))
    code, (good, broken, gone), _ = call("predict", song, bad / "broken.mp3", "no-such.mp3", "--model", "First", *at)
    assert code == 1
    assert good["error"] is None
    assert good["file"] == str(song)
    assert math.isclose(sum(good["spectrum"].values()), 1, abs_tol=1e-5)
    assert good["top"] == max(good["spectrum"], key=good["spectrum"].get)
    assert isinstance(good["unsure"], bool)
    assert good["duration_s"] == pytest.approx(6, abs=0.1)
    assert {len(course) for course in good["over_time"]["spectrum"].values()} == {len(good["over_time"]["starts_s"])}
    assert "not a sound file" in broken["error"]
    assert "cannot be read" in gone["error"]
    code, (short,), _ = call("predict", write_sound(tmp_path / "short.wav", short_sound()), *at)  # the newest model
    assert (code, short["unsure"]) == (0, True)

    code, status, _ = call("status", *at)
    assert code == 0
    assert (status["tracks"], status["genres"], status["ready"], status["jobs"]) == (24, 2, 24, [])
    assert "First" in status["models"]
    code, worked, _ = call("worker", "--until-empty", *at)
    assert (code, worked["worked"]) == (0, True)


def short_sound() -> Any:
    import numpy as np

    return hiss(np.random.default_rng(0), 0.5)


def test_doctor_tells_in_words_and_in_json(tmp_path: Path) -> None:
    code, told, _ = call("doctor", "--home", tmp_path)
    assert code == 0
    assert told["ok"] is True
    assert {"name", "ok", "needed", "found", "remedy"} == set(told["checks"][0])
    words = CliRunner().invoke(app, ["doctor", "--home", str(tmp_path)])
    assert "torchaudio" in words.output
