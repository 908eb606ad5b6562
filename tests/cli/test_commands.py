"""The commands, as a script meets them: one JSON document, exit codes, and every field that was promised."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from typer import Context
from typer.main import get_command
from typer.testing import CliRunner, Result

from core.cli import app
from core.database import Database
from core.jobs import kinds
from core.jobs.worker import lock_of, open_queue
from core.settings import Settings
from tests.sounds import drone, write_library, write_sound

PROJECT = Path(__file__).resolve().parents[2]
COMMANDS = [
    "import",
    "sample",
    "tracks",
    "genre-votes",
    "match",
    "collect",
    "preprocess",
    "train",
    "evaluate",
    "crossvalidate",
    "compare",
    "report",
    "predict",
    "why",
    "embed",
    "models",
    "status",
    "backup",
    "restore",
    "disk",
    "doctor",
    "worker",
]


@dataclass
class Answer:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output: exactly one JSON document."""
        return json.loads(self.out)


def run(*arguments: object, home: Path) -> Answer:
    """A command in a process of its own, as people run it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GENRESCOPE_")}
    done = subprocess.run(
        [sys.executable, "-m", "core", *map(str, arguments), "--home", home, "--json"],
        cwd=PROJECT,
        env=environment | {"OMP_NUM_THREADS": "1", "GENRESCOPE_PROCESSES": "2", "GENRESCOPE_LEASE_S": "2"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def invoke(*arguments: object) -> Result:
    """A command in this process: quicker, where nothing long is done."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_a_sample_library_is_made_and_removed(tmp_path: Path) -> None:
    assert run("sample", home=tmp_path).document == {"songs": 96, "imported": 96, "failed": []}
    status = run("status", home=tmp_path).document
    assert (status["ready"], status["genres"], status["artists"]) == (96, 8, 6)
    assert run("sample", home=tmp_path).document["imported"] == 0
    removed = run("sample", "--remove", home=tmp_path).document
    assert removed["removed"] == 96
    assert removed["genres"][0] == "made-up belfry"
    status = run("status", home=tmp_path).document
    assert [status[name] for name in ("tracks", "ready", "genres")] == [0, 0, 0]
    assert not (tmp_path / "data" / "samples").exists()
    assert not list((tmp_path / "data").rglob("*.npy"))


# -- the journey -------------------------------------------------------------------------------------------------------


