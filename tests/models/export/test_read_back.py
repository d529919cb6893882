"""The weights of an encoder come back out of its graph, or the graph is refused by name."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from sonoquality import degrade
from sonoquality.card import HashMismatchError, ModelCard
from sonoquality.exported import READER_FILE, graph_file, read_reader, read_record
from sonoquality.metrics import experts_file
from sonoquality.session import open_session
from sonoquality.zoo import CARD_FILE, MODEL_FILE, SHIPPED, default_zoo
from tests.conftest import need_extra
from tests.models.phantoms import SCANS, tissue
from tests.models.training.test_fit import collection

pytestmark = pytest.mark.train
onnx = need_extra("onnx", "train")
torch = need_extra("torch", "train")

from sonoquality.export.folder import phantom_windows, run_graph, torch_features  # noqa: E402
from sonoquality.networks import checkpoints  # noqa: E402
from sonoquality.networks.identity import sha256_of  # noqa: E402
from sonoquality.networks.profiles import SONOVIT, EncoderProfile  # noqa: E402
from sonoquality.networks.ulpips import Ulpips  # noqa: E402
from sonoquality.networks.vit import VisionTransformer  # noqa: E402
from tests.models.export.test_encoder import (  # noqa: E402
    OURS,
    PUBLISHED,
    export,
    noise,
    train_folder,
)

ENTRY = default_zoo() / SHIPPED
HALF_STEP = 2.0**-11  #: the largest relative error of a rounding to fp16
BOTH = pytest.mark.parametrize("profile", [OURS, PUBLISHED], ids=lambda p: p.name)


def exported(folder: Path, profile: EncoderProfile, *precisions: str) -> VisionTransformer:
    """Export a random encoder to `folder / "out"`; returns it as it was."""
    run = train_folder(folder / "run", profile)
    chosen = [part for name in precisions for part in ("--precision", name)]
    export("--encoder", run, "--out", folder / "out", *chosen)
    return checkpoints.load_encoder(run)


def changed(path: Path, constant: str, array: "np.typing.NDArray[np.float32] | None") -> None:
    """Write a graph anew with another constant, or without it, as nothing checks it."""
    model = onnx.load(path)
    kept = [each for each in model.graph.initializer if each.name != constant]
    assert len(kept) + 1 == len(model.graph.initializer)
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    if array is not None:
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, constant))
    onnx.save(model, str(path))


def test_the_shipped_entry_gives_its_encoder_back() -> None:
    """As a network it says of every phantom what the graph of the entry says, in fp32."""
    encoder = checkpoints.load_encoder(ENTRY)
    manifold = ModelCard.read(ENTRY).manifold
    assert manifold is not None
    parent = experts_file.load(ENTRY / manifold.file).encoder_sha256
    graph = open_session(ENTRY / MODEL_FILE, sha256="", ladder=("cpu",), threads=1, cache=ENTRY)
    given = graph.given(experts_file.tensors_of(experts_file.load(ENTRY / manifold.file)))

    assert SONOVIT == encoder.profile
    assert encoder.parent is not None
    assert (parent, True) == (encoder.parent.sha256, encoder.parent.half_precision)
    assert parent not in (sha256_of(encoder), encoder.title)
    assert f"half-precision graph of {parent[:16]}" in encoder.title
    for windows, masks in phantom_windows().values():
        taps, tokens = torch_features(encoder, windows, masks)
        found = given.run(windows, masks, ("taps", "tokens"))
        assert np.allclose(found["taps"], taps, rtol=1e-4, atol=1e-4)
        assert np.allclose(found["tokens"], tokens, rtol=1e-4, atol=1e-4)


@BOTH
def test_what_the_writer_did_is_undone(profile: EncoderProfile, tmp_path: Path) -> None:
    """Each weight that a tap reads is the parent's: of fp32 to the last digits, of fp16 rounded."""
    parent = exported(tmp_path, profile, "fp32", "fp16")
    windows, masks = noise(2)
    for precision, most in (("fp32", 2.0**-22), ("fp16", HALF_STEP)):
        graph = tmp_path / "out" / graph_file(precision)
        again = checkpoints.load_encoder(graph)
        weights = again.state_dict()
        unread = [f"blocks.{k}." for k in range(max(profile.taps), profile.depth)] + ["norm."]
        for name, wanted in parent.state_dict().items():
            if not name.startswith(tuple(unread)):
                assert torch.all((weights[name] - wanted).abs() <= most * wanted.abs() + 2**-25)
        assert profile == again.profile
        assert again.parent is not None
        assert sha256_of(parent) == again.parent.sha256 == again.parent_sha256
        assert ("fp16" == precision) == again.parent.half_precision
        found = run_graph(graph, windows, masks)
        assert np.allclose(found["taps"], torch_features(again, windows, masks)[0], atol=1e-5)
        assert sha256_of(again) == sha256_of(checkpoints.load_encoder(graph))


def moved(one: VisionTransformer, other: VisionTransformer, operators: str) -> list[float]:
    """Return how far uLPIPS of a phantom and its faults at level 3 lies apart, in parts of it."""
    scan = SCANS["fan"]
    clean = tissue(scan, 1)
    apart = []
    for name in operators.split():
        pair = [
            torch.from_numpy(np.ascontiguousarray(each))[None, None]
            for each in (clean, degrade.apply(name, clean, scan, 3, 0))
        ]
        wanted, found = (float(Ulpips(each)(*pair)[0]) for each in (one, other))
        assert wanted > 1e-3
        apart.append(abs(found - wanted) / wanted)
    return apart


