"""Encoders are read whole or refused by name of what is missing."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import need_extra

pytestmark = pytest.mark.train
torch = need_extra("torch", "train")

from sonoquality.networks import checkpoints  # noqa: E402 - needs torch
from sonoquality.networks.identity import sha256_of  # noqa: E402
from sonoquality.networks.profiles import SONOVIT, TINYUSFM  # noqa: E402
from sonoquality.networks.vit import VisionTransformer  # noqa: E402


def published(path: Path, **changes: Any) -> Path:
    """Write a checkpoint in the published form, changed."""
    torch.manual_seed(0)
    weights = VisionTransformer(TINYUSFM).state_dict()
    tensors = {f"module.model.{key}": value for key, value in weights.items()}
    torch.save({**tensors, **changes}, path)
    return path


def test_the_published_form_loads(shared_dir: Path) -> None:
    """The 150 tensors with their prefix make the whole network of 5,524,416 parameters."""
    model = checkpoints.load_tinyusfm(shared_dir / "paper_parity" / "tinyusfm_random.pth")
    tokens = model.tokens(torch.zeros(2, 3, 224, 224))

    assert 5_524_416 == sum(p.numel() for p in model.parameters())
    assert [(2, 196, 192)] * 4 == [tuple(each.shape) for each in tokens]


def test_prefixes_wrappers_and_a_head_do_no_harm(tmp_path: Path) -> None:
    """The same numbers under other names, wrapped, beside a classifier: the same encoder."""
    bare = checkpoints.load_tinyusfm(published(tmp_path / "a.pth"))
    tensors = torch.load(tmp_path / "a.pth", weights_only=True)
    torch.save({"state_dict": {**tensors, "head.weight": torch.zeros(3)}}, tmp_path / "b.pth")

    assert sha256_of(bare) == sha256_of(checkpoints.load_tinyusfm(tmp_path / "b.pth"))


def test_missing_tensors_are_named(tmp_path: Path) -> None:
    """A file without one block and one norm says which."""
    tensors = torch.load(published(tmp_path / "a.pth"), weights_only=True)
    kept = {key: value for key, value in tensors.items() if ".blocks.7.mlp" not in key}
    torch.save(kept, tmp_path / "part.pth")

    with pytest.raises(checkpoints.MisfitCheckpointError) as refused:
        checkpoints.load_tinyusfm(tmp_path / "part.pth")
    for name in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"):
        assert f"blocks.7.mlp.{name}" in str(refused.value)
    assert "blocks.6" not in str(refused.value)


def test_another_network_is_refused(tmp_path: Path) -> None:
    """Our own encoder's weights are not TinyUSFM's, and shapes are checked as names are."""
    torch.save(VisionTransformer(SONOVIT).state_dict(), tmp_path / "ours.pth")
    wide = {"module.model.norm.weight": torch.zeros(384)}
    published(tmp_path / "wide.pth", **wide)

    with pytest.raises(checkpoints.MisfitCheckpointError, match="Missing: cls_token"):
        checkpoints.load_tinyusfm(tmp_path / "ours.pth")
    with pytest.raises(checkpoints.MisfitCheckpointError, match=r"norm\.weight \(384,\) instead"):
        checkpoints.load_tinyusfm(tmp_path / "wide.pth")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x02c__builtin__\neval\n."])
def test_what_is_no_file_of_tensors_is_refused(tmp_path: Path, content: bytes) -> None:
    """Nothing is run that a file may carry."""
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(checkpoints.UnreadableCheckpointError):
        checkpoints.load_tinyusfm(tmp_path / "a.pth")


def test_an_encoder_of_ours_comes_back_as_it_was(tmp_path: Path) -> None:
    """Folder or file, with its profile; identity and tokens are the same."""
    torch.manual_seed(1)
    model = VisionTransformer(SONOVIT).eval()
    checkpoints.save_encoder(tmp_path / checkpoints.WEIGHTS_FILE, model)
    again = checkpoints.load_encoder(tmp_path)
    x = torch.randn(2, 1, 224, 224)

    assert SONOVIT == again.profile
    assert sha256_of(model) == sha256_of(again)
    assert torch.equal(model.tokens(x)[-1], again.tokens(x)[-1])


def test_a_file_without_a_profile_is_no_encoder_of_ours(tmp_path: Path) -> None:
    """A bare table of tensors is refused."""
    torch.save({"a": torch.zeros(2)}, tmp_path / "a.pt")
    with pytest.raises(checkpoints.UnreadableCheckpointError, match="profile"):
        checkpoints.load_encoder(tmp_path / "a.pt")
