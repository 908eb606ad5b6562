"""The doctor: what is there and what is missing, each with its remedy; and its one repair."""

import importlib
import importlib.util
import shutil
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from core import doctor
from core.doctor import Finding, examine, repair_torchaudio
from core.settings import Settings

NAMES = [
    "Python", "torch", "torchaudio", "decoder", "yt-dlp", "JavaScript runtime", "Spotify credentials", "database",
    "free disk",
]  # fmt: skip


def find(settings: Settings, name: str) -> Finding:
    return next(finding for finding in examine(settings) if finding.name == name)


def test_every_check_is_told_and_what_is_not_well_has_a_remedy(settings: Settings) -> None:
    findings = examine(settings)
    assert [finding.name for finding in findings] == NAMES
    for finding in findings:
        assert finding.found and type(finding.ok) is type(finding.needed) is bool
        assert finding.ok is (finding.remedy == ""), finding
    needed = {finding.name for finding in findings if finding.needed}
    assert needed == {"Python", "torch", "torchaudio", "decoder", "database"}


def test_what_this_environment_needs_is_there(settings: Settings) -> None:
    assert [finding for finding in examine(settings) if finding.needed and not finding.ok] == []
    assert "mp3" in find(settings, "decoder").found and "webm/Opus" in find(settings, "decoder").found


@pytest.mark.parametrize(("age", "ok"), [(0, True), (60, True), (61, False), (1000, False)])
def test_an_old_yt_dlp_is_told_with_its_age(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, age: int, ok: bool
) -> None:
    released = date.today() - timedelta(days=age)
    monkeypatch.setattr(doctor, "version", lambda name: f"{released:%Y.%m.%d}.1")
    finding = find(settings, "yt-dlp")
    assert (finding.ok, f"{age} days" in finding.found) == (ok, True)
    assert ok or "pip install --upgrade yt-dlp" in finding.remedy


def test_a_yt_dlp_without_a_date_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "version", lambda name: "nightly")
    finding = find(settings, "yt-dlp")
    assert (finding.ok, finding.found) == (False, "nightly, of unknown age") and finding.remedy


def test_a_missing_yt_dlp_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", absent)
    finding = find(settings, "yt-dlp")
    assert (finding.ok, finding.needed, finding.found) == (False, False, "not installed") and finding.remedy


def test_a_torchaudio_that_cannot_be_loaded_is_told_with_its_repair(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = importlib.import_module

    def refuse(name: str, *rest: Any) -> Any:
        if name == "torchaudio":
            raise OSError("libcudart.so.13: cannot open shared object file\nand more")
        return load(name, *rest)

    monkeypatch.setattr(importlib, "import_module", refuse)
    finding = find(settings, "torchaudio")
    assert (finding.ok, finding.needed) == (False, True)
    assert finding.found == "libcudart.so.13: cannot open shared object file"
    assert "doctor --repair" in finding.remedy


@pytest.mark.parametrize(
    ("node", "ok", "found"),
    [("v22.1.0", True, "node v22.1.0"), ("v20.9.0", False, "older than 22"), ("", False, "none")],
)
def test_a_javascript_runtime_may_be_a_new_node(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, node: str, ok: bool, found: str
) -> None:
    if node:
        (tmp_path / "node").write_text(f"#!/bin/sh\necho {node}\n")
        (tmp_path / "node").chmod(0o755)
    monkeypatch.setattr(doctor.sys, "executable", str(tmp_path / "python"))
    which = shutil.which
    monkeypatch.setattr(doctor.shutil, "which", lambda name, path=None: which(name, path=path or str(tmp_path)))
    finding = find(settings, "JavaScript runtime")
    assert finding.ok is ok and found in finding.found
    assert ok or "pip install deno" in finding.remedy


def test_a_missing_decoder_is_told_by_the_name_people_know(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import av.codec

    monkeypatch.setattr(av.codec, "codecs_available", set(av.codec.codecs_available) - {"opus"})
    finding = find(settings, "decoder")
    assert not finding.ok and "webm/Opus" in finding.remedy and "webm/Opus" not in finding.found


def test_spotify_credentials_are_told_of_and_never_shown(settings: Settings) -> None:
    given = Settings(home=settings.home, spotify_client_id="sesame", spotify_client_secret="open sesame")
    assert find(given, "Spotify credentials").ok and not find(settings, "Spotify credentials").ok
    assert "sesame" not in str(examine(given))


def test_a_database_that_is_none_is_told(settings: Settings) -> None:
    settings.data.mkdir(parents=True)
    settings.database.write_bytes(b"not a library at all" * 500)
    finding = find(settings, "database")
    assert not finding.ok and str(settings.database) in finding.found and "data/backups" in finding.remedy


def test_a_workspace_that_cannot_be_made_is_told(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    blocked = settings.model_copy(update={"home": tmp_path / "file"})
    finding = find(blocked, "database")
    assert not finding.ok and "--home" in finding.remedy


def test_little_disk_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=1_234_567))
    finding = find(settings, "free disk")
    assert (finding.ok, finding.found) == (False, "1.2 MB") and finding.remedy


# -- the repair --------------------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A torchaudio that is not the real one: its `lib` folder."""
    lib = tmp_path / "torchaudio" / "lib"
    lib.mkdir(parents=True)
    for name in ("_torchaudio.so", "libctc.so", "notes.txt"):
        (lib / name).touch()
    spec = SimpleNamespace(origin=str(lib.parent / "__init__.py"))
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: spec if name == "torchaudio" else find_spec(name, *rest)
    )
    return lib


def test_the_repair_takes_away_extensions_that_want_cuda_once(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    assert repair_torchaudio() is True
    assert [file.name for file in installed.iterdir()] == ["notes.txt"]
    assert repair_torchaudio() is False


def test_the_repair_does_nothing_where_torch_has_cuda(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    assert repair_torchaudio() is False
    assert len(list(installed.iterdir())) == 3
