"""Collect: sound for the tracks that playlists list."""

import shutil
from collections import Counter
from functools import partial

import pandas as pd
import streamlit as st

from app import charts, reviewing, sounds, state, ui
from core.collecting.failures import remedy
from core.files import duration_in_words, size_in_words
from core.jobs.queue import Job
from core.library import summary
from core.library.collection import Standing
from core.library.store import TrackRow

SONG_BYTES = 4_000_000  # four minutes as Opus or AAC
SPECTROGRAM_BYTES = 960_000  # the same as 128 bands, 31 frames a second
PER_HOUR = 300  # songs that YouTube lets a guest fetch, about
NO_GENRE = "(no genre)"
ELSEWHERE = {"gone", "refused", "geo", "age", "not allowed", "wrong length", "wrong format", "damaged", "silent"}
ABOUT = (
    "Each track is searched for on YouTube and YouTube Music (or fetched from its own address, if it came with one), "
    "compared by artist, title and length, and checked by decoding it. **Fetch only what you may lawfully download.**"
)


def with_sound() -> dict[str, Counter[str]]:
    """How far the tracks of each genre are."""
    return state.kept(lambda: summary.with_sound(state.tracks(), state.collecting_states()), "with sound")


def progress_section(job: Job | None, to_review: int) -> None:
    """What can be done next, unless it is being done, and how far it is."""
    if not (job and job.unfinished):
        counts = with_sound()
        if any(states["waiting"] for states in counts.values()):
            start_section(counts)
        elif to_review:
            st.button(
                f"Review {ui.counted(to_review, 'song')}",
                type="primary",
                icon=":material/hearing:",
                on_click=state.put,
                args=(state.COLLECT_VIEW, "review"),
            )
        elif any(track.has_sound and track.state == "waiting" for track in state.tracks()):
            ui.empty("All that could be collected is here.", go_to="library", label="Make spectrograms")
        else:
            ui.empty("All that could be collected is here.", go_to="train", label="Train a network")
    progress_view(job)


def start_section(counts: dict[str, Counter[str]]) -> None:
    """What to collect, and how."""
    if paused := reviewing.paused():
        with st.container(border=True):
            st.markdown(f"**Collecting is paused.** {sum(c['waiting'] for c in counts.values()):,} tracks wait.")
            with st.container(horizontal=True):
                if st.button("Go on", type="primary", icon=":material/play_arrow:"):
                    begin(paused.parameters)
                st.button("Cancel", icon=":material/close:", on_click=ui.dismiss, args=(paused.id,))
        return
    genres = [genre for genre, states in counts.items() if states["waiting"]]
    st.caption(ABOUT)
    left, right = st.columns(2)
    chosen = left.multiselect(
        "Genres",
        genres,
        format_func=lambda genre: genre or NO_GENRE,
        placeholder="all",
        help="None chosen: all of them.",
    )
    waiting = sum(counts[genre]["waiting"] for genre in chosen or genres)
    limit = right.number_input("At most so many songs", min_value=1, value=None, placeholder="all", step=50)
    n = min(waiting, int(limit)) if limit else waiting
    last = reviewing.last_choices()
    keep = st.radio(
        "When a song's spectrogram is made, its sound is",
        [True, False],
        index=0 if last.get("keep_sound", True) else 1,
        format_func={True: "kept", False: "deleted"}.__getitem__,
        captions=[
            f"About {size_in_words(n * (SONG_BYTES + SPECTROGRAM_BYTES))} for {n:,} songs. You can listen, and try other "
            "spectrograms.",
            f"About {size_in_words(n * SPECTROGRAM_BYTES)}. It saves {size_in_words(n * SONG_BYTES)}, and loses "
            "listening, and spectrograms by another recipe, until it is fetched again.",
        ],
        key="keep-sound",  # else another number of songs, which changes the captions, would undo the choice
    )
    at_once = st.slider(
        "Fetched side by side",
        1,
        4,
        last.get("at_once", 2),
        help="More is not faster where a site sets the pace.",
        width=300,
    )
    if st.button(f"Collect {ui.counted(n, 'song')}", type="primary", icon=":material/download:", disabled=not n):
        begin(
            {
                "genres": list(chosen) or None,
                "limit": int(limit) if limit else None,
                "at_once": at_once,
                "keep_sound": keep,
            }
        )
    if n > 50:
        st.caption(
            f"From YouTube about {PER_HOUR} songs an hour can be fetched: {duration_in_words(n / PER_HOUR * 3600)}. It "
            "goes on while you do other things, and after the app or the computer was closed."
        )


def begin(options: dict[str, object]) -> None:
    """Start, or go on."""
    reviewing.collect(**options)
    st.rerun()


def progress_view(job: Job | None) -> None:
    """How far it is, of each genre and in all."""

    @st.fragment(run_every=5.0 if job and job.unfinished else None)
    def figures() -> None:
        counts = with_sound()
        total = Counter[str]()
        for states in counts.values():
            total.update(states)
        disk = shutil.disk_usage(state.settings().home)
        here = state.kept(state.collection().size_bytes, "size")
        hourly = state.collection().fetched_within(3600.0)
        with st.container(horizontal=True, gap="medium"):
            st.metric("With sound", f"{total['sound']:,} of {sum(total.values()):,}", width="content")
            st.metric("Fetched in the last hour", f"{hourly:,}", width="content")
            st.metric("Songs take", size_in_words(here), width="content")
            st.metric("Disk free", size_in_words(disk.free), width="content")
        named = {genre or NO_GENRE: states for genre, states in counts.items()}
        st.altair_chart(charts.collecting(named), key="collecting")
        for title, until in state.paused_hosts():
            st.info(
                f"{ui.plain(title)} is not asked before {until:%H:%M}: it wants a pause, or could not be reached.",
                icon=":material/hourglass:",
            )

    figures()


