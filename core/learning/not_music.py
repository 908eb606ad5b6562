"""Made-up sounds that are no music: voices that speak, calls of animals, weather, knocks, a crowd.

A network learns genres from music only, so nothing that it was given tells it what music is not. Recordings of everything
else cannot come with an app, so rough likenesses are made: a voice by the source and filter model (Fant 1960, "Acoustic
theory of speech production"; formants as in Klatt 1980), calls as gliding harmonics with pauses, weather as coloured noise
that swells, knocks as decaying resonances. They only have to lie on the right side of music.
"""

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from core.music import FloatArray

Wave = npt.NDArray[np.float64]

PAUSE, UNVOICED = 0.15, 0.25
"""Share of syllables that are silence, and that are hissed."""


def sounds(n: int, seconds: float, *, sample_rate: int, seed: int) -> list[FloatArray]:
    """`n` sounds, each (n_samples,) float32 in [-1, 1], mono. The same seed gives the same sounds."""
    kinds = (_voice, _voice, _calls, _weather, _knocks, _crowd)
    made = []
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        y = kinds[number % len(kinds)](rng, int(seconds * sample_rate), sample_rate)
        made.append(_recorded(y, rng, sample_rate))
    return made


def _voice(rng: np.random.Generator, n: int, sample_rate: int) -> Wave:
    """Syllables of one voice, with pauses, in a little noise."""
    y = np.zeros(n)
    pitch, at = rng.uniform(80, 250), 0
    while at < n:
        if rng.random() < PAUSE:
            at += int(sample_rate * rng.uniform(0.15, 0.8))
            continue
        length = int(sample_rate * rng.uniform(0.09, 0.3))
        swell = np.sqrt(np.hanning(length))
        if rng.random() < UNVOICED:
            syllable = np.diff(rng.standard_normal(length + 1)) * swell * rng.uniform(0.1, 0.3)
        else:
            syllable = _vowel(rng, length, pitch, sample_rate) * swell * rng.uniform(0.4, 1)
        _add(y, syllable, at)
        at += int(0.9 * length)
    return _unit(y) + _background(rng, n, quietest=-4, loudest=-2)


def _vowel(rng: np.random.Generator, n: int, pitch: float, sample_rate: int) -> Wave:
    """A train of pulses whose pitch glides, through three formants."""
    hertz = pitch * np.interp(np.arange(n), [0, n / 2, n], rng.uniform(0.85, 1.2, 3))
    pulses = np.diff(np.floor(np.cumsum(hertz) / sample_rate), prepend=0.0) + 0.02 * rng.standard_normal(n)
    source = lfilter([1], [1, -0.95], pulses)
    formants = (
        (rng.uniform(280, 850), 80, 1.0),
        (rng.uniform(800, 2400), 110, 0.6),
        (rng.uniform(2300, 3300), 160, 0.4),
    )
    return _unit(np.sum([gain * _resonance(source, hz, width, sample_rate) for hz, width, gain in formants], axis=0))


def _calls(rng: np.random.Generator, n: int, sample_rate: int) -> Wave:
    """A few cries of one animal: harmonics that glide together."""
    y = np.zeros(n)
    pitch, length_s = np.exp(rng.uniform(np.log(120), np.log(4000))), rng.uniform(0.05, 2.5)
    for _ in range(rng.integers(2, 14)):
        length = max(8, int(sample_rate * length_s * rng.uniform(0.6, 1.4)))
        glide = np.interp(np.arange(length), np.linspace(0, length, 5), rng.normal(0, 0.25, 5))
        phase = 2 * np.pi * np.cumsum(pitch * np.exp(glide)) / sample_rate
        harmonics = [k for k in range(1, rng.integers(2, 9)) if k * pitch < 0.47 * sample_rate] or [1]
        cry = sum(rng.random() / k * np.sin(k * phase) for k in harmonics) * np.hanning(length)
        _add(y, cry, int(rng.integers(0, n)))
    return _unit(y) + _background(rng, n, quietest=-4, loudest=-1)


