"""What pages share on the screen: header, empty state, errors told, a job's panel.

What needs a library opens it only where it is asked for: a guest has none.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.navigation import pages
from core.database import damage, newest_backup
from core.errors import GenrescopeError, LibraryError, disk_trouble
from core.files import duration_in_words
from core.music import GenreDistribution

if TYPE_CHECKING:
    from core.jobs.queue import Job

VOTERS = {
    "hand": "you", "folder": "folder", "tag": "tag in the file", "csv": "table", "playlist": "playlist",
    "musicbrainz": "MusicBrainz",
}  # fmt: skip
"""Sources of votes, as people know them."""
NAMES = {
    "import": "Import", "sample": "Sample library", "preprocess": "Spectrograms", "train": "Training", "evaluate": "Evaluation", "crossvalidate": "Cross-validation",
    "collect": "Collecting", "read": "Reading playlists", "search": "Search", "musicbrainz": "Genres from MusicBrainz",
    "fetch_model": "Fetching a model", "embed": "Listening to the library",
    "speed": "Measuring this machine", "backup": "Backup",
}  # fmt: skip


def header(title: str, lead: str) -> None:
    """A page's title, and one sentence on what it is for."""
    st.title(title)
    st.markdown(lead)
    with st.container():  # always there, so that what comes after keeps its place, and what is open stays open
        if told := session.take(session.TOLD):
            st.success(plain(told), icon=":material/check:")


def empty(message: str, *, go_to: str, label: str) -> None:
    """Nothing to show here yet: why, and the way to where that is changed."""
    with st.container(border=True):
        st.markdown(message)
        if st.button(label, type="primary", icon=":material/arrow_forward:"):
            st.switch_page(pages()[go_to])
        if go_to == "library" and not _has_songs():
            st.page_link(pages()["home"], label="No songs at hand? Home makes a sample library", icon=":material/home:")


def _has_songs() -> bool:
    from app import state

    return bool(state.counts()["tracks"])


@contextmanager
def told_errors() -> Iterator[None]:
    """Show an expected error as a sentence; what was begun in the block is then not done."""
    try:
        yield
    except GenrescopeError as error:
        st.error(plain(str(error)), icon=":material/error:")


def tell_uncaught(error: Exception) -> bool:
    """Say what no page caught, in a sentence. True: Streamlit has written it to its log, and shows nothing of its own."""
    kind = type(error).__name__
    if known := error if isinstance(error, GenrescopeError) else disk_trouble(error):
        text = str(known)
    elif session.is_guest():
        text = f"Something went wrong here that nobody foresaw ({kind}). Load this page again, or come back later."
    elif fault := damage(session.settings().database, thorough=True):
        text = fault
    else:
        text = (
            f"Something went wrong here that nobody foresaw ({kind}). What was done before is kept. Load this page again. If "
            "it comes back, please report it, with what Genrescope says in the terminal that it was started from."
        )
    st.error(plain(text), icon=":material/error:")
    return True


def look_after_library() -> None:
    """Before a page: complete a restore that was cut off; stop at a damaged library, with a way to its newest backup."""
    settings = session.settings()
    if settings.restoring.exists():
        from core.keeping.restoring import complete

        if told := complete(settings):
            session.tell(told)
    fault = damage(settings.database)
    if not fault:
        return
    st.title("Genrescope")
    st.error(plain(fault.replace("`", "")), icon=":material/error:")
    newest = newest_backup(settings.data / "backups")
    if newest and newest.suffix == ".zip" and st.button(f"Restore {plain(newest.name)}", icon=":material/restore:"):
        from core.keeping.restoring import restore

        with told_errors():
            result = restore(newest, settings, replace=True)
            session.tell(
                f"Restored: {counted(result['rows']['tracks'], 'track')}. The damaged library is in {result['kept']}."
            )
            st.rerun()
    st.stop()


def label_form(track_ids: Sequence[int], *, key: str = "edit", what: str = "ticked") -> None:
    """Give songs a genre by hand."""
    from app import state

    with st.form(key, border=True):
        genres = st.multiselect(
            f"Genre of the {len(track_ids)} {what} song{'s' * (len(track_ids) > 1)}",
            state.library().genres(),
            accept_new_options=True,
            placeholder="choose, or type a new one; several share the song equally",
        )
        if st.form_submit_button("Give this genre", type="primary") and genres:
            with told_errors():
                state.library().label_by_hand(track_ids, dict.fromkeys(genres, 1.0), who=state.who())
                st.rerun()


def do(action: Callable[[], object], told: str = "") -> None:
    """An edit, then the page anew; a refusal is told instead."""
    with told_errors():
        action()
        if told:
            session.tell(told)
        st.rerun()


