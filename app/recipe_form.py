"""How a network is to be trained: from a few plain questions to one recipe, and the rest for who wants it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import streamlit as st
from pydantic import ValidationError

from app import state, ui
from core.errors import TrainingRefused
from core.jobs import kinds, worker
from core.jobs.queue import Job
from core.learning import speed
from core.learning.networks import NETWORKS
from core.learning.plan import Request, make_plan
from core.learning.splits import MIN_SONGS
from core.learning.trainer import MAX_WEIGHT
from core.learning.training import check_name_free
from core.music import Song
from core.recipes import DEFAULT_EPOCHS, OPTIMIZERS, RATES, SpectrogramRecipe, TrainingRecipe

LIMITS = {"epochs": "a number of rounds (epochs)", "minutes": "about this many minutes"}
PRESETS = {
    "Quick look": ("To see whether it works at all: a few short rounds.", TrainingRecipe(epochs=6, crops_per_song=4)),
    "Good": ("What we would choose.", TrainingRecipe()),
    "Best": ("More than twice as many rounds: longer, sometimes better.", TrainingRecipe(epochs=40)),
}
"""How thorough, in words: what each is for, and the recipe that it begins from."""


def ask(songs: list[Song]) -> None:
    """From a few plain questions to one training."""
    count = state.kept(lambda: Counter(song.label.top for song in songs), "songs of genres")
    name = st.text_input("Name of the model", f"My genres {date.today():%d %b}", max_chars=60)
    genres = st.multiselect(
        "Genres to tell apart",
        sorted(count, key=str.casefold),
        [genre for genre, n in count.items() if n >= MIN_SONGS],
        format_func=lambda genre: f"{genre} ({count[genre]})",
        help=f"Each needs at least {MIN_SONGS} songs, by three artists or more.",
    )
    in_balance(count, genres)
    wanted = set(genres)
    usable = state.kept(
        lambda: [song for song in songs if wanted & {genre for genre, _ in song.label.weights}], "songs of", *genres
    )
    usual = preset(usable)
    with st.expander("Fine print"):
        length = how_long(usual)
        chosen = more_choices(usual)
        artists = st.text_area(
            "Test artists, one a line (empty: chosen for you)", help="Exactly their songs are the test songs."
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        begins = st.button("Start training", type="primary", icon=":material/play_arrow:")
        with ui.told_errors():
            how_many_minutes(length, chosen, usable)
    if not begins:
        return
    held_out = tuple(line.strip() for line in artists.splitlines() if line.strip()) or None
    with ui.told_errors():
        recipe = recipe_of(length, chosen)
        request = Request(tuple(sorted(genres, key=str.casefold)), held_out)
        check_name_free(state.runs(), state.settings(), name, recipe, request)
        make_plan(songs, recipe, request, state.RECIPE)
        start(name, recipe, request)


def preset(songs: Sequence[Song]) -> TrainingRecipe:
    """How thorough: the recipe that the fine print begins with."""
    now = speed_of(TrainingRecipe())
    told = {
        name: f"{speed.about(speed.estimate_s(now, recipe, songs)).capitalize()}. " if now and songs else ""
        for name, (_, recipe) in PRESETS.items()
    }
    chosen = st.radio(
        "How thorough",
        list(PRESETS),
        index=1,
        captions=[f"{told[name]}{explained}" for name, (explained, _) in PRESETS.items()],
        horizontal=True,
        key="how-thorough",  # what is told of the times changes under it
    )
    return PRESETS[chosen][1]


def how_long(usual: TrainingRecipe) -> dict[str, Any]:
    """What limits a training."""
    limit = st.radio("How long", list(LIMITS), format_func=LIMITS.__getitem__, horizontal=True)
    if limit == "epochs":
        rounds = st.number_input("Rounds through all songs", 1, 1000, usual.epochs or DEFAULT_EPOCHS)
        return {"epochs": int(rounds)}
    st.caption("The speed of this machine is measured first; how much to do is then fixed.")
    return {"max_minutes": st.number_input("Minutes", 0.5, 10_000.0, 10.0)}


def speed_of(recipe: TrainingRecipe) -> speed.Speed | None:
    """How fast trainings like this one are on this machine: by earlier ones, else by a short measurement."""
    measured = [job.result for job in state.queue().history("speed") if job.state == "done"]
    return speed.remembered(state.run_results(), recipe) or speed.remembered(measured, recipe)


def how_many_minutes(length: Mapping[str, Any], chosen: Mapping[str, Any], songs: Sequence[Song]) -> None:
    """How long it will take, before it is begun; where that is not known yet, it is measured."""
    recipe = recipe_of(length, chosen)
    if not songs:
        return
    asked = next((job for job in state.queue().history("speed") if _is_for(job, recipe)), None)
    if asked and asked.unfinished:
        _measuring(asked.id)
    elif now := speed_of(recipe):
        st.markdown(f"Takes **{speed.about(speed.estimate_s(now, recipe, songs))}** (measured on this machine).")
        if not speed.remembered(state.run_results(), recipe):
            _measure_button(recipe)
    elif asked:
        st.caption(f"How long it takes could not be measured. {ui.plain(asked.message)}")
        _measure_button(recipe)
    else:
        asked = kinds.submit_speed(state.queue(), recipe)
        state.begin(asked)
        _measuring(asked.id)


def _measure_button(recipe: TrainingRecipe) -> None:
    if st.button("Measure again", type="tertiary", icon=":material/speed:", help="If the machine was busy, say."):
        state.begin(kinds.submit_speed(state.queue(), recipe))
        st.rerun()


@st.fragment(run_every=1.0)
def _measuring(job_id: int) -> None:
    """A measurement at work; the page runs anew at its end."""
    job = state.queue().get(job_id)
    if not job.unfinished:
        st.rerun()
    worker.ensure_worker(state.settings(), state.queue())
    share = job.done / job.total if job.total else 0.0
    st.progress(share, "Measuring how long it would take on this machine …")


def _is_for(job: Job, recipe: TrainingRecipe) -> bool:
    """Whether a measurement tells of trainings like this one, on this machine."""
    asked = job.parameters
    return asked["machine"] == speed.machine() and speed.likeness(TrainingRecipe(**asked["recipe"])) == speed.likeness(
        recipe
    )


def recipe_of(length: Mapping[str, Any], chosen: Mapping[str, Any]) -> TrainingRecipe:
    """The recipe of what was chosen. `TrainingRefused` if it cannot be."""
    try:
        return TrainingRecipe(**length, **chosen)
    except ValidationError as error:
        raise TrainingRefused(error.errors()[0]["msg"]) from error


def more_choices(usual: TrainingRecipe | None = None) -> dict[str, Any]:
    """Settings of a recipe that most people leave as they are, which is as in `usual`."""
    usual = usual or TrainingRecipe()
    network = st.selectbox("Network", list(NETWORKS), list(NETWORKS).index(usual.network), help="What learns.")
    st.caption(NETWORKS[network].explained)
    optimizer = st.selectbox("Optimiser", list(OPTIMIZERS), help="How weights are changed after each batch of crops.")
    st.caption(OPTIMIZERS[optimizer])
    left, right = st.columns(2)
    rate = left.number_input(
        "Learning rate", 0.0001, 0.5, RATES[optimizer], 0.0005, format="%.4f", key=f"rate-{optimizer}",
        help="How big the steps are. Too big, and learning comes apart; too small, and it takes for ever.",
    )  # fmt: skip
    decay = right.number_input(
        "Weight decay", 0.0, 1.0, usual.weight_decay, help="Pulls weights to zero, against learning by heart."
    )
    heard = left.select_slider(
        "Heard at once", [128, 192, 256, 384, 512], usual.crop_frames,
        format_func=lambda frames: f"{frames * SpectrogramRecipe().frame_s:.1f} s",
        help="Longer crops tell more of rhythm; shorter ones show more exactly where in a song a genre sounds.",
    )  # fmt: skip
    crops = right.slider(
        "Crops per song and round", 1, 32, usual.crops_per_song, help="More: slower rounds, steadier learning."
    )
    st.markdown(
        "**Variations**, so that few songs go further: each crop is changed at random before it is learned from."
    )
    left, right = st.columns(2)
    loud = left.slider("Louder or softer by up to, dB", 0.0, 20.0, usual.gain_db)
    bright = right.slider("Brighter or darker by up to, dB", 0.0, 20.0, usual.tilt_db)
    faster = left.slider("Faster or slower by up to, %", 0, 50, round(100 * usual.stretch))
    higher = right.slider("Higher or lower by up to, semitones", 0.0, 12.0, usual.shift_semitones, 0.5)
    hidden = left.slider("Hide up to so many frames", 0, 96, usual.time_mask_frames)
    bands = right.slider("Hide up to so many bands", 0, 64, usual.freq_mask_bands)
    blend = left.slider(
        "Blend two songs and their genres (mixup)", 0.0, 2.0, usual.mixup_alpha, 0.1, help="0: never. 1: by any share."
    )
    patience = right.number_input("Stop after so many rounds clearly worse than the best", 1, 1000, usual.patience)
    seed = left.number_input("Seed", 0, 2**31, 0, help="Same seed, same songs, same machine: the same numbers.")
    return {
        "network": network, "optimizer": optimizer, "learning_rate": rate, "weight_decay": decay, "crop_frames": heard,
        "crops_per_song": crops, "gain_db": loud, "tilt_db": bright, "stretch": faster / 100,
        "shift_semitones": higher, "time_mask_frames": hidden, "freq_mask_bands": bands, "mixup_alpha": blend,
        "patience": int(patience), "seed": int(seed),
    }  # fmt: skip


def in_balance(songs_of: Counter[str], genres: Sequence[str]) -> None:
    """Say it where some genres have far fewer songs, and what is done about it."""
    count = Counter({genre: songs_of[genre] for genre in genres})
    if not count:
        return
    (most, n), (least, few) = count.most_common()[0], count.most_common()[-1]
    if n > 1.5 * few:
        st.caption(
            f"{ui.plain(most)} has {n:,} songs, {ui.plain(least)} {few:,}. So that it is not just guessed most often, "
            f"songs of rare genres count up to {MAX_WEIGHT:.0f} times as much."
        )


def start(name: str, recipe: TrainingRecipe, request: Request) -> None:
    """Ask for the training, and show it."""
    state.begin(kinds.submit_train(state.queue(), name, recipe, request.as_json()))
    st.query_params["run"] = name
    st.rerun()
