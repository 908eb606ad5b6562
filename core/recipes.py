"""Recipes: the settings that change data or a model. Frozen; they check themselves; each has a fingerprint."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.files import fingerprint

DB_STEP = 0.5
"""Width of one uint8 code, dB."""
DB_FLOOR = -80.0
"""Level of code 0, dB; code 255 is +47.5 dB. A full-scale sine reaches about +40 dB (Slaney area-normalised
mel of a 2048-sample Hann frame), so what is kept spans 120 dB, more than 16-bit sound has."""


class Recipe(BaseModel):
    """Base of all recipes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def fingerprint(self) -> str:
        """16 hex digits that change when any setting changes."""
        return fingerprint({"recipe": type(self).__name__, **self.model_dump(mode="json")})


class SpectrogramRecipe(Recipe):
    """How sound becomes a log-mel spectrogram: Hann window, Slaney mel scale, power in dB re 1.0."""

    sample_rate: Annotated[int, Field(ge=4_000, le=48_000)] = 16_000
    n_fft: Annotated[int, Field(ge=64, le=16_384, multiple_of=2)] = 2048
    hop_length: Annotated[int, Field(ge=16, le=16_384)] = 512
    n_mels: Annotated[int, Field(ge=8, le=512)] = 128

    @model_validator(mode="after")
    def _overlapping(self) -> "SpectrogramRecipe":
        if self.hop_length > self.n_fft:
            raise ValueError("hop_length must not exceed n_fft, or samples would be skipped")
        return self

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.hop_length / self.sample_rate

    def n_frames(self, n_samples: int) -> int:
        """Frames of a song of `n_samples`; frames are centred, so one more than whole hops."""
        return 1 + n_samples // self.hop_length


class TrainingRecipe(Recipe):
    """How a network is trained. Exactly one of `epochs`, `steps` and `max_minutes` limits it.

    `max_minutes` is turned into `steps` once, after a measured warm-up.
    """

    network: Literal["genrescope", "small_resnet", "resnet18", "musicrecnet", "musicrecnet_svm", "deep_musicrecnet"] = (
        "genrescope"
    )
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    epochs: Annotated[int | None, Field(ge=1, le=10_000)] = None
    steps: Annotated[int | None, Field(ge=1, le=10_000_000)] = None
    max_minutes: Annotated[float | None, Field(gt=0, le=100_000)] = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    crop_frames: Annotated[int, Field(ge=16, le=2048)] = 256
    crops_per_song: Annotated[int, Field(ge=1, le=256)] = 8
    batch_size: Annotated[int, Field(ge=2, le=1024)] = 64
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    """Not given: the usual one of the optimiser (`RATES`)."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.05
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    mixup_alpha: Annotated[float, Field(ge=0, le=10)] = 0.3
    gain_db: Annotated[float, Field(ge=0, le=60)] = 6.0
    tilt_db: Annotated[float, Field(ge=0, le=60)] = 6.0
    time_mask_frames: Annotated[int, Field(ge=0)] = 24
    freq_mask_bands: Annotated[int, Field(ge=0)] = 16
    stretch: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Crops are played up to this share faster or slower. As the shift of pitch, off by default: on validation songs both
    helped the network alone (loss 0.88 for 0.91), but not its vote with the texture machine."""
    shift_semitones: Annotated[float, Field(ge=0, le=12)] = 0.0
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.99
    patience: Annotated[int, Field(ge=1)] = 10

    @model_validator(mode="before")
    @classmethod
    def _usual_rate(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("learning_rate") is None:
            optimizer = given.get("optimizer", "adamw")
            return {**given, "learning_rate": RATES.get(optimizer, RATES["adamw"])}
        return given

    @model_validator(mode="after")
    def _one_limit(self) -> "TrainingRecipe":
        limits = [limit for limit in (self.epochs, self.steps, self.max_minutes) if limit is not None]
        if len(limits) > 1:
            raise ValueError("give only one of epochs, steps and max_minutes")
        if not limits:
            object.__setattr__(self, "epochs", DEFAULT_EPOCHS)
        return self


DEFAULT_EPOCHS = 16
RATES = {"adamw": 2e-3, "adam": 1e-3, "sgd": 5e-2}
"""The usual learning rate of each optimiser."""
OPTIMIZERS = {
    "adamw": "AdamW: steps of its own size for every weight, and weight decay apart from them. The usual choice.",
    "adam": "Adam: as AdamW, but weight decay goes through its steps and so acts less evenly.",
    "sgd": "SGD with momentum: one size of step for all weights. Slower to get going, sometimes steadier at the end.",
}
"""A sentence on each optimiser."""
