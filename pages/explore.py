"""Explore: hear and see a song, and what the library is made of."""

from collections import Counter

import pandas as pd
import streamlit as st

from app import charts, comparing, predicting, sounds, state, terms, ui
from core.audio.crops import crop_starts
from core.library.store import TrackRow
from core.recipes import TrainingRecipe

OFFERED = 200  # songs to choose from: more is for searching
CROP_FRAMES = TrainingRecipe().crop_frames


def song(tracks: list[TrackRow], found: list[TrackRow]) -> None:
    """One song: sound, waveform, spectrogram, crops."""
    asked = str(state.take(state.LOOKED_AT) or st.query_params.get("track", ""))
    offered = {track.id: track for track in found[:OFFERED]}
    if len(found) == len(tracks):
        offered |= {track.id: track for track in tracks if str(track.id) == asked}
    if not offered:
        st.info("No song is found for these words and this genre.", icon=":material/search_off:")
        return
    first = list(offered).index(int(asked)) if asked.isdigit() and int(asked) in offered else 0
    names = {number: comparing.name_of(track) for number, track in offered.items()}
    track = offered[st.selectbox("Song", list(offered), first, format_func=names.__getitem__)]
    st.query_params["track"] = str(track.id)
    sound = f" · {track.codec}, {track.sample_rate:,} Hz" if track.path else ""
    reason = f" · {ui.plain(track.reason)}" if track.reason else ""
    st.caption(f"{ui.plain(ui.label_in_words(track.label)) or 'no genre yet'}{sound}{reason}")
    votes(track)
    codes = None
    with ui.told_errors():
        codes = state.spectrogram(track.sha256) if track.state == "ready" else None
    sounds.player(track, key="explored", picture=None if codes is None else charts.picture(codes))
    if not track.sha256:
        return
    if track.state != "ready":
        st.info("This song has no spectrogram yet. Make it on the Library page.", icon=":material/equalizer:")
        return
    if codes is not None:
        shown = st.toggle("Show the crops a network sees", help="It is given pieces this long, one after another.")
        recipe = state.RECIPE
        starts = crop_starts(codes.shape[0], CROP_FRAMES, stride=CROP_FRAMES) * recipe.frame_s if shown else []
        crops = [(float(start), float(start) + CROP_FRAMES * recipe.frame_s) for start in starts]
        st.plotly_chart(charts.spectrogram(codes, recipe, crops=crops), config={"displayModeBar": False})
        low, high = charts.decibel_range(codes)
        st.caption(
            f"Mel spectrogram: time from left to right, frequency from bottom to top; dark is {low:.0f} dB, bright "
            f"{high:.0f} dB. Drag to look closer, double-click to go back."
        )
        terms.terms("mel spectrogram", "crop")
        if st.toggle("What else sounds like this?", key="alike"):
            predicting.like_a_track(track.id, track.artist)


def votes(track: TrackRow) -> None:
    """Where each vote for a song comes from."""
    with st.expander(f"{len(track.votes)} vote{'s' * (len(track.votes) != 1)}: where its genres come from"):
        if track.votes:
            st.dataframe(
                pd.DataFrame(
                    {
                        "genre": [vote.genre for vote in track.votes],
                        "source": [ui.VOTERS.get(vote.source, vote.source) for vote in track.votes],
                        "which": [vote.reference for vote in track.votes],
                        "weight": [vote.weight for vote in track.votes],
                    }
                ),
                hide_index=True,
            )
        else:
            st.caption("Nothing says what genre this song is of.")
        if any(vote.source == "hand" for vote in track.votes):
            st.caption("You have given it a genre: only that counts.")
        facts = [f"ISRC {track.isrc}"] * bool(track.isrc) + ["set aside (see Genres, Balance)"] * track.set_aside
        for fact in [*facts, *state.library().urls(track.id)]:
            st.caption(ui.plain(fact))


def collection(tracks: list[TrackRow]) -> None:
    """The whole library: balance, lengths, mean spectra."""
    balance: dict[str, Counter[str]] = {}
    for track in tracks:
        balance.setdefault(track.label.top if track.label else "(none)", Counter())[track.state] += 1
    genres = [genre.name for genre in state.vocabulary() if genre.has_votes]
    left, right = st.columns(2)
    with left:
        st.subheader("Songs per genre")
        st.altair_chart(charts.genre_balance(balance))
    with right:
        st.subheader("How long they are")
        st.altair_chart(charts.durations([track.duration_s for track in tracks if track.duration_s]))
    spectra = state.mean_spectra()
    if spectra:
        st.subheader("Mean spectrum of each genre")
        st.caption("How loud each frequency is on average: what tells genres apart before any rhythm does.")
        st.altair_chart(charts.mean_spectra(spectra, genres, state.RECIPE, state.colours()))


ui.header("Explore", "Hear and see a song as the network gets it, and what your library is made of.")
tracks = state.tracks()
if not tracks:
    ui.empty("There are no songs yet.", go_to="library", label="Import songs")
    st.stop()
view = st.segmented_control(
    "View",
    ["One song", "Compare", "The whole library"],
    default="One song",
    required=True,
    label_visibility="collapsed",
    key=state.EXPLORE_VIEW,
    bind="query-params",
)
if view == "The whole library":
    collection(tracks)
elif view == "Compare":
    comparing.compare(tracks)
else:
    song(tracks, comparing.filters(tracks))