def undo_button(*, shortcut: str | None = None) -> None:
    """The way back from the latest edit, wherever it was made; with a key for it, if one is given."""
    from app import state

    edit = state.latest_edit()
    if edit and st.button(f"Undo: {plain(edit.description)}", icon=":material/undo:", shortcut=shortcut):
        with told_errors():
            state.undo(edit.id)
            session.tell(f"Taken back: {edit.description}.")
            st.rerun()


def plain(text: str) -> str:
    """`text` as it is, where Markdown would be read: names from files may hold anything."""
    return "".join("\\" + ch if ch in r"\`*_{}[]()#+-.!|<>~$:&" else ch for ch in text)


def label_in_words(label: GenreDistribution | None) -> str:
    """A label such as `techno`, or `techno 67 %, house 33 %`; '' for none."""
    if label is None:
        return ""
    if len(label.weights) == 1:
        return label.top
    return ", ".join(f"{genre} {weight:.0%}" for genre, weight in label.weights)


def clock(duration_s: float | None) -> str:
    """A length such as `3:05`; `?` if it is not known."""
    if duration_s is None:
        return "?"
    minutes, seconds = divmod(round(duration_s), 60)
    return f"{minutes}:{seconds:02d}"


def counted(n: int, noun: str) -> str:
    """`1 track`, `2,000 tracks`."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def day(at: str | None) -> str:
    """The day of a time as the library keeps it; `never` for none."""
    return at[:10] if at else "never"


def subfolders(folder: Path, *, limit: int = 200) -> list[Path]:
    """Visible folders in `folder`, by name. `LibraryError` if it may not be read."""
    try:
        inside = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError as error:
        raise LibraryError(f"{folder} cannot be opened: {error.strerror}.") from error
    return sorted(inside, key=lambda path: path.name.casefold())[:limit]


def job_panel(job: "Job | None", *, refresh_s: float = 1.0) -> None:
    """How far a job is, with a way to stop it, and how it ended. Refreshes itself; the page runs anew at its end.

    Read the job before the data it changes: else it may end in between, and the page show old data beside its end.
    """
    if job is None:
        return
    from app import state
    from core.jobs import worker

    @st.fragment(run_every=refresh_s if job.unfinished else None)
    def panel(job_id: int, *, was_unfinished: bool) -> None:
        now = state.queue().get(job_id)
        if now.unfinished:
            worker.ensure_worker(state.settings(), state.queue())
            _progress(now)
        elif was_unfinished:
            st.rerun()
        else:
            _ending(now)

    panel(job.id, was_unfinished=job.unfinished)


def _progress(job: "Job") -> None:
    from app import state

    name = NAMES[job.kind]
    left, right = st.columns([5, 1], vertical_alignment="bottom")
    with left:
        if job.state == "queued":
            before = [other for other in state.queue().unfinished(lane=job.lane) if other.id < job.id]
            waiting = f"after {NAMES[before[0].kind].lower()}" if before else "for a worker to start"
            st.progress(0.0, f"**{name}**: waiting {waiting} …")
        else:
            share = job.done / job.total if job.total else 0.0
            told = f"{job.done:,} of {job.total:,}" if job.total else "starting …"
            time_left = f", about {duration_in_words(job.seconds_left)} left" if job.seconds_left else ""
            message = f"{plain(job.message)} · " if job.message else ""
            st.progress(min(share, 1.0), f"**{name}**: {message}{told}{time_left}")
    stop = "Pause" if job.kind == "collect" else "Stop"
    if job.stop_requested:
        right.button("Stopping …", disabled=True, key=f"stop-{job.id}", width="stretch")
    else:
        right.button(
            stop,
            icon=":material/pause:" if job.kind == "collect" else ":material/stop:",
            key=f"stop-{job.id}",
            width="stretch",
            on_click=state.queue().request_stop,
            args=(job.id,),
        )


def _ending(job: "Job") -> None:
    name = NAMES[job.kind]
    if job.id in session.get(session.DISMISSED, ()):
        return
    if job.state == "failed":
        st.error(f"**{name} failed.** {plain(job.message)}", icon=":material/error:")
        if job.traceback:
            with st.expander("Details for a bug report"):
                st.code(job.traceback, language=None)
    elif job.state == "stopped" and job.kind == "collect":
        return  # the page says how to go on
    elif job.state == "stopped":
        st.warning(f"**{name} was stopped.** What was done is kept; start it again to go on.", icon=":material/stop:")
    elif job.result and _is_news(job.kind, job.result, is_recent=_is_recent(job)):
        _outcome(job.kind, job.result)
    else:
        return
    st.button(
        "Dismiss", icon=":material/close:", type="tertiary", key=f"dismiss-{job.id}", on_click=dismiss, args=(job.id,)
    )


def dismiss(job_id: int) -> None:
    """The ending of a job was read, and is not shown again in this session."""
    session.put(session.DISMISSED, {*session.get(session.DISMISSED, ()), job_id})


def _is_news(kind: str, result: Mapping[str, Any], *, is_recent: bool) -> bool:
    """Whether it is told what a job came to: older good news is no news."""
    if kind == "collect":  # one that only completed what was accepted by ear came to nothing else
        return is_recent and any(result[name] for name in ("fetched", "doubtful", "failed", "waiting"))
    return is_recent or bool(result.get("failed") and kind not in ("read", "search"))


def _is_recent(job: "Job") -> bool:
    """Whether a job ended within the hour."""
    ended = datetime.fromisoformat(job.finished_at or job.created_at)
    return datetime.now(UTC) - ended < timedelta(hours=1)


def _listed(title: str, items: Sequence[Mapping[str, str]]) -> None:
    """Files or folders with a reason each."""
    with st.expander(title):
        st.dataframe(
            [{"file": Path(item["path"]).name, "reason": item["reason"], "path": item["path"]} for item in items],
            hide_index=True,
        )


def _outcome(kind: str, result: Mapping[str, Any]) -> None:
    """A finished import or preprocessing in words, with what failed."""
    failed = result.get("failed", []) if kind != "collect" else []
    read = [row for row in result.get("playlists", ()) if not row["error"]]
    if kind == "import":
        known = f", {result['already_known']:,} known already" if result["already_known"] else ""
        again = f", {result['duplicates']:,} the same file again" if result["duplicates"] else ""
        skipped = f", {len(result['skipped']):,} skipped" if result.get("skipped") else ""
        no_genre = f", {result['without_genre']:,} without a genre" if result.get("without_genre") else ""
        told = f"{result['imported']:,} new songs{known}{again}{no_genre}{skipped}"
    elif kind == "sample":
        told = f"{counted(result['songs'], 'made-up song')}, ready to look at and to learn from"
    elif kind == "preprocess":
        told = f"{result['done']:,} spectrograms made in {duration_in_words(result['seconds'])}"
    elif kind == "read":
        told = f"{counted(len(read), 'playlist')}, {counted(sum(row['tracks'] for row in read), 'track')}"
    elif kind == "search":
        told = f"{counted(result['found'], 'playlist')} found"
    elif kind == "collect":
        told = f"{counted(result['fetched'], 'song')} fetched; {result['doubtful']:,} doubtful, "
        told += f"{sum(result['failed'].values()):,} failed, {result['waiting']:,} wait"
    elif kind == "fetch_model":
        told = f"{plain(result['name'])} can be chosen now; it knows {plain(', '.join(result['genres']))}"
    elif kind == "embed":
        told = f"{plain(result['model'])} knows where {counted(result['songs'], 'song')} lie"
    elif kind == "train":
        told = f"{plain(result['name'])} can be asked on the Predict page now"
    elif kind == "backup":
        told = plain(result["told"])
    elif kind in ("evaluate", "crossvalidate"):
        told = f"{result['accuracy']:.0%} of {counted(result['songs'], 'song')} right"
    elif kind == "musicbrainz":
        told = f"{counted(result['asked'], 'track')} asked about, genres found for {result['found']:,}"
    else:
        return
    failures = f", {len(failed):,} failed" if failed else ""
    if kind != "read" or read:  # where nothing could be read, the reasons are enough
        st.success(f"**{NAMES[kind]} done:** {told}{failures}.", icon=":material/check:")
    if failed:
        if kind in ("read", "search"):
            for item in failed:
                st.error(f"**{plain(item['path'])}**: {plain(item['reason'])}", icon=":material/error:")
            return
        _listed(f"{counted(len(failed), 'file')} could not be used, and why", failed)
    if skipped_items := result.get("skipped") if kind == "import" else None:
        _listed(f"{counted(len(skipped_items), 'item')} skipped, and why", skipped_items)
    if unmatched := result.get("unmatched_rows"):
        with st.expander(
            f"{counted(unmatched, 'row')} of the table used for no file, and why", icon=":material/warning:"
        ):
            st.dataframe(result["unmatched"], hide_index=True)
    if pairs := result.get("probable_duplicates"):
        with st.expander(f"{len(pairs):,} pairs are probably the same recording"):
            st.caption("Both were imported. A split never puts them on two sides.")
            st.dataframe([{"new": Path(a).name, "older": Path(b).name} for a, b in pairs], hide_index=True)
