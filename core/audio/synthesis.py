"""Made-up songs: a small synthesiser that plays styles of its own. Sound is (n,) float32, mono, 16,000 Hz, in [-1, 1].

Nobody's music is in them, so they can be handed out, counted on and thrown away. A style is what a network can tell it by:
tempo, timbre, rhythm, register. A song of it has a key, tempo, chords and pattern of its own, and is played by one of six
synthesisers, which differ in brightness, tuning and echo as the artists of a genre do. The same style and number are the
same song, always.

Tones are read from a table of one period that holds no harmonic above half the sample rate; a note is made whole and
mixed in at its place, so no work is done sample by sample.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from core.music import FloatArray

Times = npt.NDArray[np.float64]
Wave = FloatArray | npt.NDArray[np.float64]

SAMPLE_RATE = 16_000
"""Of all that is made here, Hz."""
N_SYNTHESISERS = 6
"""So many play in turn: song 1 and song 7 of a style are by the same."""
LOUDEST, FADE_S = 0.89, 0.8
"""The loudest sample of a song, and how long it fades out, seconds."""
TABLE = 4096
"""Samples of one period in a table of tones."""
RAMP_S = 0.004
"""Every sound begins and ends with at least so long a ramp: nothing clicks."""

MAJOR, MINOR, DORIAN, PENTATONIC = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 10),
    (0, 2, 3, 5, 7, 9, 10),
    (0, 2, 4, 7, 9),
)
"""Scales: semitones over the key note."""
PROGRESSIONS = ((0, 5, 3, 4), (0, 3, 4, 3), (0, 4, 5, 3), (0, 2, 5, 4), (0, 3, 0, 4), (5, 3, 0, 4))
"""Chords of four bars each, as degrees of the scale."""
BELL = ((0.5, 0.25, 3.0), (1.0, 1.0, 2.2), (1.183, 0.5, 1.5), (1.506, 0.3, 1.2), (2.0, 0.6, 1.0), (2.662, 0.25, 0.6), (3.011, 0.2, 0.45), (4.166, 0.15, 0.3))  # fmt: skip
"""What a bell sounds of: ratio to its note, amplitude, and seconds until it has faded to a third. After the partials of a
church bell: hum, prime, tierce, quint, nominal and above (Rossing 2000, "Science of Percussion Instruments")."""
DRAWBARS = (1.0, 0.8, 0.55, 0.4, 0.0, 0.25, 0.0, 0.2)
"""Harmonics of an organ's pipes together."""


@dataclass
class _Song:
    """One song as it is being played: what it is in, who plays, and the tape it is mixed on."""

    rng: np.random.Generator
    duration_s: float
    beat_s: float
    key: int
    scale: tuple[int, ...]
    chords: tuple[int, ...]
    bright: float
    detune: float
    echo: float
    tape: FloatArray = field(repr=False)

    def hz(self, degree: int, octave: int) -> float:
        """The frequency of a degree of the scale; degrees beyond it go on in the next octave."""
        steps, place = divmod(degree, len(self.scale))
        return float(440.0 * 2 ** ((12 * (octave + 1 + steps) + self.key + self.scale[place] - 69) / 12))

    def chord(self, bar: int) -> int:
        """The degree that the chord of a bar stands on."""
        return self.chords[bar % len(self.chords)]

    def bars(self, beats: int) -> range:
        """As many bars of `beats` as the song has room for."""
        return range(int(np.ceil(self.duration_s / (beats * self.beat_s))))

    def play(self, beat: float, sound: FloatArray, gain: float = 1.0) -> None:
        """Mix a sound in at a beat; what does not fit on the tape is cut off (the song fades out there)."""
        at = round(beat * self.beat_s * SAMPLE_RATE)
        part = sound[: max(0, len(self.tape) - at)]
        self.tape[at : at + len(part)] += np.float32(gain) * part


def synthesiser(number: int) -> int:
    """Which of the six synthesisers plays song `number` of any style, from 1."""
    return (number - 1) % N_SYNTHESISERS + 1


