"""Every command answers: one JSON document or one sentence, in UTF-8, with the documented exit code."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import core.__main__
from core.errors import STOPPED
from core.settings import Settings
from tests.cli.test_commands import invoke

PROJECT = Path(__file__).resolve().parents[2]
HOME = {
    "a file": "file",
    "below a file": "file/below",
    "a device": "/dev/null",
    "a link to itself": "loop",
    "a long name": "n" * 300,
    "nobody's home": "~nobody-of-this-name",
    "below a link to itself": "loop/below",
}


@pytest.mark.parametrize("what", HOME)
def test_a_workspace_that_can_be_none_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("loop").symlink_to("loop")
    for arguments in (("status",), ("models", "list"), ("doctor",), ("disk",)):
        told = invoke(*arguments, "--home", HOME[what], "--json")
        assert told.exit_code == 1 and list(json.loads(told.stdout)) == ["error"], told.output
        people = invoke(*arguments, "--home", HOME[what])
        assert people.stdout == "" and people.stderr.count("\n") == 1 and "--home" in people.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "loop"]


def test_a_setting_that_cannot_be_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_PROCESSES", "many")
    told = invoke("status", "--home", tmp_path, "--json")
    assert told.exit_code == 1 and "GENRESCOPE_PROCESSES cannot be 'many'" in json.loads(told.stdout)["error"]
    monkeypatch.delenv("GENRESCOPE_PROCESSES")
    monkeypatch.setenv("GENRESCOPE_HOME", "/dev/null")
    assert "not a folder" in json.loads(invoke("status", "--json").stdout)["error"]


@pytest.mark.parametrize(
    "arguments", [(), ("sing",), ("tracks", "--limit", "x"), ("tracks", "--what"), ("import",), ("models", "export")]
)
def test_wrong_usage_is_one_document_too(arguments: tuple[str, ...]) -> None:
    told = invoke(*arguments, "--json")
    assert told.exit_code == 2 and list(json.loads(told.stdout)) == ["error"] and told.stderr == ""


def test_bytes_that_are_no_utf8_come_out_as_utf8(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    document = invoke("status", "--home", odd, "--json")
    assert json.loads(document.stdout_bytes.decode("utf-8"))["home"] == str(odd)
    assert "caf\\udce9" in invoke("status", "--home", odd).stdout_bytes.decode("utf-8")


NOISY = """
import ctypes, os, sys, runpy
sys.argv = ["core", *sys.argv[1:]]
import core.settings
real = core.settings.Settings.read.__func__
def read(cls, **given):
    os.write(1, b"from a native library\\n")
    ctypes.CDLL(None).puts(b"from C")
    print("from Python")
    os.system("echo from a child")
    return real(cls, **given)
core.settings.Settings.read = classmethod(read)
runpy.run_module("core", run_name="__main__")
"""


@pytest.mark.slow
def test_what_libraries_print_is_not_in_the_answer(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOISY, "status", "--home", str(tmp_path), "--json"],
        cwd=PROJECT, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and json.loads(done.stdout)["home"] == str(tmp_path), done.stderr
    assert all(f"from {what}" in done.stderr for what in ("a native library", "Python", "a child"))


@pytest.mark.slow
def test_a_reader_that_left_and_a_full_disk_end_in_no_traceback(tmp_path: Path) -> None:
    call = f"{sys.executable} -m core status --home {tmp_path} --json"
    done = subprocess.run(["bash", "-c", f"{call} | true"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    if Path("/dev/full").exists():
        full = subprocess.run(
            ["bash", "-c", f"{call} > /dev/full"], cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert full.returncode == 1 and full.stderr.count("\n") == 1 and "cannot be written" in full.stderr
    closed = subprocess.run(["bash", "-c", f"{call} >&- "], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert closed.stderr == ""


HELD = """
import os, runpy, sys, time
started, wanted = sys.argv[1], sys.argv[2]
sys.argv = ["core", *sys.argv[3:]]
class Wait:  # an import that takes a while, of a module of that name
    def find_spec(self, name, path=None, target=None):
        if name == wanted and not os.path.exists(started):
            open(started, "w").close()
            try:
                time.sleep(30)
            except KeyboardInterrupt as stopped:
                raise ImportError(f"{name} cannot be loaded") from stopped
sys.meta_path.insert(0, Wait())
sys.path.insert(0, "")
runpy.run_module("core", run_name="__main__", alter_sys=True)
"""
"""The command, with Ctrl-C while it imports a module, which makes an ImportError of it as compiled modules do."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        *(("core.errors", ("status",)), ("typer", ("status",)), ("numpy", ("status",)), ("rich.console", ("status",))),
        *(("torch", ("doctor",)), ("core.learning.model", ("models", "list")), ("core.library.runs", ("status",))),
    ],
)
def test_ctrl_c_while_a_module_is_imported_is_answered(tmp_path: Path, module: str, arguments: tuple[str, ...]) -> None:
    for more, number in ((("--json",), 0), ((), 1)):
        started = tmp_path / f"started-{number}"
        call = [sys.executable, "-c", HELD, str(started), module, *arguments, "--home", str(tmp_path / "home"), *more]
        process = subprocess.Popen(
            call, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        try:
            while not started.exists() and process.poll() is None:
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 1 and "Traceback" not in err, err
        if more:
            assert json.loads(out) == {"error": STOPPED}
        else:
            assert (out, err) == ("", f"Error: {STOPPED}\n")


def test_both_say_the_same_of_ctrl_c() -> None:
    assert core.__main__.STOPPED == STOPPED


def test_a_workspace_is_read_with_its_settings(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert Settings.read(home=tmp_path / "link").home == tmp_path / "real", "made when something is written"
