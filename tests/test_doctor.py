"""What is there and what is missing is told, each with its remedy."""

from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from core import doctor
from core.settings import Settings

NAMES = {
    "Python", "torch", "torchaudio", "decoder", "yt-dlp", "JavaScript runtime", "Spotify credentials", "database", "free disk",
}  # fmt: skip


def test_everything_is_looked_at_and_what_is_missing_has_a_remedy(settings: Settings) -> None:
    findings = doctor.examine(settings)
    assert {finding.name for finding in findings} == NAMES
    for finding in findings:
        assert finding.found
        assert finding.ok or finding.remedy
    needed = {finding.name: finding.ok for finding in findings if finding.needed}
    assert needed == dict.fromkeys(("Python", "torch", "torchaudio", "decoder", "database"), True)


def found(monkeypatch: pytest.MonkeyPatch, settings: Settings, name: str) -> doctor.Finding:
    return next(finding for finding in doctor.examine(settings) if finding.name == name)


@pytest.mark.parametrize(("age", "ok"), [(0, True), (60, True), (61, False), (1000, False)])
def test_an_old_yt_dlp_is_told(monkeypatch: pytest.MonkeyPatch, settings: Settings, age: int, ok: bool) -> None:
    released = date.today() - timedelta(days=age)
    monkeypatch.setattr(doctor, "version", lambda name: f"{released:%Y.%m.%d}")
    finding = found(monkeypatch, settings, "yt-dlp")
    assert (finding.ok, bool(finding.remedy)) == (ok, not ok)
    assert f"{age} days" in finding.found


def test_a_missing_yt_dlp_is_told(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", missing)
    assert "pip install" in found(monkeypatch, settings, "yt-dlp").remedy


@pytest.mark.parametrize(("told", "ok"), [("v22.1.0", True), ("v24.0.0", True), ("v20.9.1", False), ("", False)])
def test_node_must_be_new_enough(monkeypatch: pytest.MonkeyPatch, settings: Settings, told: str, ok: bool) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name, path=None: "/bin/node" if name == "node" else None)
    monkeypatch.setattr(doctor, "_first_line", lambda *command: told)
    assert found(monkeypatch, settings, "JavaScript runtime").ok is ok


def test_credentials_are_told_of_and_never_told(settings: Settings) -> None:
    given = Settings(home=settings.home, spotify_client_id="very-secret", spotify_client_secret="more-secret")  # type: ignore[arg-type]
    finding = next(finding for finding in doctor.examine(given) if finding.name == "Spotify credentials")
    assert finding.ok
    assert "secret" not in str(doctor.examine(given))


def test_a_database_that_is_none_is_told(settings: Settings) -> None:
    settings.data.mkdir(parents=True)
    settings.database.write_bytes(b"not a database at all " * 100)
    finding = next(finding for finding in doctor.examine(settings) if finding.name == "database")
    assert not finding.ok
    assert "backups" in finding.remedy


def test_torchaudio_is_mended_only_beside_a_torch_without_cuda(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import importlib.machinery

    import torch

    package = tmp_path / "torchaudio"
    (package / "lib").mkdir(parents=True)
    extension = package / "lib" / "_torchaudio.so"
    extension.touch()
    spec = importlib.machinery.ModuleSpec("torchaudio", None, origin=str(package / "__init__.py"))
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: spec)

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert doctor.repair_torchaudio() is False
    assert extension.exists()
    monkeypatch.setattr(torch.version, "cuda", None)
    assert doctor.repair_torchaudio() is True
    assert not extension.exists()