def made_up_song(style: str, number: int, *, duration_s: float = 20.0) -> FloatArray:
    """Song `number` (from 1) of one of `STYLES`: (duration_s x 16,000,) float32, mono, the loudest sample 0.89.

    `ValueError` for a style that there is not, or a song shorter than 2 s.
    """
    if style not in STYLES or number < 1 or duration_s < 2:
        raise ValueError(f"There is no made-up song {number} of {style!r} that lasts {duration_s} s.")
    (slowest, fastest), scales, play = _STYLES[style]
    rng = np.random.default_rng([*style.encode(), number])
    player = np.random.default_rng(synthesiser(number))
    song = _Song(
        rng=rng,
        duration_s=duration_s,
        beat_s=60.0 / float(rng.uniform(slowest, fastest)),
        key=(7 * number + len(style)) % 12,  # by fifths: twelve songs, twelve keys
        scale=scales[number % len(scales)],
        chords=PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))],
        bright=float(player.uniform(0.9, 1.5)),
        detune=float(player.uniform(0.001, 0.006)),
        echo=float(player.uniform(0.1, 0.35)),
        tape=np.zeros(round(duration_s * SAMPLE_RATE), np.float32),
    )
    play(song)
    y = np.tanh(song.tape / np.abs(song.tape).max())
    fade = round(FADE_S * SAMPLE_RATE)
    y[-fade:] *= np.cos(np.linspace(0, np.pi / 2, fade, dtype=np.float32)) ** 2
    y[-1] = 0.0
    return np.asarray(LOUDEST * y / np.abs(y).max(), np.float32)


# -- sounds ------------------------------------------------------------------------------------------------------------


def _times(seconds: float) -> Times:
    return np.arange(max(2, round(seconds * SAMPLE_RATE))) / SAMPLE_RATE


def _shaped(y: Wave, *, attack_s: float = RAMP_S, release_s: float = RAMP_S) -> FloatArray:
    """`y` (changed in place) swelling for `attack_s` and fading for `release_s`, both smoothly."""
    rise, fall = (min(len(y) // 2, max(1, round(s * SAMPLE_RATE))) for s in (attack_s, release_s))
    y[:rise] *= 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, rise, dtype=np.float32))
    y[-fall:] *= 0.5 + 0.5 * np.cos(np.linspace(0, np.pi, fall, dtype=np.float32))
    return np.asarray(y, np.float32)


