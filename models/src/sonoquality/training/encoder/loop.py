"""The loop: from a configuration and the images to an encoder, through any number of sittings."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sonoquality.networks.checkpoints import WEIGHTS_FILE, save_encoder
from sonoquality.networks.profiles import PROFILES
from sonoquality.networks.vit import VisionTransformer
from sonoquality.training.data import Row, calibrates, read_index, training_rows
from sonoquality.training.encoder import bank, masking, record, targets
from sonoquality.training.encoder.allocator import keep_freed_memory
from sonoquality.training.encoder.config import EncoderConfig
from sonoquality.training.encoder.curves import Curves
from sonoquality.training.encoder.losses import Truth, losses_of
from sonoquality.training.encoder.state import TrainingState
from sonoquality.training.encoder.windows import Batch, Sampler

Progress = Callable[[str, int, int], None]
SCALE_STEPS = 8  #: batches whose textures set the scale of the texture targets


def fitting_rows(data: Path) -> list[Row]:
    """Return what an encoder learns from: the training split without the calibration groups."""
    return [row for row in training_rows(read_index(data)) if not calibrates(row)]


def train(
    config: EncoderConfig,
    data: Path,
    out: Path,
    progress: Progress,
    bank_folder: Path | None,
    *,
    goes_on_from: Path | None = None,
) -> Path:
    """Train, or go on training, an encoder; returns its folder.

    The same configuration, images, versions and threads give the same weights, however often the
    run was interrupted: each step's windows depend on its number alone.

    Args:
        config: of the run.
        data: folder of the images.
        out: folder of the run.
        progress: told what is done, and how much of it.
        bank_folder: of the degraded images; inside `out` by default.
        goes_on_from: folder of a finished run of the same profile, whose weights this one begins
            with; it sees the windows that come after that run's.

    Raises:
        ValueError: the folder holds a run of another configuration or a bank of other images, or
            the run to go on from is not finished.
    """
    earlier = record.earlier(goes_on_from) if goes_on_from else None
    rows = fitting_rows(data)
    out.mkdir(parents=True, exist_ok=True)
    place = bank_folder or out / "bank"
    recipe = bank.BankRecipe(**config.bank.model_dump(), seed=config.seed)
    bank.build(rows, place, recipe, progress)
    record.begin(out, config, rows, bank.identity(place), earlier)
    sampler = Sampler(
        rows,
        place,
        recipe,
        seed=config.seed,
        gain_db=config.gain_jitter_db,
        without=config.without_sources,
    )
    run = Run(config, sampler, out, goes_on_from, earlier.n_windows_seen if earlier else 0)
    run.go_on(progress)
    record.finish(out, run.state.average, config)
    return out


class Run:
    """One run at a step."""

    def __init__(
        self,
        config: EncoderConfig,
        sampler: Sampler,
        out: Path,
        goes_on_from: Path | None = None,
        n_windows_before: int = 0,
    ) -> None:
        """Take up the run of a folder, or begin it, from nothing or from another run's weights."""
        keep_freed_memory()
        torch.set_num_threads(config.n_threads)
        torch.use_deterministic_algorithms(mode=True, warn_only=True)
        self.config, self.sampler, self.out = config, sampler, out
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        decodes = config.weights.masked > 0
        self.state = TrainingState(
            PROFILES[config.profile], config.seed, config.optimiser, decodes=decodes
        )
        self.steps_before = n_windows_before // (3 * config.n_ladders)
        known = self.state.load(out)
        if goes_on_from and not known:
            self.state.inherit(goes_on_from)
            known = True
        self.state.to(self.device)
        self.state.encoder.channels_last()
        self.basis = targets.texture_basis()
        if not known:
            self._set_scale()
        self.curves = Curves(out, self.state.step)

    def go_on(self, progress: Progress) -> None:
        """Take the steps that are left; a checkpoint every so many."""
        while self.state.step < self.config.n_steps:
            self.curves.add(self.state.step + 1, self.step())
            done = self.state.step
            progress("training", done, self.config.n_steps)
            if done % self.config.checkpoint_steps == 0 or done == self.config.n_steps:
                self.keep()

    def keep(self) -> None:
        """Write state, encoder and curves; the state last, since it is what a resume trusts."""
        unfinished = self.out / (WEIGHTS_FILE + ".part")
        save_encoder(unfinished, self.state.average)
        unfinished.replace(self.out / WEIGHTS_FILE)
        self.curves.write()
        self.state.save(self.out)

    def step(self) -> dict[str, float]:
        """Learn from one batch; returns the losses."""
        state = self.state
        batch = self.sampler.batch(self.steps_before + state.step, self.config.n_ladders)
        for group in state.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        terms = losses_of(self._taps(batch), state.heads, self._truth(batch), self.config.weights)
        if self.config.weights.masked:
            terms["masked"] = self.config.weights.masked * self._masked(batch)
        total: Tensor = torch.stack(list(terms.values())).sum()
        state.optimiser.zero_grad()
        torch.autograd.backward(total)
        norm = torch.nn.utils.clip_grad_norm_(state.parameters(), self.config.optimiser.clip_norm)
        state.optimiser.step()
        state.step += 1
        state.follow()
        values = {name: float(term.detach()) for name, term in terms.items()}
        return {"total": float(total.detach()), **values, "gradient": float(norm)}

    def _taps(self, batch: Batch) -> list[Tensor]:
        """Return the taps of every rung (n, 3, 196, width)."""
        n, rungs = batch.pixels.shape[:2]
        taps = self._encoded(torch.from_numpy(batch.pixels).flatten(0, 1)[:, None])
        return [tap.reshape(n, rungs, *tap.shape[1:]) for tap in taps]

    def _encoded(self, x: Tensor) -> list[Tensor]:
        """Return the taps (n, 196, width) of grey windows (n, 1, 224, 224) in [0, 1]."""
        x = x.to(self.device).expand(-1, self.state.encoder.profile.channels, -1, -1)
        taps = encode(self.state.encoder, (x - 0.5) / 0.5, bf16=self.config.bf16)
        return [tap.float() for tap in taps]

    def _masked(self, batch: Batch) -> Tensor:
        rng = np.random.default_rng([self.config.seed, 2, self.steps_before + self.state.step])
        hidden = masking.hide(torch.from_numpy(batch.pixels[:, 0]), rng).to(self.device)
        inside = torch.from_numpy(batch.inside).flatten(1).to(self.device)
        both = self._encoded(torch.cat([hidden.spatial, hidden.spectral]))[-1]
        spatial, spectral = both.chunk(2)
        return masking.masked(spatial, spectral, self.state.heads.decoder, hidden, inside)

    @torch.no_grad()
    def _truth(self, batch: Batch) -> Truth:
        pixels = torch.from_numpy(batch.pixels)
        inside = torch.from_numpy(batch.inside).flatten(1)
        texture = self._textures(pixels)
        change, strength = targets.changes(pixels, texture)
        severity = torch.from_numpy(batch.levels).float()
        severity = severity * targets.visible(strength, inside)[..., None]
        scaled = (texture - self.state.texture_mean) / self.state.texture_spread
        return Truth(
            inside=inside.to(self.device),
            severity=severity.to(self.device),
            texture=scaled.to(self.device),
            change=change.to(self.device),
        )

    def _textures(self, pixels: Tensor) -> Tensor:
        n, rungs = pixels.shape[:2]
        found = targets.textures(pixels.flatten(0, 1)[:, None], self.basis)
        return found.reshape(n, rungs, *found.shape[1:])

    @torch.no_grad()
    def _set_scale(self) -> None:
        """Measure mean and spread of the texture targets on the first batches."""
        found = []
        for step in range(SCALE_STEPS):
            batch = self.sampler.batch(step, self.config.n_ladders)
            inside = torch.from_numpy(batch.inside).flatten(1)
            texture = self._textures(torch.from_numpy(batch.pixels))
            found.append(texture.transpose(1, 2)[inside].flatten(0, 1))
        every = torch.cat(found)
        self.state.texture_mean = every.mean(dim=0)
        self.state.texture_spread = every.std(dim=0).clamp(min=1e-3)

    def _learning_rate(self) -> float:
        """Rise linearly, then fall along a cosine to a hundredth."""
        recipe, step = self.config.optimiser, self.state.step + 1
        rise = max(1, round(recipe.warm_up * self.config.n_steps))
        if step <= rise:
            return recipe.learning_rate * step / rise
        fall = (step - rise) / max(1, self.config.n_steps - rise)
        return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fall)))


def encode(encoder: VisionTransformer, x: Tensor, *, bf16: bool) -> Sequence[Tensor]:
    """Return the taps of normalised windows; the first filters always in fp32."""
    filtered = encoder.filter(x.contiguous(memory_format=torch.channels_last))
    with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
        return encoder.run(filtered)