def _weather(rng: np.random.Generator, n: int, sample_rate: int) -> Wave:
    """Wind, sea or an engine: noise that swells, now and then with a hum."""
    seconds = n / sample_rate
    knots = max(4, int(seconds * np.exp(rng.uniform(-1, 2))))
    floor = rng.uniform(0, 0.8)
    swell = floor + (1 - floor) * np.interp(np.linspace(0, knots, n), np.arange(knots + 3), rng.random(knots + 3))
    y = _noise(rng, n, slope=rng.uniform(-2.5, 0.3)) * swell
    if rng.random() < 0.4:
        hertz, t = rng.uniform(40, 130), np.arange(n) / sample_rate
        hum = sum(np.sin(2 * np.pi * k * hertz * t + 6 * rng.random()) / k for k in range(1, 12))
        y = y + rng.uniform(0.05, 1) * hum
    return y


def _knocks(rng: np.random.Generator, n: int, sample_rate: int) -> Wave:
    """Steps, doors, dishes: resonances that are struck at no regular time."""
    y = _background(rng, n, quietest=-4, loudest=-1.5)
    for at in rng.integers(0, n, rng.integers(2, 60)):
        length = int(sample_rate * rng.uniform(0.02, 0.4))
        struck = rng.standard_normal(length) * np.exp(-np.arange(length) / length * rng.uniform(3, 9))
        hertz, width = rng.uniform(100, 0.31 * sample_rate), rng.uniform(50, 1500)
        _add(y, _unit(_resonance(struck, hertz, width, sample_rate)) * rng.uniform(0.1, 1), int(at))
    return y


def _crowd(rng: np.random.Generator, n: int, sample_rate: int) -> Wave:
    """Several voices at once."""
    voices = [_voice(rng, n, sample_rate) * rng.uniform(0.2, 1) for _ in range(rng.integers(3, 8))]
    return np.asarray(np.sum(voices, axis=0), np.float64)


def _recorded(y: Wave, rng: np.random.Generator, sample_rate: int) -> FloatArray:
    """As a microphone has it: often in a room, often dull, at any level."""
    n = len(y)
    if rng.random() < 0.4:
        length = int(sample_rate * rng.uniform(0.1, 0.8))
        room = rng.standard_normal(length) * np.exp(-6 * np.arange(length) / length)
        room[0] = rng.uniform(3, 20)
        y = np.fft.irfft(np.fft.rfft(y, n + length) * np.fft.rfft(room, n + length), n + length)[:n]
    if rng.random() < 0.5:
        keep = rng.uniform(0.2, 0.9)
        y = lfilter([1 - keep], [1, -keep], y)
    return np.asarray(_unit(y) * 10 ** rng.uniform(-1.2, 0), np.float32)


def _background(rng: np.random.Generator, n: int, *, quietest: float, loudest: float) -> Wave:
    """Noise of a level between two powers of ten."""
    return _noise(rng, n, slope=rng.uniform(-2, 0)) * 10 ** rng.uniform(quietest, loudest)


def _noise(rng: np.random.Generator, n: int, *, slope: float) -> Wave:
    """Noise whose power goes by frequency to the `slope`: 0 is white, -1 pink, -2 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    return _unit(np.fft.irfft(spectrum * (np.arange(len(spectrum)) + 20.0) ** (slope / 2), n))


def _resonance(x: Wave, hertz: float, width: float, sample_rate: int) -> Wave:
    """`x` through a resonator of two poles: one formant (Klatt 1980, equation 2)."""
    radius = np.exp(-np.pi * width / sample_rate)
    return np.asarray(
        lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * hertz / sample_rate), radius**2], x), np.float64
    )


def _add(y: Wave, sound: Wave, at: int) -> None:
    """Mix `sound` into `y` from sample `at` on; what does not fit is cut off."""
    part = sound[: len(y) - at]
    y[at : at + len(part)] += part


def _unit(y: Wave) -> Wave:
    """`y` with its loudest sample at 1."""
    return np.asarray(y / max(float(np.abs(y).max()), 1e-9), np.float64)
