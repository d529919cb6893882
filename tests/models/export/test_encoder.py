"""An exported encoder says what its network says, in every precision, window by window."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sonoquality.arrays import Windows
from sonoquality.cli import app
from sonoquality.errors import WeightsError
from sonoquality.exported import graph_file, phantom_features, read_reader, read_record
from sonoquality.session import LARGEST_BATCH
from tests.conftest import need_extra
from tests.models.training.test_fit import collection

pytestmark = pytest.mark.train
torch = need_extra("torch", "train")

from sonoquality.export.folder import run_graph, torch_features  # noqa: E402 - needs torch
from sonoquality.networks.checkpoints import load_encoder, save_encoder  # noqa: E402
from sonoquality.networks.identity import sha256_of  # noqa: E402
from sonoquality.networks.profiles import EncoderProfile  # noqa: E402
from sonoquality.networks.vit import VisionTransformer  # noqa: E402
from sonoquality.training.encoder.losses import pooled  # noqa: E402
from sonoquality.training.encoder.windows import tokens_inside  # noqa: E402

OURS = EncoderProfile(
    name="tiny", width=16, depth=2, heads=2, channels=1, taps=(1, 2), stem=(4, 8, 8)
)
PUBLISHED = EncoderProfile(
    name="plain", width=12, depth=3, heads=3, channels=3, taps=(1, 3), class_token=True
)


def train_folder(folder: Path, profile: EncoderProfile) -> Path:
    """Write what a training run leaves: lively weights, and heads."""
    torch.manual_seed(3)
    network = VisionTransformer(profile)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    folder.mkdir(parents=True, exist_ok=True)
    save_encoder(folder / "encoder.pt", network)
    heads = {"centre": torch.randn(profile.width)}
    for place in range(len(profile.taps)):
        heads[f"severity.{place}.weight"] = torch.randn(3, profile.width)
        heads[f"severity.{place}.bias"] = torch.randn(3)
    torch.save({"heads": heads}, folder / "state.pt")
    return folder


def export(*arguments: object) -> str:
    """Run the command that a person types; returns what it printed."""
    found = CliRunner().invoke(app, ["export", "encoder", *map(str, arguments)])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.output


def noise(n: int) -> tuple[Windows, Windows]:
    """Return n windows of noise, each under a scan mask of its own."""
    rng = np.random.default_rng(1)
    windows = rng.uniform(size=(n, 1, 224, 224)).astype(np.float32)
    masks = np.zeros_like(windows)
    for k in range(n):
        masks[k, 0, : 60 + 12 * k, 20 : 130 + 5 * k] = 1.0
    return windows, masks


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of phantoms."""
    return collection(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("profile", [OURS, PUBLISHED], ids=lambda p: p.name)
def test_fp32_is_the_network_and_pools_as_training_does(
    profile: EncoderProfile, tmp_path: Path
) -> None:
    """Taps by the rule and the mean of training, tokens of the last tap, to 1e-4."""
    encoder = train_folder(tmp_path / "run", profile)
    export("--encoder", encoder, "--out", tmp_path / "out")
    windows, masks = noise(3)
    network = load_encoder(encoder)
    with torch.inference_mode():
        pictures = torch.from_numpy((windows - 0.5) / 0.5).expand(-1, profile.channels, -1, -1)
        taps = network.tokens(pictures)
    inside = np.stack([tokens_inside(mask[0].astype(np.uint8)) for mask in masks])
    wanted = np.stack(
        [pooled(tap[:, None], torch.from_numpy(inside.reshape(3, -1)))[:, 0] for tap in taps], 1
    )

    found = run_graph(tmp_path / "out" / graph_file("fp32"), windows, masks)

    assert np.array_equal(found["counts"], inside)
    assert np.allclose(found["taps"], wanted, rtol=1e-4, atol=1e-5)
    assert np.allclose(found["tokens"].reshape(3, 196, -1), taps[-1], rtol=1e-4, atol=1e-5)
    assert np.allclose(torch_features(network, windows, masks)[0], wanted, rtol=1e-4, atol=1e-5)


def test_smaller_precisions_come_near_and_name_their_parent(data: Path, tmp_path: Path) -> None:
    """Half the bytes in fp16; in 8 bits no window depends on its companions; one identity."""
    encoder = train_folder(tmp_path / "run", OURS)
    names = ("fp32", "fp16", "int8")
    chosen = [part for name in names for part in ("--precision", name)]
    export("--encoder", encoder, "--out", tmp_path / "out", "--data", data, *chosen)
    record = read_record(tmp_path / "out")
    windows, masks = noise(LARGEST_BATCH)
    windows[0] *= 0.1
    found = {name: run_graph(tmp_path / "out" / graph_file(name), windows, masks) for name in names}

    assert sha256_of(load_encoder(encoder)) == record.encoder_sha256
    assert "static" == record.graphs["int8"].kept
    assert {"static", "dynamic"} == set(record.graphs["int8"].differences)
    assert 12 == record.n_calibration_windows == 2 * len(record.calibration_images)
    for name, most in (("fp16", 0.03), ("int8", 0.6)):
        assert 0.0 < max(record.graphs[name].differences[record.graphs[name].kept]) < most
        assert {"taps", "tokens", "counts"} == set(found[name])
        assert np.float32 == found[name]["taps"].dtype
    alone = run_graph(tmp_path / "out" / graph_file("int8"), windows[-1:], masks[-1:])
    assert np.allclose(alone["taps"][0], found["int8"]["taps"][-1], rtol=1e-4, atol=1e-5)


def test_the_folder_holds_what_golden_scores_need(tmp_path: Path) -> None:
    """What the heads of training read, and torch's features of every golden phantom."""
    encoder = train_folder(tmp_path / "run", OURS)
    export("--encoder", encoder, "--out", tmp_path / "out")
    reader = read_reader(tmp_path / "out")
    taps, tokens = phantom_features(tmp_path / "out")["fan"]

    kept = torch.load(encoder / "state.pt", weights_only=True)["heads"]
    assert reader is not None
    assert np.allclose(kept["centre"], reader.centre)
    assert np.allclose(kept["severity.1.weight"], reader.faults.T)
    assert np.allclose(kept["severity.1.bias"], reader.fault_bias)
    assert (len(tokens), 2, 16) == taps.shape
    assert (14, 14, 16) == tokens.shape[1:]


def test_8_bits_without_images_are_refused(tmp_path: Path) -> None:
    """Ranges of activations come from images, and the message says how to give them."""
    encoder = train_folder(tmp_path / "run", OURS)

    with pytest.raises(WeightsError, match="--data"):
        export("--encoder", encoder, "--out", tmp_path / "out", "--precision", "int8")


def test_a_folder_without_a_record_is_refused(tmp_path: Path) -> None:
    """The message names the command that writes one."""
    with pytest.raises(WeightsError, match="export encoder"):
        read_record(tmp_path)
