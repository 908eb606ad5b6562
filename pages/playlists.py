"""Playlists: each stands for genres, and votes for the songs it lists."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import adding, finding, state, ui
from core.errors import GenrescopeError
from core.files import fingerprint
from core.library import mapping
from core.library.playlists import Comparison, PlaylistRow, Reading, parse_weights
from core.music import LISTS


def waiting_section(waiting: list[tuple[Reading, Comparison]]) -> None:
    """What was read: look it over, give genres, take it in."""
    st.subheader(f"{ui.counted(len(waiting), 'playlist')} to look over")
    st.caption("Give each its genres (guessed from its title), untick what you do not want, and take the rest in.")
    known = {(row.source, row.reference): row for row in state.playlist_rows()}
    table = pd.DataFrame(
        {
            "take": [True] * len(waiting),
            "title": [reading.playlist.title for reading, _ in waiting],
            "genres": [_genres_of(reading, known) for reading, _ in waiting],
            "tracks": [compared.tracks for _, compared in waiting],
            "new": [compared.new for _, compared in waiting],
            "in your library": [_overlap(compared) for _, compared in waiting],
            "source": [reading.playlist.source for reading, _ in waiting],
            "owner": [reading.playlist.owner for reading, _ in waiting],
            "skipped": [_skipped(reading.playlist.skipped) for reading, _ in waiting],
        }
    )
    table = table.drop(columns=[name for name in ("owner", "skipped", "in your library") if not table[name].any()])
    edited = st.data_editor(
        table,
        hide_index=True,
        disabled=[column for column in table.columns if column not in ("take", "genres")],
        column_config={
            "take": st.column_config.CheckboxColumn("take in", width=70),
            "genres": _genre_column(),
            "in your library": st.column_config.TextColumn(help="Tracks that you have already, by their genres."),
        },
        height=min(38 + 35 * len(waiting), 560),
        key=f"waiting-{fingerprint([reading.id for reading, _ in waiting])}",
    )
    for reading, compared in waiting:
        if compared.taken_in and (compared.added or compared.removed):
            changed = f"{len(compared.added):,} added, {len(compared.removed):,} removed"
            with st.expander(f"{ui.plain(reading.playlist.title)} was read before: {changed}"):
                _differences(compared)
    taken = [reading for (reading, _), take in zip(waiting, edited["take"], strict=True) if take]
    left, right = st.columns([1, 3])
    if left.button(
        f"Take in {len(taken):,}", type="primary", icon=":material/library_add:", disabled=not taken, width="stretch"
    ):
        with ui.told_errors():
            weights = [parse_weights(entries or []) for entries in edited["genres"]]
            bar = st.progress(0.0, "Taking in …")
            new = 0
            for number, ((reading, _), genres, take) in enumerate(zip(waiting, weights, edited["take"], strict=True)):
                bar.progress(number / len(waiting), f"Taking in {ui.plain(reading.playlist.title)} …")
                if take:
                    new += state.playlists().accept(reading, genres).new
            state.tell(f"{ui.counted(len(taken), 'playlist')} taken in, {ui.counted(new, 'new track')}.")
            st.rerun()
    unticked = [reading.id for (reading, _), take in zip(waiting, edited["take"], strict=True) if not take]
    if right.button(
        f"Discard the {len(unticked):,} unticked" if unticked else "Discard unticked",
        icon=":material/delete:",
        disabled=not unticked,
    ):
        state.playlists().discard(unticked)
        st.rerun()


def mapping_section(rows: list[PlaylistRow]) -> None:
    """Which playlist stands for which genre: change it in the table."""
    st.subheader("What each playlist stands for")
    without = [row for row in rows if not row.genres and row.source != "folder"]
    if without and st.toggle(f"Only the {len(without):,} that stand for nothing yet", key=state.ONLY_WITHOUT):
        rows = without
    table = pd.DataFrame(
        {
            "tick": [False] * len(rows),
            "title": [row.title for row in rows],
            "genres": [_in_cells(row.genres) for row in rows],
            "tracks": [row.tracks for row in rows],
            "source": [row.source for row in rows],
            "owner": [row.owner for row in rows],
            "read": [ui.day(row.read_at) if row.source != "folder" else "imported" for row in rows],
            "skipped": [_skipped(row.skipped) for row in rows],
        }
    )
    table = table.drop(columns=[name for name in ("owner", "skipped") if not table[name].any()])
    key = f"mapping-{fingerprint([(row.id, row.title, row.genres) for row in rows])}"

    def save() -> None:
        changed = state.get(key)["edited_rows"]
        genres = {rows[i].id: cells["genres"] for i, cells in changed.items() if "genres" in cells}
        try:
            weights = {row_id: parse_weights(entries or []) for row_id, entries in genres.items()}
            if weights:
                state.playlists().set_genres(weights)
        except GenrescopeError as error:
            state.put(state.COMPLAINT, str(error))

    edited = st.data_editor(
        table,
        hide_index=True,
        disabled=[column for column in table.columns if column not in ("tick", "genres")],
        column_config={"tick": st.column_config.CheckboxColumn("", width=40), "genres": _genre_column()},
        key=key,
        on_change=save,
        height=min(38 + 35 * len(rows), 560),
    )
    if complaint := state.take(state.COMPLAINT):
        st.error(ui.plain(complaint), icon=":material/error:")
    st.caption(
        "Click a cell under *genres* to choose, or type a new one; *house=0.5* gives a weight. A genre is saved at once."
    )
    ticked = [row for row, tick in zip(rows, edited["tick"], strict=True) if tick]
    left, middle, right = st.columns([1, 1, 2])
    readable = [row for row in ticked if row.source in state.sources() and _can_be_read(row)]
    if left.button(
        f"Read {len(readable)} again" if readable else "Read again",
        icon=":material/refresh:",
        disabled=not readable,
        width="stretch",
    ):
        adding.read([(row.source, row.reference) for row in readable])
    if middle.button(
        f"Remove {len(ticked)}" if ticked else "Remove", icon=":material/delete:", disabled=not ticked, width="stretch"
    ):
        with ui.told_errors():
            state.playlists().remove([row.id for row in ticked])
            st.rerun()
    with right:
        ui.undo_button()


def share_section() -> None:
    """The mapping as a file, out and in."""
    found = mapping.current(state.database())
    left, right = st.columns(2)
    left.download_button("Save as YAML", mapping.as_yaml(found), "genrescope-mapping.yaml", icon=":material/save:")
    right.download_button("Save as CSV", mapping.as_csv(found), "genrescope-mapping.csv", icon=":material/table:")
    file = st.file_uploader(
        "Open a mapping (YAML or CSV)", type=["yaml", "yml", "csv"], key=f"mapping-file-{state.get(state.DROPPED, 0)}"
    )
    if file is None:
        return
    with ui.told_errors():
        wanted = mapping.parse(file.name, file.getvalue())
        changes = mapping.differences(state.database(), wanted)
        if not changes:
            st.info("Nothing in it differs from what is there.", icon=":material/check:")
            return
        st.markdown(f"**{len(changes):,} changes** this file would make:")
        st.dataframe(pd.DataFrame([vars(change) for change in changes]), hide_index=True)
        if st.button(f"Make these {len(changes):,} changes", type="primary", icon=":material/check:"):
            mapping.take_over(state.database(), wanted)
            state.put(state.DROPPED, state.get(state.DROPPED, 0) + 1)
            state.tell(f"{ui.counted(len(changes), 'change')} made.")
            st.rerun()


def _genre_column() -> Any:
    return st.column_config.MultiselectColumn(
        options=_in_cells({genre.name: 1 for genre in state.vocabulary()}), accept_new_options=True, width="medium"
    )


def _genres_of(reading: Reading, known: Mapping[tuple[str, str], PlaylistRow]) -> list[str]:
    row = known.get((reading.playlist.source, reading.playlist.reference))
    if row:
        return _in_cells(row.genres)
    guess = state.guess_genre(reading.playlist.title)
    return [guess] if guess else []


def _in_cells(genres: Mapping[str, float]) -> list[str]:
    return [genre if weight == 1 and "=" not in genre else f"{genre}={weight!r}" for genre, weight in genres.items()]


def _overlap(compared: Comparison) -> str:
    return ", ".join(f"{genre} {n}" for genre, n in list(compared.genres.items())[:4])


def _skipped(skipped: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in skipped.items())


def _differences(compared: Comparison) -> None:
    left, right = st.columns(2)
    left.dataframe(pd.DataFrame({"added": compared.added}), hide_index=True, height=200)
    right.dataframe(pd.DataFrame({"removed": compared.removed}), hide_index=True, height=200)


def _can_be_read(row: PlaylistRow) -> bool:
    """A list that was dropped into the browser has no address to read it from again; drop it again."""
    return row.source not in LISTS or Path(row.reference).is_absolute()


adding.come_back_from_spotify()
ui.header(
    "Playlists", "A playlist that stands for a genre votes for every song in it. Add some, and say what they stand for."
)
reading_job = state.queue().latest("read")
rows, waiting = state.playlist_rows(), state.waiting(searched=False)
with st.expander(
    "**Add playlists**", expanded=not rows and not waiting, icon=":material/playlist_add:", key=state.ADD_OPEN
):
    adding.section()
for complaint in state.take(state.FAILED_FILES) or ():
    st.error(complaint, icon=":material/error:")
ui.job_panel(reading_job)
if waiting:
    waiting_section(waiting)
if rows:
    mapping_section(rows)
else:
    ui.undo_button()
if rows or state.vocabulary():
    with st.expander("**Find more playlists**", icon=":material/search:", key=state.SEARCH_OPEN):
        finding.section()
    with st.expander("**Keep and share what stands for what**", icon=":material/share:", key=state.SHARE_OPEN):
        share_section()
