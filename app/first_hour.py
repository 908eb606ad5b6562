"""The first hour of a builder on the Home page: three doors, and the sample library that needs none of them."""

import streamlit as st

from app import answers, state, ui
from app.navigation import pages
from core.audio.synthesis import STYLES
from core.errors import GenrescopeError
from core.jobs import kinds
from core.learning import model as models
from core.library import sample
from core.library.sample import N_SONGS

KNOWN = 6
"""So many genres of a model are named at a door."""


def doors(shipped: models.Entry | None) -> None:
    """Where one can begin, with nothing there yet."""
    ways = [
        (
            "library",
            "Import my music",
            ":material/library_music:",
            "Choose a folder of songs on this computer. Its subfolders, or the tags in the files, say which genre each song is.",
        ),
        (
            "playlists",
            "Start from playlists",
            ":material/queue_music:",
            "Give links of playlists that stand for a genre. You see what is in them, then their songs are looked for.",
        ),
    ]
    if shipped and shipped.card:
        known = ", ".join(shipped.card.genres[:KNOWN]) + (" …" if len(shipped.card.genres) > KNOWN else "")
        told = f"Drop in any song. The model that comes with Genrescope knows {ui.plain(known)}, and says when it is none of them."
        ways.insert(0, ("predict", "Hear what the shipped model says about a song", ":material/graphic_eq:", told))
    for column, (page, title, icon, explanation) in zip(st.columns(len(ways)), ways, strict=True):
        with column.container(border=True, height="stretch"):
            if st.button(title, type="primary", icon=icon, key=f"door-{page}", width="stretch"):
                st.switch_page(pages()[page])
            st.markdown(explanation)


def offer_sample() -> None:
    """Quieter, below the doors: songs to try everything with."""
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.markdown(
        f"**Just looking?** {N_SONGS} made-up songs let you walk the whole way in five minutes, up to a network that you "
        "trained. This computer makes them in about ten seconds (50 MB); one click removes them again."
    )
    right.button("Make a sample library", icon=":material/music_note_add:", on_click=_make, width="stretch")


def making() -> bool:
    """How far a sample library is that is being made, or why it could not be; whether it is being made."""
    job = state.queue().latest("sample")
    if job and (job.state != "done" or (job.result or {}).get("failed")):  # that it is here is told below
        ui.job_panel(job, refresh_s=0.5)
    return bool(job and job.unfinished)


def sample_is_here(*, trained: bool) -> None:
    """That there is a sample library, what to do with it (less where a model is `trained` already), and how it goes."""
    n = len(state.sample_tracks())
    with st.container(border=True):
        left, right = st.columns([3, 1], vertical_alignment="center")
        left.markdown(
            f"**The sample library is here:** {ui.counted(n, 'made-up song')}, played by a synthesiser, of eight styles that "
            f"do not exist.{'' if trained else ' Look at some on *Explore*, then train: it takes a minute or two.'}"
        )
        with right.popover("Remove the sample library", icon=":material/delete:", width="stretch"):
            _removal(n)


def _make() -> None:
    state.begin(kinds.submit_sample(state.queue()))


def _removal(n: int) -> None:
    made_up = {sample.genre_of(style) for style in STYLES}
    learned = [
        entry for entry in answers.model_entries() if entry.own and entry.card and {*entry.card.genres} <= made_up
    ]
    st.markdown(
        f"{ui.counted(n, 'made-up song')}, their genres, votes, spectrograms and files are removed. Songs of your own stay. "
        "This is not undone with *Undo*: you make the same library again with one click."
    )
    too = False
    if learned:
        names = ", ".join(ui.plain(entry.name) for entry in learned)
        st.markdown(f"Models that know only made-up styles can stay, and go on answering: {names}.")
        too = st.checkbox("Delete these models, too")
    if st.button(f"Remove {ui.counted(n, 'song')}", type="primary", icon=":material/delete:"):
        with ui.told_errors():
            _remove([entry.name for entry in learned] if too else [])
            st.rerun()


def _remove(names: list[str]) -> None:
    removed = sample.remove(state.database(), state.settings(), state.queue())
    told = f"{ui.counted(removed.tracks, 'made-up song')} removed" + f", and {ui.counted(len(names), 'model')}" * bool(
        names
    )
    for name in names:
        try:
            models.delete(state.settings(), name)
        except GenrescopeError as error:  # gone meanwhile: then it need not be deleted
            told += f"; {error}"
    state.tell(f"{told}.")
