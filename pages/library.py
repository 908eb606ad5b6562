"""Library: songs come in, get their spectrograms, and their genres are mended."""

from pathlib import Path

import pandas as pd
import streamlit as st

from app import sounds, state, terms, ui
from app.navigation import pages
from core.audio.waveform import SUFFIXES
from core.files import duration_in_words
from core.jobs import kinds
from core.jobs.queue import Job
from core.library import summary
from core.library.importing import SEVERAL, GenreFrom
from core.library.store import TrackRow

SHOWN = 1000  # songs of the table: more is for searching
WAYS: dict[GenreFrom, str] = {
    "folder": "the folder a song lies in",
    "top-folder": "the first folder inside",
    "tag": "the genre tag in the file",
    "csv": "a table (CSV)",
}


def choose_folder() -> None:
    """A box for the path, and a way to walk there."""
    path = st.text_input(
        "Folder of songs on this computer",
        key=state.FOLDER,
        placeholder=str(Path.home() / "Music"),
        help=f"Subfolders are searched too. Files: {', '.join(sorted(suffix[1:] for suffix in SUFFIXES))}.",
    )
    with st.popover("Browse", icon=":material/folder_open:"):
        here = Path(path or Path.home()).expanduser()
        here = here if here.is_dir() else Path.home()
        st.caption(ui.plain(str(here)))
        st.button("Up", icon=":material/arrow_upward:", on_click=state.put, args=(state.FOLDER, str(here.parent)))
        with ui.told_errors():
            for folder in ui.subfolders(here):
                target = (state.FOLDER, str(folder))
                st.button(
                    ui.plain(folder.name), icon=":material/folder:", key=str(folder), on_click=state.put, args=target
                )


def import_section() -> None:
    """Choose a folder, see what each way of telling the genre would give, import."""
    choose_folder()
    folder = state.get(state.FOLDER)
    if not folder:
        return
    directory = Path(folder).expanduser().resolve()
    with st.expander("The genres are in a table (CSV)"):
        table = st.text_input("CSV file with the columns path and genre", placeholder=str(directory / "songs.csv"))
    csv_file = Path(table).expanduser().resolve() if table else None
    with ui.told_errors():
        rows, total = state.import_preview(str(directory), str(csv_file) if csv_file else None)
        if not rows:
            st.warning(f"There are no audio files in {ui.plain(str(directory))}. Choose another folder.")
            return
        preview = pd.DataFrame([vars(row) for row in rows])
        deep = any(Path(row.path).parent.parent != directory for row in rows)
        ways = [way for way in WAYS if (way != "csv" or csv_file) and (way != "top-folder" or deep)]
        looked_at = f"of {len(rows):,} looked at: " if len(rows) < total else ""
        captions = [looked_at + _counts(preview[way.replace("-", "_")]) for way in ways]
        st.markdown(f"**{total:,} audio files.** Where does a song's genre come from?")
        way = st.radio(
            "Genre from", ways, format_func=WAYS.__getitem__, captions=captions, label_visibility="collapsed"
        )
        if guessed := sum("guess" in row.note for row in rows):
            st.info(
                f"The tags of {ui.counted(guessed, 'file')} don't say how their text is encoded. Check the names below: the "
                "encoding is a guess."
            )
        with st.expander(f"What that gives for {len(rows):,} of them"):
            columns = {"artist": "artist", "title": "title", way.replace("-", "_"): "genre", "path": "file"}
            if preview["note"].any():
                columns["note"] = "tags"
            st.dataframe(preview[list(columns)].rename(columns=columns), hide_index=True, height=240)
        copy = st.checkbox("Copy the files into the workspace", help="Else they are used where they lie.")
        if st.button(f"Import {total:,} files", type="primary", icon=":material/download:"):
            state.begin(kinds.submit_import(state.queue(), directory, way, csv_file=csv_file, copy=copy))
            st.rerun()


def _counts(genres: "pd.Series[str]") -> str:
    counts = genres[genres != ""].str.split(SEVERAL).explode().value_counts()
    told = ", ".join(f"{ui.plain(str(genre))} {n}" for genre, n in counts.head(6).items())
    return (told + (f" and {len(counts) - 6} more" if len(counts) > 6 else "")) or "nothing"


