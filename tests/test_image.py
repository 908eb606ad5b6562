"""The image and the workflows. There need be no Docker: the Dockerfile's steps are followed in a clean directory."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath

import pytest
import yaml

from tests import image
from tests.image import Stage

PROJECT = Path(__file__).resolve().parents[1]
STAGES = image.read(PROJECT / "Dockerfile")
FLAVOURS = ("demo", "full")
NEVER_GIVEN = (
    ".env", ".streamlit/secrets.toml", ".git/config", "data/library.db", "data/secrets/spotify.json", "data/audio/a.mp3",
    "models/mine/card.json", "tests/conftest.py", ".venv/bin/python", ".venv-demo/bin/python", "core/__pycache__/a.pyc",
    "requirements-dev.txt",
)  # fmt: skip


@pytest.fixture(scope="module")
def files() -> list[str]:
    """The project's own files: all that is not ignored by git."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    ran = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip("this is no git checkout, so what a build is given cannot be told")
    return [name for name in ran.stdout.splitlines() if (PROJECT / name).is_file()]


@pytest.fixture(params=FLAVOURS)
def stage(request: pytest.FixtureRequest) -> Stage:
    return image.built(STAGES, request.param)


def test_hadolint_finds_no_fault() -> None:
    hadolint = shutil.which("hadolint") or shutil.which("hadolint", path=Path(sys.executable).parent)
    if hadolint is None:
        pytest.skip("hadolint comes as a package for Linux on x86-64 only")
    ran = subprocess.run(
        [hadolint, "--no-color", "Dockerfile"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.returncode) == ("", 0)


def test_an_image_is_safe_and_looked_after(stage: Stage) -> None:
    words = [word for word, _ in stage.instructions]
    assert re.fullmatch(r"python:3\.11-slim", stage.base)
    assert stage.all("USER")[-1] == "genrescope", "not root"
    assert words.index("USER") > max(place for place, word in enumerate(words) if word == "RUN"), "nothing is its own"
    assert len(stage.all("HEALTHCHECK")) == len(stage.all("CMD")) == 1
    assert image.command(stage.all("CMD")[0])[0] == "streamlit"
    assert "ADD" not in words, "nothing from the web but packages"
    told = image.environment(stage)
    assert told["STREAMLIT_SERVER_ADDRESS"] == "0.0.0.0" and "GENRESCOPE_ALLOW_OUTSIDE" not in told
    assert not [name for name in told if re.search("SECRET|TOKEN|PASSWORD|CLIENT", name)]


def test_guests_get_the_demo_and_no_more(files: list[str]) -> None:
    demo, full = (image.built(STAGES, flavour) for flavour in FLAVOURS)
    assert "ARG FLAVOUR=demo\n" in (PROJECT / "Dockerfile").read_text(), "if nothing is said"
    assert image.environment(demo)["GENRESCOPE_MODE"] == "demo" and "GENRESCOPE_MODE" not in image.environment(full)
    assert any("-r requirements-demo.txt" in run for run in demo.all("RUN"))
    assert not any("requirements.txt" in text for _, text in demo.instructions)
    assert demo.all("VOLUME") == [] and full.all("VOLUME") == [image.environment(full)["GENRESCOPE_HOME"]]


def test_what_is_private_is_not_given_to_a_build(files: list[str]) -> None:
    ignoring = image.patterns(PROJECT / ".dockerignore")
    assert [name for name in NEVER_GIVEN if not image.is_ignored(PurePosixPath(name), ignoring)] == []
    given = image.context(PROJECT, files)
    assert {"app/main.py", "core/settings.py", "models/genrescope-starter/model.onnx", "data/genres.yaml"} <= set(given)
    assert "models/encoder-msd-musicnn/encoder.onnx" in given
    assert not [name for name in given if name.startswith(("tests/", "docs/", ".github/", "benchmarks/"))]


@pytest.mark.parametrize(
    ("name", "patterns", "ignored"),
    [
        ("a/b", ["*"], True),
        ("a/b", ["*", "!a"], False),
        ("a/b/c.pyc", ["*", "!a", "**/*.pyc"], True),
        ("a/b", ["a/*", "!a/b"], False),
        ("ab", ["a"], False),
        ("x/a", ["a"], False),
        ("models/x-1/card", ["*", "!models/x-*"], False),
        ("models/y/card", ["*", "!models/x-*"], True),
    ],
)
def test_the_reader_of_dockerignore_can_tell(name: str, patterns: list[str], ignored: bool) -> None:
    assert image.is_ignored(PurePosixPath(name), patterns) is ignored


PIP = """#!/bin/sh -e
# In place of pip: the packages are in the environment of the tests already; what is asked for must be there to read.
[ "$1" = install ] && [ "$2" = -r ] && [ -s "$3" ] && [ -f pyproject.toml ]
"""


@pytest.mark.slow
def test_its_steps_lead_to_an_app_that_answers(stage: Stage, files: list[str], tmp_path: Path) -> None:
    """All of the Dockerfile in order, in an empty folder; packages are those of this environment."""
    place, tools = tmp_path / "srv", tmp_path / "tools"
    place.mkdir()
    tools.mkdir()
    for name, script in (("pip", PIP), ("useradd", "#!/bin/sh\n"), ("install", '#!/bin/sh\nmkdir -p "$5"\n')):
        (tools / name).write_text(script.replace('"$5"', str(tmp_path / "workspace")))
        (tools / name).chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    surroundings = {
        **image.environment(stage),
        "PATH": f"{tools}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(place),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/nonexistent",
        "STREAMLIT_SERVER_PORT": str(port),
        "STREAMLIT_SERVER_ADDRESS": "127.0.0.1",
    }
    if "GENRESCOPE_HOME" in surroundings:
        surroundings["GENRESCOPE_HOME"] = str(tmp_path / "workspace")
    given = image.context(PROJECT, files)
    for word, text in stage.instructions:
        if word == "COPY":
            assert image.copy(PROJECT, given, text, place)
        elif word == "RUN":
            subprocess.run(["sh", "-e", "-c", text], cwd=place, env=surroundings, check=True, timeout=120)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    log = (tmp_path / "log").open("wb")
    server = subprocess.Popen(image.command(stage.all("CMD")[0]), cwd=place, env=surroundings, stdout=log, stderr=log)
    try:
        check = image.command(stage.all("HEALTHCHECK")[0].partition("CMD ")[2])
        deadline = time.monotonic() + 60
        while subprocess.run(check, cwd=place, env=surroundings, capture_output=True, check=False).returncode:
            assert server.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.3)
        shown = subprocess.run(
            [sys.executable, "-c", SHOWN], cwd=place, env=surroundings, capture_output=True, text=True, check=False
        )
        assert shown.stdout.strip().splitlines()[-1:] == [str(place)], shown.stderr[-2000:]
    finally:
        server.kill()
        server.wait()
        log.close()
    if stage.name == "demo":
        assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before, "nothing was written"