def failures() -> dict[str, int]:
    """How many tracks failed for each reason."""
    return state.kept(state.collection().failures, "failures")


def _failed() -> list[tuple[TrackRow, Standing]]:
    standings = state.collection().standings()
    return [
        (row, standings[row.id])
        for row in state.tracks()
        if row.id in standings and standings[row.id].state == "failed" and not row.has_sound
    ]


def problems_view() -> None:
    """What failed, why, and what to do about it."""
    failed = failures()
    if not failed:
        st.info("Nothing has failed.", icon=":material/check:")
        return
    for reason, n in failed.items():
        told = remedy(reason)
        with st.container(border=True):
            st.markdown(
                f"**{ui.plain(reason.capitalize())}: {ui.counted(n, 'track')}.** {told.meaning} {told.what_to_do}"
            )
            with st.container(horizontal=True):
                if st.button("Try again", icon=":material/refresh:", key=f"retry-{reason}"):
                    state.reviews().retry(reasons=[reason])
                    begin({})
                if reason in ELSEWHERE and st.button(
                    "Search elsewhere", icon=":material/travel_explore:", key=f"elsewhere-{reason}"
                ):
                    state.reviews().search_elsewhere(reasons=[reason])
                    begin({})
    rows = state.kept(_failed, "failed tracks")
    table = pd.DataFrame(
        {
            "title": [row.title for row, _ in rows],
            "artist": [row.artist for row, _ in rows],
            "why": [standing.reason for _, standing in rows],
            "what happened": [standing.message for _, standing in rows],
        }
    )
    st.markdown("**Which they are.** Tick one to choose another of what was found, or to say where it is.")
    picked = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"problems-{state.get(state.SETTLED, 0)}",
    )
    chosen = [rows[i][0] for i in picked["selection"]["rows"] if i < len(rows)]
    if chosen:
        found = [one for one in state.collection().found(chosen[0].id) if one.state != "rejected"]
        reviewing.choices(chosen[0].id, chosen[0].duration_s, found)
        reviewing.paste_link(chosen[0].id, label=f"Where is {ui.plain(f'{chosen[0].artist} – {chosen[0].title}')}?")


def collected_view() -> None:
    """What was fetched, the least sure first: to be heard, and rejected."""
    found, total = state.collection().collected()
    if not found:
        st.info("Nothing has been collected yet.", icon=":material/download:")
        ui.undo_button()
        return
    st.caption("The least sure first. Tick one to hear it; if it is another song, say so.")
    table = pd.DataFrame(
        {
            "title": [one.title for one in found],
            "artist": [one.artist for one in found],
            "sure": [one.score for one in found],
            "found": [one.candidate.title for one in found],
            "by": [one.candidate.channel for one in found],
            "listed": [ui.clock(one.listed_s) for one in found],
            "fetched": [ui.clock(one.duration_s) for one in found],
            "from": [one.url for one in found],
        }
    )
    table = table.drop(columns=[name for name in ("sure", "found", "by") if not table[name].any()])
    picked = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "sure": st.column_config.NumberColumn(format="percent", help="Empty: from the track's own address."),
            "from": st.column_config.LinkColumn(display_text="open"),
        },
        key=f"collected-{state.get(state.SETTLED, 0)}",
    )
    if total > len(found):
        st.caption(f"The first {len(found):,} of {total:,}.")
    for one in [found[i] for i in picked["selection"]["rows"] if i < len(found)]:
        for track in state.library().tracks(state.RECIPE.fingerprint, track_id=one.track_id):
            st.markdown(f"**{ui.plain(one.title)}** · {ui.plain(one.artist)}")
            sounds.player(track, key=f"collected-{track.id}")
        if st.button("This is another song", icon=":material/thumb_down:"):
            reviewing.settle(
                one.track_id,
                partial(state.reviews().reject_sound, one.track_id),
                "Rejected: it is searched for again with the next run.",
            )
    ui.undo_button()


ui.header("Collect", "Find the sound of your tracks: searched for, checked, and where in doubt put before you.")
collecting = state.queue().latest("collect")
if not state.counts()["tracks"]:
    ui.empty("There are no tracks yet. They come with playlists.", go_to="playlists", label="Add playlists")
    st.stop()
to_review, problems = state.kept(state.collection().to_review, "to review"), sum(failures().values())
views = {"progress": "Progress", "review": "Review", "problems": "Problems", "collected": "Collected"}
numbers = {"review": len(to_review), "problems": problems}
view = st.segmented_control(
    "View",
    list(views),
    format_func=lambda name: views[name] + (f" ({numbers[name]:,})" if numbers.get(name) else ""),
    default="progress",
    required=True,
    label_visibility="collapsed",
    key=state.COLLECT_VIEW,
)
if view == "progress":
    ui.job_panel(collecting)
if view == "review":
    reviewing.section(to_review)
elif view == "problems":
    problems_view()
elif view == "collected":
    collected_view()
else:
    progress_section(collecting, len(to_review))
if view != "progress" and collecting and collecting.unfinished:
    ui.job_panel(collecting)  # at the end, so that what a person looks at stays where it is
