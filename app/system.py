"""The machine and the workspace on the screen: findings, jobs with their logs, room on the disk, backups, settings."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import streamlit as st

from app import state, ui
from core.doctor import Finding
from core.errors import LibraryError
from core.files import duration_in_words, size_in_words
from core.jobs import kinds
from core.jobs.queue import MAIN, Job
from core.keeping import backup, disk, restoring
from core.settings import in_force

DOWNLOADABLE_BYTES = 500_000_000
"""A larger backup is not sent through the browser: where it lies is told."""
LOG_BYTES = 40_000
"""So much of the end of a log is shown."""
WAYS = ("A file", "A path, if it is large", "One that lies here")
"""Where a backup is taken from."""
STATES = {"queued": "waiting", "running": "at work", "done": "done", "failed": "failed", "stopped": "stopped"}


# -- health ----------------------------------------------------------------------------------------------------------------


def health_section() -> None:
    """What is there and what is missing on this machine, each with its remedy."""
    findings = state.findings()
    if missing := [one for one in findings if not one.ok and one.needed]:
        st.error(f"{ui.counted(len(missing), 'thing')} the app needs is not well. What to do is told below.")
    elif absent := [one for one in findings if not one.ok]:
        st.success(
            f"All that is needed is there. {len(absent)} of what only some need is not.", icon=":material/check:"
        )
    else:
        st.success("All is well.", icon=":material/check:")
    for finding in sorted(findings, key=lambda one: (one.ok, not one.needed)):
        _finding(finding)
    if st.button("Look again", icon=":material/refresh:"):
        state.look_again()
        st.rerun()


def _finding(finding: Finding) -> None:
    icon = ":material/check_circle:" if finding.ok else ":material/error:" if finding.needed else ":material/info:"
    colour = "green" if finding.ok else "red" if finding.needed else "orange"
    st.markdown(f":{colour}[{icon}] **{ui.plain(finding.name)}** · {ui.plain(finding.found)}")
    if finding.remedy:
        st.caption(ui.plain(finding.remedy))


# -- jobs ------------------------------------------------------------------------------------------------------------------


def jobs_section() -> None:
    """All jobs, newest first; one of them looked at closer."""
    history = state.queue().history(limit=100)
    if not history:
        st.info("Nothing was done in this workspace yet. Imports, trainings and all other long work is listed here.")
        return

    @st.fragment(run_every=2.0 if any(job.unfinished for job in history) else None)
    def table() -> None:
        st.dataframe(
            [_job_row(job) for job in state.queue().history(limit=100)],
            hide_index=True,
            column_config={
                "done": st.column_config.ProgressColumn("done", min_value=0.0, max_value=1.0, format="percent")
            },
        )

    table()
    by_id = {job.id: job for job in history}
    chosen = st.selectbox("Look closer at", list(by_id), format_func=lambda number: _job_name(by_id[number]))
    _job(by_id[chosen])


def _job_name(job: Job) -> str:
    return f"{job.id}: {ui.NAMES.get(job.kind, job.kind)}, {STATES[job.state]}"


def _job_row(job: Job) -> dict[str, Any]:
    begun = datetime.fromisoformat(job.created_at)
    ended = datetime.fromisoformat(job.finished_at) if job.finished_at else None
    share = 1.0 if job.state == "done" else job.done / job.total if job.total else 0.0
    return {
        "job": job.id,
        "what": ui.NAMES.get(job.kind, job.kind),
        "state": STATES[job.state],
        "done": min(share, 1.0),
        "asked for": begun.astimezone().strftime("%Y-%m-%d %H:%M"),
        "took": duration_in_words((ended - begun).total_seconds()) if ended else "",
        "said last": job.message,
    }


def _job(job: Job) -> None:
    """What was asked for, what came of it, and the log of the worker that did it."""
    with st.container(border=True):
        if job.message:
            st.markdown(ui.plain(job.message))
        with st.container(horizontal=True):
            if job.unfinished:
                st.button("Stop", icon=":material/stop:", disabled=job.stop_requested, key=f"system-stop-{job.id}",
                          on_click=state.queue().request_stop, args=(job.id,))  # fmt: skip
            elif (
                job.state in ("failed", "stopped")
                and job.kind in AGAIN
                and st.button("Try again", icon=":material/replay:", key=f"again-{job.id}")
            ):
                state.begin(state.queue().submit(job.kind, job.parameters, key=job.key))
                state.tell(f"{ui.NAMES[job.kind]} was begun again; it goes on where it was.")
                st.rerun()
        if job.traceback:
            st.caption("For a bug report:")
            st.code(job.traceback, language=None)
        left, right = st.columns(2)
        with left.expander("What was asked for"):
            st.json(job.parameters, expanded=1)
        with right.expander("What came of it"):
            st.json(job.result or {}, expanded=1)
        _log(job)


AGAIN = frozenset(kinds.KINDS) - {"backup"}
"""Kinds of job that the same question begins anew, or goes on with; a backup is made of a new name."""


def _log(job: Job) -> None:
    path = state.settings().logs / ("worker.log" if job.lane == MAIN else f"worker-{job.lane}.log")
    if not path.is_file() or path.is_symlink():
        st.caption("There is no log: it was done by a command, or the log was cleaned up.")
        return
    with st.expander(f"Log of its worker ({path.name})"):
        st.code(_end_of(path) or "(empty)", language=None, height=320)
        st.download_button("Download the log", partial(path.read_bytes), path.name, "text/plain",
                           icon=":material/download:", on_click="ignore", key=f"log-{job.id}")  # fmt: skip


def _end_of(path: Path) -> str:
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - LOG_BYTES))
        text = stream.read().decode("utf-8", "replace")
    return text if size <= LOG_BYTES else "…\n" + text.partition("\n")[2]


# -- disk ------------------------------------------------------------------------------------------------------------------


def disk_section() -> None:
    """Room taken by each kind of file, and what of it may go."""
    uses = state.disk_uses()
    total, free = sum(use.size_bytes for use in uses), sum(use.free_bytes for use in uses)
    left, middle, right = st.columns(3)
    left.metric("This workspace takes", size_in_words(total), border=True)
    middle.metric("Of it may go", size_in_words(free), border=True)
    right.metric("Free on the disk", size_in_words(state.free_bytes()), border=True)
    st.caption(f"It lies in {ui.plain(str(state.settings().home))}.")
    for use in (use for use in uses if use.files or use.linked):
        with st.container(border=True):
            told, act = st.columns([4, 1], vertical_alignment="center")
            size = "a link to elsewhere: left alone" if use.linked else size_in_words(use.size_bytes)
            files = f", {ui.counted(use.files, 'file')}" if use.files else ""
            told.markdown(f"**{use.title}** · {size}{files}  \n{use.explained}")
            if use.free_files:
                with act:
                    _clean(use)
    if none := [use.title.lower() for use in uses if not (use.files or use.linked)]:
        st.caption(f"Nothing yet: {', '.join(none)}.")


def _clean(use: disk.Use) -> None:
    """Ask once, then remove."""
    with st.popover(f"Free {size_in_words(use.free_bytes)}", icon=":material/cleaning_services:", width="stretch"):
        st.markdown(f"Removes {ui.counted(use.free_files, 'file')} for good: {use.what_may_go}.")
        if st.button("Remove them", type="primary", key=f"clean-{use.kind}", icon=":material/delete_forever:"):
            with ui.told_errors():
                freed, files = disk.clean(state.database(), state.settings(), use.kind)
                state.forget_disk_uses()
                state.tell(f"{size_in_words(freed)} freed: {ui.counted(files, 'file')} of {use.title.lower()} removed.")
                st.rerun()


# -- backup and restore ----------------------------------------------------------------------------------------------------


def backup_section() -> None:
    """Make a backup, and take one in."""
    ui.job_panel(state.queue().latest("backup"))
    left, right = st.columns(2)
    with left:
        _make()
        _lying_here()
    with right:
        _restore()


def _make() -> None:
    st.subheader("Back up")
    st.markdown("The library as one file, also while jobs run. Passwords and tokens never go along.")
    sizes = state.backup_sizes()
    holds = st.radio(
        "What it holds",
        list(backup.HOLDS),
        format_func=lambda one: f"{backup.HOLDS[one].capitalize()} ({size_in_words(sizes[one])})",
        key="backup-holds",
    )
    st.caption("Songs that lie elsewhere on this computer never go along: the library keeps where they are.")
    if st.button("Back up now", type="primary", icon=":material/save:"):
        with ui.told_errors():
            state.begin(kinds.submit_backup(state.queue(), state.settings(), holds))
            st.rerun()


def _lying_here() -> None:
    """Backups that lie in the workspace, to be taken away."""
    for path in backup.kept(state.settings())[:5]:
        size = path.stat().st_size
        with st.container(border=True):
            st.markdown(f"**{ui.plain(path.name)}** · {size_in_words(size)}")
            if size <= DOWNLOADABLE_BYTES:
                st.download_button("Download", partial(path.read_bytes), path.name, "application/zip",
                                   icon=":material/download:", on_click="ignore", key=f"download-{path.name}")  # fmt: skip
            else:
                st.caption("Too large for the browser. Copy it from here:")
                st.code(str(path), language=None, wrap_lines=True)


def _restore() -> None:
    st.subheader("Restore")
    st.markdown("The library becomes what a backup holds, whole or not at all.")
    here = {path.name: path for path in backup.kept(state.settings())}
    way = st.radio("Which backup", WAYS, horizontal=True, label_visibility="collapsed")
    source: Path | BinaryIO | None = None
    if way == "One that lies here":
        if here:
            source = here[st.selectbox("Backup", list(here))]
        else:
            st.caption("None lies here yet.")
    elif way.startswith("A path"):
        typed = st.text_input(
            "Where it lies on this computer", placeholder="/home/me/genrescope-20260101-everything.zip"
        )
        source = Path(typed.strip()).expanduser() if typed.strip() else None
    else:
        box = f"{state.DROPPED}-backup-{state.get(state.DROPPED, 0)}"
        source = cast(BinaryIO | None, st.file_uploader("A backup", ["zip"], key=box))
    if source is not None:
        with ui.told_errors():
            _confirm(source)


def _confirm(source: Path | BinaryIO) -> None:
    """Say what is in a backup, and what becomes of what is here; then do it."""
    manifest = restoring.look(source)
    st.info(f"It holds {ui.plain(backup.in_words(manifest))}.", icon=":material/inventory_2:")
    agreed = True
    if not restoring.is_empty(state.database()):
        tracks = state.counts()["tracks"]
        agreed = st.checkbox(
            f"Replace the library that is here ({ui.counted(tracks, 'track')}). It is backed up first."
        )
    if st.button("Restore", type="primary", icon=":material/restore:", disabled=not agreed):
        told = _taken_in(source)
        state.put(state.DROPPED, state.get(state.DROPPED, 0) + 1)
        state.forget_disk_uses()
        state.tell(told)
        st.rerun()


def _taken_in(source: Path | BinaryIO) -> str:
    doing = "Unpacking and checking every file …"
    bar = st.progress(0.0, doing)

    def tell(done: int, total: int) -> None:
        bar.progress(done / max(total, 1), doing)

    try:
        result = restoring.restore(
            source,
            state.settings(),
            replace=True,
            on_progress=tell,
        )
    except OSError as error:
        raise LibraryError(f"The backup cannot be taken in: {error.strerror or error}.") from error
    finally:
        bar.empty()
    return _outcome(result)


def _outcome(result: Mapping[str, Any]) -> str:
    rows = result["rows"]
    told = f"Restored: {ui.counted(rows['tracks'], 'track')}, {ui.counted(rows['runs'], 'training')}."
    if result["kept"]:
        told += f" The library of before is in {Path(result['kept']).name}."
    if result["not_in_it"]:
        told += f" The sound of {ui.counted(result['not_in_it'], 'song')} is not on this computer."
    return told


# -- settings --------------------------------------------------------------------------------------------------------------


def settings_section() -> None:
    """What is set, by which name, and where that comes from."""
    st.markdown(
        "To change one, set its name in the environment, in `.env`, or (in small letters, without GENRESCOPE) in "
        "`.streamlit/secrets.toml`, and start the app again."
    )
    rows = sorted(in_force(state.settings()), key=lambda one: one.source == "default")
    st.dataframe(
        [{"name": one.name, "is": one.value, "from": one.source, "what it does": one.explained} for one in rows],
        hide_index=True,
        height="content",
    )