@dataclass
class Journey:
    """Where a journey led from, and the answer of each of its steps."""

    songs: Path
    home: Path
    answers: dict[str, Answer]

    def __getitem__(self, step: str) -> Any:
        return self.answers[step].document


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """Import, preprocess, train, evaluate and predict, each a command. Done once, however many test processes ask."""
    everyone = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        everyone = everyone.parent
    folder = everyone / "journey"
    with FileLock(everyone / "journey.lock"):
        if not (folder / "answers.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            answers = travel(write_library(folder / "songs"), folder / "home")
            (folder / "answers.json").write_text(json.dumps({step: vars(answer) for step, answer in answers.items()}))
    told = json.loads((folder / "answers.json").read_text())
    return Journey(folder / "songs", folder / "home", {step: Answer(**answer) for step, answer in told.items()})


def travel(songs: Path, home: Path) -> dict[str, Answer]:
    (songs / "hiss" / "broken.mp3").write_text("no sound")
    shutil.copy(next((songs / "drone").glob("*.flac")), songs / "drone" / "again.flac")
    held_out = songs.parent / "held out.txt"
    held_out.write_text("Drone Artist 0\nDrone Artist 1\n\nHiss Artist 0\nHiss Artist 1\n", encoding="utf-8")
    other = songs.parent / "other"
    for number, genre in enumerate(("drone", "hiss", "polka")):
        write_sound(other / genre / f"{number}.wav", drone(np.random.default_rng(number), 4.0))
    half_a_second = write_sound(songs.parent / "half a second.wav", drone(np.random.default_rng(9), 0.5))
    bad = songs.parent / "bad.mp3"
    bad.write_text("no sound")
    song = next((songs / "drone").glob("*.mp3"))
    return {
        "import": run("import", songs, "--genre-from", "folder", home=home),
        "preprocess": run("preprocess", home=home),
        "train": run("train", "--name", "m", "--steps", 4, "--holdout-artists", held_out, home=home),
        "evaluate": run("evaluate", "m", home=home),
        "evaluate a folder": run("evaluate", "m", "--folder", other, "--genre-from", "folder", home=home),
        "predict": run("predict", song, bad, half_a_second, songs / "gone.mp3", "--model", "m", home=home),
    }


def test_import(journey: Journey) -> None:
    assert journey.answers["import"].code == 1, "one file failed"
    told = journey["import"]
    assert set(told) == {
        "imported", "already_known", "duplicates", "without_genre", "unmatched_rows", "unmatched", "probable_duplicates",
        "skipped", "failed",
    }  # fmt: skip
    assert (told["imported"], told["already_known"], told["duplicates"]) == (24, 0, 1)
    assert told["probable_duplicates"] == []
    [failed] = told["failed"]
    assert failed["path"] == str(journey.songs / "hiss" / "broken.mp3") and failed["reason"]


def test_preprocess(journey: Journey) -> None:
    assert journey.answers["preprocess"].code == 0
    told = journey["preprocess"]
    assert set(told) == {"done", "skipped", "failed", "seconds", "audio_seconds"}
    assert (told["done"], told["skipped"], told["failed"]) == (24, 0, [])
    assert told["seconds"] > 0 and told["audio_seconds"] == pytest.approx(24 * 6, rel=0.02)


def assert_evaluation(told: dict[str, Any]) -> None:
    assert {"songs", "accuracy", "interval_95", "macro_f1", "genres", "confusion", "skipped"} <= set(told)
    low, high = told["interval_95"]
    assert 0 <= low <= told["accuracy"] <= high <= 1 and 0 <= told["macro_f1"] <= 1
    n = len(told["genres"])
    assert [len(row) for row in told["confusion"]] == [n] * n
    assert sum(map(sum, told["confusion"])) == told["songs"]
    assert sum(told["confusion"][i][i] for i in range(n)) == pytest.approx(told["accuracy"] * told["songs"])


def test_train(journey: Journey) -> None:
    assert journey.answers["train"].code == 0
    told = journey["train"]
    assert {"name", "epochs", "steps", "seconds", "crops_per_second", "test"} <= set(told)
    assert (told["name"], told["steps"]) == ("m", 4) and told["epochs"] >= 1
    assert told["seconds"] > 0 and told["crops_per_second"] > 0
    assert_evaluation(told["test"])
    assert (told["test"]["songs"], told["test"]["genres"]) == (8, ["drone", "hiss"])


def test_evaluate(journey: Journey) -> None:
    assert journey.answers["evaluate"].code == 0
    assert_evaluation(journey["evaluate"])
    exact = ("songs", "accuracy", "interval_95", "macro_f1", "top_2_accuracy", "per_genre", "confusion", "skipped")
    assert all(journey["evaluate"][name] == journey["train"]["test"][name] for name in exact)
    for name in ("ece", "nll"):
        assert journey["evaluate"][name] == pytest.approx(journey["train"]["test"][name], abs=1e-4)


def test_evaluate_a_folder(journey: Journey) -> None:
    assert journey.answers["evaluate a folder"].code == 0
    told = journey["evaluate a folder"]
    assert_evaluation(told)
    assert told["songs"] == 2 and [Path(file["path"]).parent.name for file in told["skipped"]] == ["polka"]
    assert "polka" in told["skipped"][0]["reason"]


def test_predict_answers_each_file_whatever_the_others_are(journey: Journey) -> None:
    assert journey.answers["predict"].code == 1, "two files failed"
    song, bad, short, gone = journey["predict"]
    for row in (song, bad, short, gone):
        assert {"file", "duration_s", "spectrum", "top", "unsure", "over_time", "error"} <= set(row)
    assert song["error"] is None and song["duration_s"] == pytest.approx(6, abs=0.1)
    assert list(song["spectrum"]) == ["drone", "hiss"] and sum(song["spectrum"].values()) == pytest.approx(1, abs=1e-5)
    assert song["top"] == max(song["spectrum"], key=song["spectrum"].get)
    course = song["over_time"]
    assert course["starts_s"][0] == 0 and course["starts_s"] == sorted(course["starts_s"])
    assert {len(rows) for rows in course["spectrum"].values()} == {len(course["starts_s"])}
    assert "not a sound file" in bad["error"] and bad["spectrum"] is None and bad["file"].endswith("bad.mp3")
    assert "cannot be read" in gone["error"]
    assert short["error"] is None and short["unsure"] is True and short["duration_s"] == 0.5


def test_predict_says_what_it_may_claim(journey: Journey) -> None:
    song, bad, *_ = journey["predict"]
    told = song["verdict"]
    assert set(told) == {"kind", "genres", "sentence", "stretches"} and told["sentence"].startswith("This ")
    assert told["kind"] in ("confident", "mixed", "none of these", "not music")
    assert told["stretches"][0]["start_s"] == 0
    assert told["stretches"][-1]["end_s"] == pytest.approx(song["duration_s"], abs=0.01)
    assert song["neighbours"] == [], "nothing has been embedded yet"
    assert bad["verdict"] is None and bad["neighbours"] == []


def test_what_sounds_alike_is_told_once_the_library_is_embedded(journey: Journey, copy: Path) -> None:
    done = json.loads(invoke("embed", "--model", "m", "--map", "--home", copy, "--json").stdout)
    far = done.pop("outliers")
    assert done == {"model": "m", "embedded": 24, "songs": 24, "on_map": True, "failed": []}
    assert set(far) == {"drone", "hiss"} and all(
        set(song) == {"id", "artist", "title", "path"} for song in far["drone"]
    )
    again = json.loads(invoke("embed", "--model", "m", "--home", copy, "--json").stdout)
    assert again["embedded"] == 0 and again["songs"] == 24
    song = next((journey.songs / "drone").glob("*.mp3"))
    alike = json.loads(invoke("predict", song, "--model", "m", "--home", copy, "--json").stdout)[0]["neighbours"]
    assert len(alike) == 5 and alike == sorted(alike, key=lambda one: -one["likeness"])
    assert set(alike[0]) == {"track_id", "artist", "title", "label", "path", "likeness"}
    assert str(song) not in {one["path"] for one in alike}, "a song is not like itself"
    told = invoke("predict", song, "--model", "m", "--other-artists", "--neighbours", 30, "--home", copy, "--json")
    others = json.loads(told.stdout)[0]["neighbours"]
    artist = song.stem.partition(" - ")[0]
    assert len(others) == 22 and artist not in {one["artist"] for one in others}
    part = invoke("predict", song, "--model", "m", "--start", 1, "--end", 2, "--home", copy, "--json")
    assert len(json.loads(part.stdout)[0]["neighbours"]) == 5
    words = invoke("predict", song, "--model", "m", "--home", copy).stdout
    assert f"sounds like {alike[0]['artist']} - {alike[0]['title']}" in words


def test_the_result_is_a_page(journey: Journey, copy: Path, tmp_path: Path) -> None:
    song, page = next((journey.songs / "drone").glob("*.mp3")), tmp_path / "result.html"
    assert invoke("predict", song, "--model", "m", "--home", copy, "--html", page).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and "What spoke for" in text and song.name in text
    two = invoke("predict", song, song, "--model", "m", "--home", copy, "--html", page)
    assert two.exit_code == 2 and "one song" in two.stderr


def test_why(journey: Journey, copy: Path) -> None:
    song = next((journey.songs / "drone").glob("*.mp3"))
    asked = ("why", song, "--genre", "hiss", "--start", 1, "--seconds", 3, "--model", "m", "--home", copy)
    told = json.loads(invoke(*asked, "--json").stdout)
    assert told["genre"] == "hiss" and told["edges_s"][0] == pytest.approx(1, abs=0.05)
    assert told["edges_s"][-1] == pytest.approx(4, abs=0.1)
    assert len(told["influence"]) == len(told["by_time"]) == len(told["edges_s"]) - 1
    assert len(told["by_band"]) == len(told["edges_hz"]) - 1 == len(told["influence"][0])
    words = invoke(*asked).stdout
    assert "By frequency" in words and "kHz" in words
    refused = invoke("why", song, "--genre", "polka", "--model", "m", "--home", copy, "--json")
    assert "does not know 'polka'" in json.loads(refused.stdout)["error"]


def test_a_taken_name_is_refused(journey: Journey) -> None:
    again = invoke("train", "--name", "m", "--steps", 4, "--home", journey.home, "--json")
    told = json.loads(again.stdout)
    assert again.exit_code == 1 and set(told) == {"error"} and "'m' already" in told["error"]


def test_status(journey: Journey) -> None:
    status = invoke("status", "--home", journey.home, "--json")
    told = json.loads(status.stdout)
    assert status.exit_code == 0
    assert told["home"] == str(journey.home)
    assert (told["tracks"], told["labelled"], told["genres"], told["artists"]) == (24, 24, 2, 12)
    assert (told["ready"], told["failed"], told["jobs"]) == (24, 0, [])
    assert told["runs"] == [{"name": "m", "state": "finished", "epochs": journey["train"]["epochs"]}]
    assert "m" in told["models"]


@pytest.fixture
def copy(journey: Journey, tmp_path: Path) -> Path:
    """The workspace the journey made, to change."""
    return Path(shutil.copytree(journey.home, tmp_path / "home"))


def test_doing_it_again_changes_nothing(journey: Journey, copy: Path) -> None:
    again = invoke("import", journey.songs, "--genre-from", "folder", "--home", copy, "--json")
    told = json.loads(again.stdout)
    assert (told["imported"], told["already_known"], told["duplicates"], again.exit_code) == (0, 24, 1, 1)
    done = json.loads(invoke("preprocess", "--home", copy, "--json").stdout)
    assert (done["done"], done["skipped"]) == (0, 24)


def test_people_are_told_in_words(journey: Journey, copy: Path) -> None:
    imported = invoke("import", journey.songs, "--genre-from", "folder", "--home", copy)
    assert "0 new, 24 known already, 1 the same file again" in imported.stdout
    assert "broken.mp3" in imported.stderr and "broken.mp3" not in imported.stdout
    assert "run m: finished" in invoke("status", "--home", copy).stdout
    evaluated = invoke("evaluate", "m", "--home", copy)
    assert "8 songs:" in evaluated.stdout and "95 % interval" in evaluated.stdout and evaluated.exit_code == 0
    song = next((journey.songs / "drone").glob("*.mp3"))
    predicted = invoke("predict", song, "--model", "m", "--home", copy)
    assert predicted.stdout.startswith(f"{song}: ") and "%" in predicted.stdout


def test_a_worker_does_what_waits(journey: Journey, copy: Path) -> None:
    settings = Settings(home=copy)
    queue = open_queue(settings, Database(settings.database))
    job = kinds.submit_evaluate(queue, "m")
    told = run("worker", "--until-empty", home=copy)
    assert (told.code, told.document["worked"]) == (0, True)
    result = queue.get(job.id).result
    assert queue.get(job.id).state == "done" and result
    assert {**result, "evaluation": 0} == {**journey["evaluate"], "evaluation": 0}, "the same figures, kept anew"
    with lock_of(settings):
        busy = json.loads(invoke("worker", "--until-empty", "--home", copy, "--json").stdout)
    assert busy["worked"] is False and "Another worker" in busy["message"]


def test_the_newest_model_is_asked_unless_another_is_named(
    journey: Journey, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.settings.PROJECT", copy)  # no models that come with the project
    song = next((journey.songs / "drone").glob("*.mp3"))
    told = invoke("predict", song, "--home", copy, "--json")
    assert told.exit_code == 0 and json.loads(told.stdout) == journey["predict"][:1]


@pytest.mark.slow
def test_the_same_command_goes_on_after_control_c(journey: Journey, copy: Path, monkeypatch) -> None:
    from core.learning.trainer import Trainer

    arguments = ("train", "--name", "n", "--steps", 3, "--home", copy, "--json")
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "run_epoch", interrupted)
        stopped = invoke(*arguments)
    assert stopped.exit_code == 1 and "goes on from here" in json.loads(stopped.stdout)["error"]
    assert {"name": "n", "state": "stopped", "epochs": 0} in json.loads(
        invoke("status", "--home", copy, "--json").stdout
    )["runs"]
    again = invoke(*arguments)
    assert again.exit_code == 0 and json.loads(again.stdout)["steps"] == 3


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


# -- help, errors, usage -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_the_common_options(command: str) -> None:
    told = invoke(command, "--help")
    assert told.exit_code == 0
    for option in ("--help", "--home", "--json"):
        assert option in told.stdout


def test_help_lists_all_commands_in_the_order_of_use() -> None:
    group = get_command(app)
    place = COMMANDS.index("predict")
    expected = [COMMANDS[0], "playlists", *COMMANDS[1:place], "labels", *COMMANDS[place:]]
    assert group.list_commands(Context(group)) == expected  # type: ignore[attr-defined]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def errors(tmp_path: Path) -> Iterator[tuple[tuple[object, ...], str]]:
    latin = tmp_path / "latin.txt"
    latin.write_bytes("Björk\n".encode("latin-1"))
    yield ("import", tmp_path / "nowhere", "--genre-from", "folder"), "is not a folder"
    yield ("import", tmp_path, "--genre-from", "csv", "--csv", tmp_path / "no.csv"), "no.csv"
    yield ("train", "--name", "m"), "Import songs"
    yield ("train", "--name", "../m"), "cannot be a model's name"
    yield ("train", "--name", "m", "--holdout-artists", latin), "UTF-8"
    yield ("train", "--name", "m", "--holdout-artists", tmp_path / "nobody.txt"), "cannot be read"
    yield ("evaluate", "m"), "no model named 'm'"
    yield ("evaluate", "m", "--folder", tmp_path / "nowhere"), "is not a folder"
    yield ("predict", "a.mp3", "--model", "m"), "no model named 'm'"
    yield ("predict", "a.mp3", "--model", "../../etc"), "no model named '../../etc'"
    yield ("predict", "a.mp3"), "There is no model yet"


def test_an_error_is_one_json_document_with_a_sentence(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.settings.PROJECT", tmp_path)  # no models that come with the project
    for arguments, sentence in errors(tmp_path):
        told = invoke(*arguments, "--home", home, "--json")
        assert told.exit_code == 1, arguments
        document = json.loads(told.stdout)
        assert set(document) == {"error"} and sentence in document["error"], arguments
        for_people = invoke(*arguments, "--home", home)
        assert (for_people.exit_code, for_people.stdout) == (1, ""), arguments
        assert sentence in for_people.stderr.replace("\n", " "), arguments


def test_an_unexpected_error_is_one_json_document_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.doctor.examine", lambda settings: 1 // 0)
    told = invoke("doctor", "--home", home, "--json")
    assert told.exit_code == 1 and "ZeroDivisionError" in json.loads(told.stdout)["error"]
    assert "Traceback" in told.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("sing",),
        ("import",),
        ("import", "."),
        ("import", ".", "--genre-from", "stars"),
        ("import", ".", "--genre-from", "csv"),
        ("import", ".", "--genre-from", "folder", "--csv", "a.csv"),
        ("preprocess", "--what"),
        ("train",),
        ("train", "--name", "m", "--steps", 0),
        ("train", "--name", "m", "--steps", "many"),
        ("train", "--name", "m", "--steps", 2, "--epochs", 2),
        ("train", "--name", "m", "--epochs", 10_001),
        ("train", "--name", "m", "--max-minutes", -1),
        ("train", "--name", "m", "--seed", -1),
        ("train", "--name", "m", "--seed", 2**32),
        ("train", "--name", "m", "--network", "huge"),
        ("evaluate",),
        ("evaluate", "m", "--genre-from", "tag"),
        ("predict",),
    ],
    ids=lambda arguments: " ".join(map(str, arguments)),
)
def test_wrong_usage_is_one_json_document(home: Path, arguments: tuple[object, ...]) -> None:
    told = invoke(*arguments, "--home", home, "--json")
    assert told.exit_code == 2 and set(json.loads(told.stdout)) == {"error"}


def test_doctor(home: Path) -> None:
    told = run("doctor", home=home)
    assert told.code == (0 if told.document["ok"] else 1)
    checks = {check["name"]: check for check in told.document["checks"]}
    assert {"Python", "torch", "torchaudio", "decoder", "yt-dlp", "database", "free disk"} <= set(checks)
    for check in checks.values():
        assert set(check) == {"name", "ok", "needed", "found", "remedy"}
        assert check["ok"] or check["remedy"]


def test_without_a_home_the_environment_says_where(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(home))
    assert json.loads(invoke("status", "--json").stdout)["home"] == str(home)
    assert (home / "data" / "library.db").exists()