def test_half_precision_moves_ulpips_little(tmp_path: Path) -> None:
    """By less than one part in a hundred, and it does: the identity is another."""
    parent = exported(tmp_path, OURS, "fp16")
    again = checkpoints.load_encoder(tmp_path / "out" / graph_file("fp16"))

    apart = moved(parent, again, "CON DEF JPG MOT RES SHA SPK TGC")

    assert 0.0 < max(apart) < 0.01
    assert sha256_of(parent) != sha256_of(again)


@pytest.mark.slow
def test_any_parent_of_what_ships_says_nearly_the_same() -> None:
    """Weights drawn within half a step of fp16 around them move uLPIPS by less than 1 in 500."""
    shipped = checkpoints.load_encoder(ENTRY)
    parent, draws = checkpoints.load_encoder(ENTRY), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in parent.named_parameters():
            if not name.startswith("norm."):
                step = 2.0 * HALF_STEP * 2.0 ** weight.abs().clamp_min(2.0**-14).log2().floor()
                weight.add_((torch.rand(weight.shape, generator=draws) - 0.5) * step)

    assert 0.0 < max(moved(shipped, parent, "CON DEF G+ JPG SHA SPK")) < 0.002


def test_8_bits_are_refused(tmp_path: Path) -> None:
    """They lie too far off; the message says what to give."""
    (tmp_path / "data").mkdir()
    run = train_folder(tmp_path / "run", OURS)
    data = collection(tmp_path / "data")
    export("--encoder", run, "--out", tmp_path, "--data", data, "--precision", "int8")

    with pytest.raises(checkpoints.UnreadableGraphError, match="fp16 or fp32 graph"):
        checkpoints.load_encoder(tmp_path / graph_file("int8"))


def test_what_is_missing_or_misshapen_is_named(tmp_path: Path) -> None:
    """By the name of the weight, not of the constant; a third of a weight is none."""
    exported(tmp_path, OURS, "fp32")
    whole = tmp_path / "out" / graph_file("fp32")
    model = onnx.load(whole)
    maps = [node.input[1] for node in model.graph.node if node.op_type == "MatMul"]
    fixed = {each.name for each in model.graph.initializer}
    query, _, _, outward, *_ = [name for name in maps if name in fixed]
    without, other = tmp_path / "without.onnx", tmp_path / "other.onnx"
    shutil.copy(whole, without)
    shutil.copy(whole, other)
    changed(without, query, None)
    changed(other, outward, np.zeros((16, 7), np.float32))

    with pytest.raises(checkpoints.MisfitCheckpointError, match=r"Missing: blocks\.0\.attn\.qkv\."):
        checkpoints.load_encoder(without)
    with pytest.raises(checkpoints.MisfitCheckpointError, match=r"attn\.proj\.weight \(7, 16\) in"):
        checkpoints.load_encoder(other)


def test_a_graph_of_another_layout_is_refused(tmp_path: Path) -> None:
    """Another number of heads, or other nodes: a constant may then be something else."""
    exported(tmp_path, OURS, "fp32")
    whole = tmp_path / "out" / graph_file("fp32")
    heads = next(
        each.name
        for each in onnx.load(whole).graph.initializer
        if [0, 196, 2, 8] == onnx.numpy_helper.to_array(each).tolist()
    )
    shutil.copy(whole, tmp_path / "heads.onnx")
    changed(tmp_path / "heads.onnx", heads, np.array([0, 196, 4, 4]))
    model = onnx.load(whole)
    next(node for node in model.graph.node if node.op_type == "Softmax").op_type = "LogSoftmax"
    onnx.save(model, str(tmp_path / "softmax.onnx"))

    for name, said in (("heads.onnx", heads), ("softmax.onnx", "Softmax")):
        with pytest.raises(checkpoints.UnreadableGraphError, match=f"another way.*{said}"):
            checkpoints.load_encoder(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"no graph"])
def test_what_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    """So is a graph without an encoder."""
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(checkpoints.UnreadableGraphError):
        checkpoints.load_encoder(tmp_path / "a.onnx")
    with pytest.raises(checkpoints.UnreadableGraphError, match="no encoder"):
        checkpoints.load_encoder(default_zoo() / "traces" / "1.0.0")


def test_an_entry_that_its_card_does_not_describe_is_refused(tmp_path: Path) -> None:
    """As where it scores."""
    shutil.copy(ENTRY / CARD_FILE, tmp_path)
    (tmp_path / MODEL_FILE).write_bytes((ENTRY / MODEL_FILE).read_bytes() + b"\0")
    with pytest.raises(HashMismatchError):
        checkpoints.load_encoder(tmp_path)


def test_what_is_read_back_is_exported_under_its_parent(tmp_path: Path) -> None:
    """The same numbers in half precision; the record says so; heads of another run do not stay."""
    parent = exported(tmp_path, OURS, "fp16")
    graph, out = tmp_path / "out" / graph_file("fp16"), tmp_path / "again"
    out.mkdir()
    shutil.copy(tmp_path / "out" / READER_FILE, out)
    export("--encoder", graph, "--out", out, "--precision", "fp16", "--precision", "fp32")
    record, again = read_record(out), checkpoints.load_encoder(out / graph_file("fp32"))
    constants = [
        {each.name: each.raw_data for each in onnx.load(path).graph.initializer}
        for path in (graph, out / graph_file("fp16"))
    ]

    assert sha256_of(parent) == record.encoder_sha256
    assert sha256_of(checkpoints.load_encoder(graph)) == record.read_back_sha256
    assert again.parent is not None
    assert (sha256_of(parent), True) == (again.parent.sha256, again.parent.half_precision)
    assert constants[0] == constants[1]
    assert read_reader(out) is None