SHOWN = """
from pathlib import Path
from streamlit.testing.v1 import AppTest
import core
shown = AppTest.from_file("app/frame.py", default_timeout=60).run()
assert not shown.exception and not shown.error and shown.title, (shown.exception, shown.error)
print(Path(core.__file__).parents[1])
"""
"""Opens the first page of the copy, and says where it was read from."""


# -- requirements, Makefile, workflows ---------------------------------------------------------------------------------


def _pins(name: str) -> dict[str, str]:
    lines = (PROJECT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def test_the_demo_has_the_same_versions() -> None:
    demo, full = _pins("requirements-demo.txt"), _pins("requirements.txt")
    assert {name: version for name, version in demo.items() if full.get(name) != version} == {}
    assert not {"torch", "librosa", "scipy", "plotly", "scikit-learn", "yt-dlp", "spotipy"} & set(demo)


def test_make_demo_and_the_image_start_the_same() -> None:
    made = subprocess.run(
        ["make", "--dry-run", "--assume-old=demo-install", "demo", "HOST=0.0.0.0", "PORT=9000"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    ).stdout.replace("\\\n", " ")  # fmt: skip
    assert "GENRESCOPE_MODE=demo .venv-demo/bin/streamlit run app/main.py" in made
    assert "--server.address=0.0.0.0" in made and "--server.port=9000" in made
    size = image.environment(image.built(STAGES, "demo"))["STREAMLIT_SERVER_MAX_UPLOAD_SIZE"]
    assert f"--server.maxUploadSize={size}" in made
    any_name = image.environment(image.built(STAGES, "demo"))["STREAMLIT_SERVER_ALLOWED_HOSTS"]
    assert f"--server.allowedHosts={any_name}" in made, "guests come under whatever name the machine has"
    config = (PROJECT / ".streamlit" / "config.toml").read_text()
    assert "enableXsrfProtection = true" in config
    assert "XSRF" not in made and "XSRF" not in str(image.environment(image.built(STAGES, "demo"))), "nor switched off"


@pytest.fixture(params=["tests", "image"])
def workflow(request: pytest.FixtureRequest) -> dict[object, object]:
    read = yaml.safe_load((PROJECT / ".github" / "workflows" / f"{request.param}.yml").read_text())
    assert isinstance(read, dict)
    return read


def test_workflows_may_do_little_and_use_pinned_actions(workflow: dict[str, dict[str, dict[str, object]]]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] and job["runs-on"] == "ubuntu-latest"
        permissions = job.get("permissions", {})
        assert isinstance(permissions, dict) and set(permissions.items()) <= {
            ("contents", "read"),
            ("packages", "write"),
        }
        steps = job["steps"]
        assert isinstance(steps, list) and steps[0]["uses"].startswith("actions/checkout@")
        for step in steps:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]) if "uses" in step else step["run"]


def test_tests_run_as_they_do_here_and_images_are_published_on_tags() -> None:
    tests, published = (
        yaml.safe_load((PROJECT / ".github" / "workflows" / f"{name}.yml").read_text()) for name in ("tests", "image")
    )
    runs = [step["run"] for step in tests["jobs"]["tests"]["steps"] if "run" in step]
    assert runs == [".ci/run"] and os.access(PROJECT / ".ci" / "run", os.X_OK)
    assert published[True] == {"push": {"tags": ["v*"]}}  # YAML reads `on` as true
    (job,) = published["jobs"].values()
    flavours = [one["flavour"] for one in job["strategy"]["matrix"]["include"]]
    assert flavours == [stage.name for stage in STAGES if stage.name in FLAVOURS] == list(FLAVOURS)
    build = job["steps"][-1]["with"]
    assert build["context"] == "." and build["build-args"] == "FLAVOUR=${{ matrix.flavour }}"
