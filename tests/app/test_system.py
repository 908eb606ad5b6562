"""The System page: what is told, what is asked before anything goes, and that a restore changes all or nothing."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from core.database import Database
from core.doctor import Finding
from core.jobs import kinds
from core.jobs.queue import Queue
from core.keeping.backup import back_up
from core.library.playlists import Playlists
from core.settings import Settings
from tests.app.test_pages import click, home, labels, queue, run, show  # noqa: F401
from tests.lists import listed, playlist


def open_at(view: str) -> Any:
    return show("system", **{"system-view": view})


def texts(shown: Any) -> str:
    parts = (shown.markdown, shown.caption, shown.info, shown.success, shown.error, shown.code)
    return "\n".join(part.value for kind in parts for part in kind).replace("\\", "")


def test_what_is_missing_comes_first_with_its_remedy(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    found = [
        Finding("a *well* thing", True, True, "2.0"),
        Finding("a wish", False, False, "none", "Do *this*."),
        Finding("a need", False, True, "gone", "Run `that`."),
    ]
    monkeypatch.setattr("core.doctor.examine", lambda settings: found)
    told = texts(open_at("health"))
    assert told.index("a need") < told.index("a wish") < told.index("a *well* thing")
    assert "1 thing the app needs is not well" in told and "Run `that`." in told and "Do *this*." in told
    found[2] = Finding("a need", True, True, "here")
    shown = open_at("health")
    assert "is not well" in texts(shown), "kept for a while"
    assert "All that is needed is there." in texts(click(shown, "Look again"))


def test_jobs_are_told_with_how_they_ended_and_their_log(home: Settings, queue: Queue) -> None:  # noqa: F811
    assert "Nothing was done in this workspace yet" in texts(open_at("jobs"))
    job = kinds.submit_preprocess(queue)
    claimed = queue.claim("me", job_id=job.id)
    assert claimed
    queue.finish(claimed, "me", "failed", message="No *room*.", traceback="Traceback: here")
    home.logs.mkdir(parents=True)
    (home.logs / "worker.log").write_text("old\n" * 20_000 + "the end\n")
    shown = open_at("jobs")
    told = texts(shown)
    assert "No *room*." in told and "Traceback: here" in told and told.rstrip().endswith("the end")
    assert len(told) < 45_000, "only the end of a long log"
    assert list(shown.dataframe[0].value["state"]) == ["failed"]
    click(shown, "Try again")
    again = queue.latest("preprocess")
    assert again and again.id != job.id and (again.parameters, again.state) == (job.parameters, "queued")
    shown = open_at("jobs")
    click(shown, "Stop")
    assert queue.unfinished() == []


def test_room_is_made_only_when_asked_twice(home: Settings, queue: Queue) -> None:  # noqa: F811
    log, old = home.logs / "worker.log", time.time() - 100_000
    home.logs.mkdir(parents=True)
    log.write_bytes(bytes(1234))
    needed = home.audio / "ab" / "young.mp3"
    needed.parent.mkdir(parents=True)
    needed.write_bytes(b"sound")
    shown = open_at("disk")
    assert "**Logs** · 1 KB, 1 file" in texts(shown) and "Removes 1 file for good: all." in texts(shown)
    assert log.exists(), "nothing went by itself"
    shown = click(shown, "Remove them")
    assert not log.exists() and needed.exists()
    assert "1 KB freed: 1 file of logs removed." in texts(shown)
    os.utime(needed, (old, old))
    st.cache_data.clear()
    job = kinds.submit_preprocess(queue)
    assert "at work" in texts(click(open_at("disk"), "Remove them")) and needed.exists()
    queue.request_stop(job.id)
    click(open_at("disk"), "Remove them")
    assert not needed.exists()


def test_a_backup_is_asked_for_and_offered(home: Settings, queue: Queue) -> None:  # noqa: F811
    shown = open_at("backup")
    shown.radio(key="backup-holds").set_value("everything")
    click(run(shown), "Back up now")
    job = queue.latest("backup")
    assert job and job.parameters["holds"] == "everything"
    back_up(Database(home.database), home, Path(job.parameters["path"]), "everything")
    queue.request_stop(job.id)
    shown = open_at("backup")
    assert Path(job.parameters["path"]).name in texts(shown)
    assert [button.label for button in shown.get("download_button")] == ["Download"]


def test_a_library_that_is_not_empty_is_replaced_only_when_that_is_agreed_to(
    home: Settings,  # noqa: F811
    tmp_path: Path,
) -> None:
    other = Settings(home=tmp_path / "other")
    Playlists(Database(other.database)).take_in(playlist("theirs", listed(1), listed(2)), {"house": 1.0})
    file = tmp_path / "theirs.zip"
    back_up(Database(other.database), other, file, "labels")
    here = Playlists(Database(home.database))
    shown = open_at("backup")
    next(radio for radio in shown.radio if radio.label == "Which backup").set_value("A path, if it is large")
    run(shown)
    shown.text_input[0].set_value(str(file))
    shown = click(run(shown), "Restore")  # empty: nothing to agree to
    assert "Restored: 2 tracks, 0 trainings." in texts(shown) and [row.title for row in here.all()] == ["List theirs"]

    here.take_in(playlist("mine", listed(3)), {"jazz": 1.0})
    shown.text_input[0].set_value(str(file))
    run(shown)
    assert "It holds 2 tracks, 1 playlists" in texts(shown)
    button = next(button for button in shown.button if button.label == "Restore")
    assert button.disabled and len(here.all()) == 2
    shown.checkbox[0].check()
    shown = click(run(shown), "Restore")
    assert [row.title for row in here.all()] == [
        "List theirs"
    ] and "The library of before is in before-restore-" in texts(shown)
    file.write_bytes(file.read_bytes()[:-30])
    shown.text_input[0].set_value(str(file))
    assert "it is damaged" in texts(run(shown)) and "Restore" not in labels(shown)


def test_settings_are_told_without_secrets(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("GENRESCOPE_SPOTIFY_CLIENT_SECRET", "hush-hush")
    monkeypatch.setenv("GENRESCOPE_LEASE_S", "7")
    table = open_at("settings").dataframe[0].value.set_index("name")
    assert table.loc["GENRESCOPE_LEASE_S", "is"] == "7.0" and table.loc["GENRESCOPE_LEASE_S", "from"] == "environment"
    assert table.loc["GENRESCOPE_MAX_AUDIO_S", "from"] == "default"
    assert "hush" not in table.to_csv() and table.loc["GENRESCOPE_SPOTIFY_CLIENT_SECRET", "is"].startswith("••••")