def spectrogram_section(tracks: list[TrackRow], job: Job | None) -> None:
    """Make the spectrograms that are missing; try failed ones again."""
    waiting = sum(track.state == "waiting" for track in tracks)
    failed = [track.id for track in tracks if track.state == "failed"]
    recipe = state.RECIPE
    if waiting:
        st.markdown(
            f"**{waiting:,} songs have no spectrogram yet.** It is the picture of a song that a network learns from "
            f"(about {duration_in_words(waiting * 0.15)} on two cores)."
        )
        terms.term("mel spectrogram")
    elif not failed:
        st.page_link(
            pages()["train"],
            label="Every song has its spectrogram. Next: train a network",
            icon=":material/arrow_forward:",
        )
    row = st.container(horizontal=True)
    if waiting and row.button("Make spectrograms", type="primary", icon=":material/equalizer:"):
        state.begin(kinds.submit_preprocess(state.queue(), retry_failed=False))
        st.rerun()
    if failed and row.button(f"Try the {len(failed):,} failed ones again", icon=":material/refresh:"):
        state.begin(kinds.submit_preprocess(state.queue(), track_ids=failed))
        st.rerun()
    ui.job_panel(job)
    with st.expander("Recipe"):
        st.caption(
            f"Mono at {recipe.sample_rate:,} Hz; windows of {recipe.n_fft} samples every {recipe.hop_length}; "
            f"{recipe.n_mels} mel bands; decibels in steps of 0.5. Fingerprint {recipe.fingerprint}."
        )
        if st.button(
            "Make again what was lost", icon=":material/healing:", help="Looks at every spectrogram that was made."
        ):
            state.begin(kinds.submit_preprocess(state.queue(), retry_failed=False))
            st.rerun()


def table_section(tracks: list[TrackRow]) -> None:
    """Find songs, hear them, give them a genre."""
    words = st.text_input("Search", placeholder="title, artist, genre …", icon=":material/search:")
    found = summary.matching(tracks, words)
    rows = found[:SHOWN]
    table = pd.DataFrame(
        {
            "play": ["▶" if track.path else "" for track in rows],
            "title": [track.title for track in rows],
            "artist": [track.artist for track in rows],
            "genre": [ui.label_in_words(track.label) for track in rows],
            "duration": [
                pd.NaT if track.duration_s is None else pd.Timestamp(0) + pd.Timedelta(seconds=track.duration_s)
                for track in rows
            ],
            "spectrogram": [track.state for track in rows],
            "note": [track.reason for track in rows],
        }
    )

    def play() -> None:
        state.put(state.PLAYING, rows[state.get(state.PLAY_CLICK)["row"]].id)

    chosen = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        column_config={
            "play": st.column_config.ButtonColumn(
                "sound", key=state.PLAY_CLICK, on_click=play, width=60, type="tertiary"
            ),
            "duration": st.column_config.DatetimeColumn(format="m:ss", width=80),
            "title": st.column_config.TextColumn(width="medium"),
        },
        height=420,
    )
    shown = f"The first {SHOWN:,} of " if len(found) > SHOWN else ""
    st.caption(f"{shown}{len(found):,} of {len(tracks):,} songs. Tick rows to change their genre.")
    wanted = state.get(state.PLAYING)
    playing = next((track for track in tracks if track.id == wanted), None)
    if playing:
        st.markdown(f"**{ui.plain(playing.title)}** · {ui.plain(playing.artist)}")
        sounds.player(playing, key="playing", autoplay=True)
    edit_section([rows[i].id for i in chosen["selection"]["rows"] if i < len(rows)])


def edit_section(track_ids: list[int]) -> None:
    """Give the ticked songs a genre; take the last edit back."""
    if track_ids:
        ui.label_form(track_ids)
        if st.button(f"Make spectrograms of the {len(track_ids)} ticked", icon=":material/equalizer:"):
            state.begin(kinds.submit_preprocess(state.queue(), track_ids=track_ids))
            st.rerun()
    ui.undo_button()


ui.header("Library", "Your songs, and what genre each one is said to be.")
importing, preprocessing = state.queue().latest("import"), state.queue().latest("preprocess")
tracks = state.tracks()
with st.expander("**Import a folder of songs**", expanded=not tracks, icon=":material/create_new_folder:"):
    import_section()
ui.job_panel(importing)
if any(track.path for track in tracks):
    spectrogram_section(tracks, preprocessing)
elif tracks:
    ui.empty(
        "These songs come from playlists and have no sound yet. Have them collected, or import a folder that holds them: a "
        "file that is certainly one of them becomes its sound.",
        go_to="collect",
        label="Collect their sound",
    )
if tracks:
    table_section(tracks)
