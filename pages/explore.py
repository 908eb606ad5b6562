"""Explore: hear and see a song, and what the library is made of."""

from collections import Counter

import streamlit as st

from app import charts, state, ui
from core.audio.crops import crop_starts
from core.library.store import TrackRow
from core.recipes import TrainingRecipe

CROP_FRAMES = TrainingRecipe().crop_frames


def song(tracks: list[TrackRow]) -> None:
    """One song: sound, waveform, spectrogram, crops."""
    by_id = {track.id: track for track in tracks}
    asked = st.query_params.get("track", "")
    first = list(by_id).index(int(asked)) if asked.isdigit() and int(asked) in by_id else 0
    track = by_id[st.selectbox("Song", list(by_id), first, format_func=lambda number: _name(by_id[number]))]
    st.query_params["track"] = str(track.id)
    st.caption(
        f"{ui.plain(ui.label_in_words(track.label)) or 'no genre yet'} · {track.codec}, {track.sample_rate:,} Hz"
        + (f" · {ui.plain(track.reason)}" if track.reason else "")
    )
    ui.player(track)
    with ui.told_errors(), st.spinner("Drawing …"):
        st.altair_chart(charts.waveform(state.envelope(track.path, track.sha256)))
    if track.state != "ready":
        st.info("This song has no spectrogram yet. Make it on the Library page.", icon=":material/equalizer:")
        return
    with ui.told_errors():
        codes = state.spectrogram(track.sha256)
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


def collection(tracks: list[TrackRow]) -> None:
    """The whole library: balance, lengths, mean spectra."""
    balance: dict[str, Counter[str]] = {}
    for track in tracks:
        balance.setdefault(track.label.top if track.label else "(none)", Counter())[track.state] += 1
    genres = state.library().genres()
    left, right = st.columns(2)
    with left:
        st.subheader("Songs per genre")
        st.altair_chart(charts.genre_balance(balance))
    with right:
        st.subheader("How long they are")
        st.altair_chart(charts.durations([track.duration_s for track in tracks if track.duration_s]))
    spectra = state.library().mean_spectra(state.RECIPE.fingerprint)
    if spectra:
        st.subheader("Mean spectrum of each genre")
        st.caption("How loud each frequency is on average: what tells genres apart before any rhythm does.")
        st.altair_chart(charts.mean_spectra(spectra, genres, state.RECIPE))


def _name(track: TrackRow) -> str:
    return f"{track.artist} – {track.title}" if track.artist else track.title


ui.header("Explore", "Hear and see a song as the network gets it, and what your library is made of.")
tracks = state.library().tracks(state.RECIPE.fingerprint)
if not tracks:
    ui.empty("There are no songs yet.", go_to="library", label="Import songs")
    st.stop()
one, all_ = st.tabs(["One song", "The whole library"])
with one:
    song(tracks)
with all_:
    collection(tracks)