@lru_cache(maxsize=512)
def _period(harmonics: tuple[float, ...]) -> FloatArray:
    """One period of sines of these amplitudes, (TABLE,), the loudest sample 1."""
    spectrum = np.zeros(TABLE // 2 + 1, np.complex128)
    spectrum[1 : len(harmonics) + 1] = -0.5j * np.array(harmonics)
    y = np.fft.irfft(spectrum)
    return np.asarray(y / np.abs(y).max(), np.float32)


def _wave(hertz: float, t: Times, amplitude: Callable[[int], float], *, highest: float = 7_500.0) -> FloatArray:
    """A steady tone at times `t`: harmonic k at `amplitude(k)`, none above `highest` Hz."""
    n = max(1, min(TABLE // 2, int(highest / hertz)))
    table = _period(tuple(amplitude(k) for k in range(1, n + 1)))
    return table[(t * (hertz * TABLE)).astype(np.int64) % TABLE]


def _saw(slope: float) -> Callable[[int], float]:
    """All harmonics, the higher the quieter: 1 is a saw, 2 almost a flute."""
    return lambda k: float(k**-slope)


def _pulse(width: float) -> Callable[[int], float]:
    """A rectangle that is up for this share of its period (the hollow sound of early game machines)."""
    return lambda k: float(np.sin(np.pi * k * width) / k)


def _pluck(hertz: float, seconds: float, bright: float) -> FloatArray:
    """A string that is plucked: what is bright of it fades first."""
    t = _times(seconds)
    edge = _wave(hertz, t, _saw(1.0 / bright)) * np.exp(-t / (0.06 * bright))
    body = _wave(hertz, t, _saw(2.2)) * np.exp(-t / 0.35)
    return _shaped(0.5 * edge + body, release_s=0.03)


def _pad(hertz: float, seconds: float, bright: float, detune: float) -> FloatArray:
    """Three soft strings that are not quite in tune, swelling and fading."""
    t = _times(seconds)
    voices = sum(_wave(hertz * (1 + d), t + 0.3 * d / detune, _saw(2.0 / bright)) for d in (-detune, 0.0, detune))
    return _shaped(np.asarray(voices, np.float32) / 3, attack_s=0.35 * seconds, release_s=0.45 * seconds)


def _struck(hertz: float, seconds: float, bright: float) -> FloatArray:
    """A bell."""
    t = _times(seconds)
    partials = ((hertz * ratio, a, s) for ratio, a, s in BELL if hertz * ratio < 7_500)
    y = sum(a * bright ** (f > 2 * hertz) * np.sin(2 * np.pi * f * t) * np.exp(-t / s) for f, a, s in partials)
    return _shaped(np.asarray(y, np.float32), release_s=0.2)


def _drum(low: float, high: float, fall_s: float, seconds: float) -> FloatArray:
    """A skin that is struck: a sine falling from `high` to `low` Hz."""
    t = _times(seconds)
    turns = low * t + (high - low) * fall_s * (1 - np.exp(-t / fall_s))
    return _shaped(np.sin(2 * np.pi * turns) * np.exp(-t / (0.3 * seconds)), attack_s=0.001, release_s=0.01)


def _noise(rng: np.random.Generator, low: float, high: float, fall_s: float, seconds: float) -> FloatArray:
    """A hit of noise between two frequencies, Hz: hats, snares, shakers."""
    t = _times(seconds)
    spectrum = np.fft.rfft(rng.standard_normal(len(t)))
    hertz = np.fft.rfftfreq(len(t), 1 / SAMPLE_RATE)
    y = np.fft.irfft(spectrum * ((hertz >= low) & (hertz <= high)), len(t))
    y = y / np.abs(y).max() * np.exp(-t / fall_s)
    return _shaped(np.asarray(y, np.float32), attack_s=0.001)


def _glide(stops: Sequence[float], beat_s: float, bright: float) -> FloatArray:
    """One voice that slides from frequency to frequency, Hz, a beat each, and trembles on them."""
    t = _times(len(stops) * beat_s)
    at = t / beat_s
    place, within = np.floor(at).astype(int).clip(max=len(stops) - 1), at % 1
    steps = np.log2(np.array([*stops, stops[-1]]))
    slide = np.clip((within - 0.6) / 0.4, 0, 1)
    slide = slide * slide * (3 - 2 * slide)
    tremble = 0.012 * np.sin(2 * np.pi * 5.5 * t) * np.clip(4 * within, 0, 1)
    hertz = 2 ** (steps[place] + slide * (steps[place + 1] - steps[place]) + tremble)
    turns = np.cumsum(hertz) / SAMPLE_RATE
    y = np.sin(2 * np.pi * turns) + 0.12 * bright * np.sin(4 * np.pi * turns)
    return _shaped(np.asarray(y, np.float32), attack_s=0.08, release_s=0.2)


def _echo(song: _Song, beats: float) -> None:
    """What is on the tape comes back, quieter each time."""
    delay, dry = round(beats * song.beat_s * SAMPLE_RATE), song.tape.copy()
    for times in range(1, 4):
        song.tape[times * delay :] += np.float32(song.echo**times) * dry[: max(0, len(dry) - times * delay)]


# -- styles ------------------------------------------------------------------------------------------------------------


def _stomp(song: _Song) -> None:
    """A bass drum on every beat, a bass around it, short chords; each part but the drum rests for a bar now and then."""
    rng = song.rng
    kick = _drum(48, float(rng.uniform(150, 260)), 0.03, 0.3)
    hat = _noise(rng, float(rng.uniform(3_500, 6_000)), 8_000, float(rng.uniform(0.015, 0.05)), 0.12)
    clap = _noise(rng, float(rng.uniform(600, 1_500)), float(rng.uniform(2_500, 6_000)), 0.06, 0.2)
    hats = ((2, 6, 10, 14), (2, 6, 10, 14, 15), (0, 2, 3, 6, 8, 10, 11, 14), (2, 5, 6, 9, 10, 13, 14))[rng.integers(4)]
    line = [(step, int(rng.choice([0, 0, 2, 4, 7]))) for step in range(16) if step % 4 and rng.random() < 0.55]
    accents = np.sort(rng.choice(16, int(rng.integers(2, 5)), replace=False))
    for bar in song.bars(4):
        root, rests = song.chord(bar), rng.random(4) < 0.18
        stab = np.sum([_stab(song, root + third) for third in (0, 2, 4)], axis=0)
        for beat in range(4):
            song.play(4 * bar + beat, kick, 0.9)
        for step in () if rests[0] else hats:
            song.play(4 * bar + step / 4, hat, 0.25)
        for step, degree in () if rests[1] else line:
            bass = _wave(song.hz(root + degree, 1), _times(0.22 * song.beat_s), _saw(0.9), highest=900 * song.bright)
            song.play(4 * bar + step / 4, _shaped(bass), 0.55)
        for beat in () if rests[2] else (1, 3):
            song.play(4 * bar + beat, clap, 0.4)
        for step in () if rests[3] else accents:
            song.play(4 * bar + float(step) / 4, np.asarray(stab, np.float32), 0.16)


def _stab(song: _Song, degree: int) -> FloatArray:
    t = _times(0.3)
    return _shaped(_wave(song.hz(degree, 4), t, _saw(1.1 / song.bright)) * np.exp(-t / 0.12))


def _drift(song: _Song) -> None:
    """Chords that swell into one another, with a soft note above now and then. No drums."""
    for bar in song.bars(4):
        seconds = 6.2 * song.beat_s
        for part, (degree, octave) in enumerate(((0, 2), (4, 2), (0, 3), (2, 3), (6, 3))):
            pad = _pad(song.hz(song.chord(bar) + degree, octave), seconds, song.bright, song.detune)
            song.play(max(0.0, 4 * bar - 1.1), pad, 0.3 if part else 0.45)
        for beat in song.rng.choice(4, 2, replace=False):
            high = song.hz(song.chord(bar) + int(song.rng.choice([4, 7, 9])), 4)
            song.play(4 * bar + beat, _shaped(_wave(high, _times(2.0), _saw(3)), attack_s=0.5, release_s=1.3), 0.09)
    _echo(song, 0.75)


def _carousel(song: _Song) -> None:
    """A waltz of plucked strings: a low one, two chords, and a tune in eighths above."""
    figure = song.rng.permutation([0, 2, 4, 7, 4, 2])
    for bar in song.bars(3):
        root = song.chord(bar // 2)
        song.play(3 * bar, _pluck(song.hz(root, 2), 0.9, song.bright), 0.8)
        for beat in (1, 2):
            for degree in (2, 4):
                song.play(3 * bar + beat, _pluck(song.hz(root + degree, 3), 0.4, song.bright), 0.35)
        for eighth, degree in enumerate(figure):
            if song.rng.random() < 0.85:
                song.play(3 * bar + eighth / 2, _pluck(song.hz(root + int(degree), 5), 0.5, song.bright), 0.5)
    _echo(song, 1.0)


def _rattle(song: _Song) -> None:
    """Fast broken drums over a deep bass; hardly any notes."""
    rng = song.rng
    kick = _drum(55, float(rng.uniform(180, 300)), 0.02, 0.22)
    snare = _noise(rng, float(rng.uniform(200, 700)), float(rng.uniform(5_000, 8_000)), 0.07, 0.25)
    hat = _noise(rng, float(rng.uniform(4_000, 6_000)), 8_000, 0.02, 0.06)
    ghost = _noise(rng, 600, 6_000, 0.03, 0.1)
    kicks = {0, 10, *(int(step) for step in rng.choice([2, 3, 6, 7, 9, 11], 2, replace=False))}
    for bar in song.bars(4):
        late, busy = int(rng.integers(13, 16)), rng.uniform(0.2, 0.7)
        for step in range(16):
            beat = 4 * bar + step / 4
            if (step in kicks and rng.random() < 0.8) or (step == late and bar % 2):
                song.play(beat, kick, 0.9)
            if step in (4, 12):
                song.play(beat, snare, 0.8)
            elif step % 2 == 0:
                song.play(beat, hat, 0.3)
            elif rng.random() < busy:
                song.play(beat, ghost, 0.25)
        if bar % 2 == 0:
            low = _wave(song.hz(song.chord(bar // 2), 1), _times(6.5 * song.beat_s), _saw(2.6))
            song.play(4 * bar, _shaped(low, attack_s=0.05, release_s=0.5), 0.5)


def _pixel(song: _Song) -> None:
    """Two hollow voices of an early game machine: chords as fast runs, a tune above; ticks for drums."""
    width = 0.25 if song.bright > 1.2 else 0.5
    tick, hit = _noise(song.rng, 6_000, 8_000, 0.01, 0.03), _noise(song.rng, 2_000, 8_000, 0.05, 0.12)
    tune = song.rng.choice([0, 2, 4, 5, 7], 16)
    for bar in song.bars(4):
        root = song.chord(bar)
        runs = [
            _shaped(_wave(song.hz(root + degree, 4), _times(0.22 * song.beat_s), _pulse(width)))
            for degree in (0, 2, 4, 7)
        ]
        for step in range(16):
            song.play(4 * bar + step / 4, runs[step % 4], 0.3)
            if step % 2 == 0:
                song.play(4 * bar + step / 4, hit if step in (4, 12) else tick, 0.3)
        for step, degree in enumerate(tune[8 * (bar % 2) : 8 * (bar % 2) + 8]):
            note = _wave(song.hz(root + int(degree), 5), _times(0.4 * song.beat_s), _pulse(0.5))
            song.play(4 * bar + step / 2, _shaped(note, release_s=0.03), 0.35)
        low = _wave(song.hz(root, 3), _times(0.9 * song.beat_s), _pulse(0.5))
        for beat in range(4):
            song.play(4 * bar + beat, _shaped(low.copy()), 0.3)


def _belfry(song: _Song) -> None:
    """A choir of bells, rung in rows that change their order from round to round."""
    low, high = [_struck(song.hz(degree, 3), 3.5, 1 / song.bright) for degree in (0, 3)], {}
    row, pace = np.arange(int(song.rng.integers(5, 8)))[::-1], float(song.rng.uniform(0.4, 0.7))
    beat = 0.0
    while beat * song.beat_s < song.duration_s:
        song.play(beat, low[int(song.rng.integers(2))], 0.5)
        for degree in row:
            if degree not in high:
                high[degree] = _struck(song.hz(int(degree), 5), 2.5, song.bright)
            song.play(beat, high[degree], float(song.rng.uniform(0.25, 0.45)))
            beat += pace
        beat += pace * int(song.rng.integers(3))  # the ringers draw breath
        for place in song.rng.integers(len(row) - 1, size=2):
            row[[place, place + 1]] = row[[place + 1, place]]


def _pipes(song: _Song) -> None:
    """An organ: four voices that move together, without a pause and without drums."""
    stops = tuple(a * song.bright ** (k > 3) for k, a in enumerate(DRAWBARS))
    for bar in song.bars(4):
        for half in range(2):
            root = song.chord(2 * bar + half)
            for degree, octave, gain in ((0, 2, 0.6), (4, 3, 0.4), (2, 4, 0.4)):
                song.play(4 * bar + 2 * half, _pipe(song, song.hz(root + degree, octave), 2, stops), gain)
            for beat in range(2):
                tune = root + int(song.rng.choice([0, 2, 4, 7]))
                song.play(4 * bar + 2 * half + beat, _pipe(song, song.hz(tune, 4), 1, stops), 0.5)


def _pipe(song: _Song, hertz: float, beats: int, stops: tuple[float, ...]) -> FloatArray:
    t = _times(beats * song.beat_s + 0.05)
    y = _wave(hertz, t, lambda k: stops[k - 1] if k <= len(stops) else 0.0)
    return _shaped(y * (1 + 0.08 * np.sin(2 * np.pi * 6 * t)), attack_s=0.03, release_s=0.07)


def _swoop(song: _Song) -> None:
    """One voice that slides from note to note, over hand drums in five or seven and a shaker."""
    rng = song.rng
    deep, high = _drum(85, 130, 0.05, 0.35), _drum(210, 320, 0.03, 0.18)
    low, meter, degree = float(rng.uniform(2_000, 4_500)), int(rng.choice([5, 7])), 0
    shaker = _noise(rng, low, low + 3_000, 0.03, 0.09)
    shaken = rng.random(2 * meter) < 0.8
    for bar in song.bars(meter):
        stops, taps = [], rng.choice(np.arange(2, 2 * meter), int(rng.integers(2, 5)), replace=False)
        for _ in range(meter):
            degree = int(np.clip(degree + rng.choice([-3, -2, -1, 1, 2, 4]), -3, 6))
            stops.append(song.hz(degree, 4))
        song.play(meter * bar, _glide(stops, song.beat_s, song.bright), 0.5)
        song.play(meter * bar, deep, 0.6)
        song.play(meter * bar + 3, deep, 0.5)
        for step in range(2 * meter):
            if shaken[step]:
                song.play(meter * bar + step / 2, shaker, 0.12)
            if step in taps:
                song.play(meter * bar + step / 2, high, 0.4)
    _echo(song, 0.5)


_STYLES: dict[str, tuple[tuple[float, float], tuple[tuple[int, ...], ...], Callable[[_Song], None]]] = {
    "stomp": ((118, 136), (MINOR, DORIAN), _stomp),
    "drift": ((50, 62), (MAJOR, DORIAN), _drift),
    "carousel": ((150, 180), (MAJOR, MINOR), _carousel),
    "rattle": ((160, 180), (MINOR,), _rattle),
    "pixel": ((138, 156), (MAJOR, MINOR), _pixel),
    "belfry": ((64, 84), (MAJOR, PENTATONIC), _belfry),
    "pipes": ((84, 100), (MAJOR, MINOR), _pipes),
    "swoop": ((96, 116), (DORIAN, PENTATONIC), _swoop),
}
"""Slowest and fastest tempo in beats a minute, the scales, and how each is played."""
STYLES: tuple[str, ...] = tuple(_STYLES)
"""The made-up styles."""
