"""Settings: which source wins, where things lie, and that secrets stay secret."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from core.settings import PROJECT, Settings, in_force


@pytest.fixture
def sources(tmp_path: Path) -> type[Settings]:
    """Settings that read their files from a folder of the test's own."""

    class Here(Settings):
        model_config = SettingsConfigDict(env_file=tmp_path / ".env", toml_file=tmp_path / "secrets.toml")

    return Here


def test_the_stronger_source_wins(sources: type[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sources().lease_s == 10
    (tmp_path / "secrets.toml").write_text("lease_s = 1\n")
    assert sources().lease_s == 1
    (tmp_path / ".env").write_text("GENRESCOPE_LEASE_S=2\n")
    assert sources().lease_s == 2
    monkeypatch.setenv("GENRESCOPE_LEASE_S", "3")
    assert sources().lease_s == 3
    assert sources(lease_s=4).lease_s == 4


def test_sources_complement_each_other(
    sources: type[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets.toml").write_text('spotify_client_id = "id"\n[other]\nthing = 1\n')
    (tmp_path / ".env").write_text("GENRESCOPE_PROCESSES=3\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("GENRESCOPE_HOME", str(tmp_path))
    settings = sources(max_audio_s=5)
    assert (settings.home, settings.processes, settings.max_audio_s) == (tmp_path, 3, 5)
    assert settings.spotify_client_id is not None
    assert settings.spotify_client_id.get_secret_value() == "id"


def test_the_files_that_are_read_lie_in_the_project() -> None:
    assert Settings.model_config["env_file"] == PROJECT / ".env"
    assert Settings.model_config["toml_file"] == PROJECT / ".streamlit" / "secrets.toml"
    assert (PROJECT / "pyproject.toml").is_file()


def test_names_without_our_prefix_are_not_read(sources: type[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASE_S", "77")
    assert sources().lease_s == 10


def test_the_workspace_is_the_project_unless_told_otherwise(sources: type[Settings]) -> None:
    assert sources().home == PROJECT


def test_the_workspace_is_absolute(sources: type[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert sources(home=Path("work/../mine")).home == tmp_path / "mine"
    assert sources(home=Path("~/music")).home == tmp_path / "me" / "music"
    monkeypatch.setenv("GENRESCOPE_HOME", "there")
    assert sources().home == tmp_path / "there"


def test_an_empty_variable_is_no_workspace(
    sources: type[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENRESCOPE_HOME", "")
    assert sources().home == PROJECT


def test_everything_lies_inside_the_workspace(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert settings.database == tmp_path / "data" / "library.db"
    for folder in (settings.audio, settings.spectrograms, settings.runs, settings.logs):
        assert folder.parent == settings.data == tmp_path / "data"
    assert settings.models == tmp_path / "models"
    assert list(tmp_path.iterdir()) == []  # naming a folder does not make it


def test_shipped_models_are_found_from_anywhere_and_once(tmp_path: Path) -> None:
    assert Settings(home=tmp_path).model_folders == (tmp_path / "models", PROJECT / "models")
    assert Settings(home=PROJECT).model_folders == (PROJECT / "models",)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, spotify_client_id="public-id", spotify_client_secret="very-secret")
    for shown in (repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()):
        assert "very-secret" not in shown
        assert "public-id" not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"processes": 0},
        {"lease_s": 0},
        {"max_audio_s": -1},
        {"max_audio_bytes": 0},
        {"force_stop_s": 0},
        {"worker_idle_s": "soon"},
    ],
    ids=str,
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type]


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings(home=tmp_path).lease_s = 3


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "localhost", "::1", "[::1]"])
def test_this_machine_alone_may_always_listen(address: str) -> None:
    assert Settings().refusal_to_listen(address) == ""


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "::", "192.168.1.7", "example.org", "localhost.example.org"])
def test_listening_outside_has_to_be_told_twice(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GENRESCOPE_ALLOW_OUTSIDE=yes" in Settings().refusal_to_listen(address)
    assert Settings(mode="demo").refusal_to_listen(address) == ""
    monkeypatch.setenv("GENRESCOPE_ALLOW_OUTSIDE", "yes")
    assert Settings().refusal_to_listen(address) == ""


def test_every_setting_tells_where_it_comes_from_and_no_secret(
    sources: type[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets.toml").write_text('spotify_client_id = "very secret"\nlease_s = 1\n')
    (tmp_path / ".env").write_text("GENRESCOPE_PROCESSES=3\nGENRESCOPE_LEASE_S=2\n")
    monkeypatch.setenv("GENRESCOPE_DASK_SCHEDULER", "tcp://me:pass@host:8786")
    told = {one.name: one for one in in_force(sources(home=tmp_path))}
    assert set(told) == {f"GENRESCOPE_{name.upper()}" for name in Settings.model_fields}
    where = {name.removeprefix("GENRESCOPE_").lower(): one.source for name, one in told.items()}
    assert where["spotify_client_id"] == "secrets.toml"
    assert where["lease_s"] == where["processes"] == ".env"
    assert where["dask_scheduler"] == "environment"
    assert where["home"] == "command line"
    assert where["contact"] == where["max_audio_s"] == where["spotify_client_secret"] == "default"
    assert told["GENRESCOPE_LEASE_S"].value == "2.0"
    assert told["GENRESCOPE_SPOTIFY_CLIENT_SECRET"].value == "not set"
    text = " ".join(one.value for one in told.values())
    assert "very secret" not in text and "pass" not in text and "host:8786" in text
