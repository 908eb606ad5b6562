"""Finding playlists: a search for each genre, and a person's judgement of what it found."""

import pandas as pd
import streamlit as st

from app import state, ui
from core.jobs import kinds
from core.library.playlists import Comparison, Reading

REASONS = {"title": "title", "purity": "same genre so far", "artists": "different artists", "size": "size"}


def section() -> None:
    """Look for playlists of a genre, and judge what is found."""
    genres = [genre.name for genre in state.vocabulary() if genre.has_votes or genre.playlists]
    chosen = st.multiselect(
        "Genres to search playlists for",
        [genre.name for genre in state.vocabulary()],
        accept_new_options=True,
        placeholder="all of them" if genres else "type a genre",
        help="YouTube and Deezer are asked, and Spotify where you have an account.",
    )
    wanted = chosen or genres
    if st.button("Search", type="primary", icon=":material/search:", disabled=not wanted):
        state.begin(kinds.submit_search(state.queue(), wanted))
        st.rerun()
    job = state.queue().latest("search")
    ui.job_panel(job)
    stands_for = {(row.source, row.reference): row.genres for row in state.playlist_rows()}
    by_genre: dict[str, list[tuple[Reading, Comparison]]] = {}
    for reading, compared in state.waiting(searched=True):
        genre, playlist = reading.genre or "", reading.playlist
        if genre not in stands_for.get((playlist.source, playlist.reference), ()):  # else it was accepted
            by_genre.setdefault(genre, []).append((reading, compared))
    for genre, entries in by_genre.items():
        with st.expander(f"**{ui.plain(genre)}**: {len(entries)} found", expanded=len(by_genre) == 1):
            found_playlists(genre, entries)
    rejected = state.playlists().readings(state="rejected", searched=True)
    if rejected:
        with st.expander(f"{len(rejected):,} rejected; they are not shown again"):
            for reading in rejected:
                left, right = st.columns([4, 1], vertical_alignment="center")
                left.markdown(f"{ui.plain(reading.playlist.title)} for {ui.plain(reading.genre or '')}")
                right.button(
                    "Show again",
                    key=f"again-{reading.id}",
                    on_click=state.playlists().judge,
                    args=([reading.id],),
                    kwargs={"rejected": False},
                )


def found_playlists(genre: str, entries: list[tuple[Reading, Comparison]]) -> None:
    """Playlists found for one genre, best first, each with what its score is made of."""
    for reading, compared in entries:
        playlist = reading.playlist
        with st.container(border=True):
            left, accept, reject = st.columns([6, 1, 1], vertical_alignment="center")
            n = playlist.n_listed if playlist.n_listed is not None else compared.tracks
            left.markdown(
                f"**{ui.plain(playlist.title)}** · {n:,} tracks · {ui.plain(playlist.owner or playlist.source)} "
                f"· score {reading.score:.0%}"
            )
            left.caption(
                " · ".join(f"{REASONS.get(reason, reason)} {value:.0%}" for reason, value in reading.reasons.items())
                + (
                    f" · {compared.tracks - compared.new:,} of {compared.tracks:,} looked at are yours already"
                    if compared.tracks
                    else ""
                )
            )
            if reading.error:
                left.warning(ui.plain(reading.error), icon=":material/lock:")
            elif left.toggle("Tracks", key=f"tracks-{reading.id}"):
                left.dataframe(_track_table(reading), hide_index=True, height=240)
            if is_being_read(reading):
                accept.markdown("Being read …")
                continue
            accept.button(
                "Accept",
                icon=":material/check:",
                key=f"accept-{reading.id}",
                on_click=accept_found,
                args=(reading, genre),
                disabled=bool(reading.error),
                width="stretch",
            )
            reject.button(
                "Reject",
                icon=":material/close:",
                key=f"reject-{reading.id}",
                on_click=state.playlists().judge,
                args=([reading.id],),
                kwargs={"rejected": True},
                width="stretch",
            )


def accept_found(reading: Reading, genre: str) -> None:
    """Read a found playlist whole, for its genre: a search has only looked at its beginning.

    It is listed until it has been read, so that it is not lost if that fails.
    """
    ref = reading.playlist.source, reading.playlist.reference
    row = state.playlists().find(*ref)
    genres = (row.genres if row else {}) | {genre: 1.0}
    job = kinds.submit_read(state.queue(), [ref], take_in=True, genres=genres)
    state.begin(job)
    state.put(state.ACCEPTED, {**state.get(state.ACCEPTED, {}), reading.id: job.id})


def is_being_read(reading: Reading) -> bool:
    """Whether a found playlist was accepted, and the job that reads it has not ended."""
    job_id = state.get(state.ACCEPTED, {}).get(reading.id)
    return job_id is not None and state.queue().get(job_id).unfinished


def _track_table(reading: Reading) -> pd.DataFrame:
    tracks = reading.playlist.tracks
    return pd.DataFrame(
        {"artist": [", ".join(track.artists) for track in tracks], "title": [track.title for track in tracks]}
    )
