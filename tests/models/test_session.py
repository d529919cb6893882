"""The provider ladder takes the best rung that really loads, and says why the others did not."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from sonoquality import session
from sonoquality.card import ModelCard, NoProviderError
from sonoquality.session import LARGEST_BATCH, RUNGS, open_session
from sonoquality.zoo import MODEL_FILE, default_zoo

SHIPPED = default_zoo() / "dct-manifold" / "1.0.0"
ON_CPU = ort.get_available_providers()[0] == "CPUExecutionProvider" or (
    "CUDAExecutionProvider" not in ort.get_available_providers()
)


def opened(tmp_path: Path, *ladder: str) -> session.Session:
    """Open the shipped model on a ladder."""
    sha256 = ModelCard.read(SHIPPED).sha256
    return open_session(
        SHIPPED / MODEL_FILE, sha256=sha256, ladder=ladder, threads=1, cache=tmp_path
    )


@pytest.mark.skipif(not ON_CPU, reason="this runtime has a GPU provider; see the gpu tests")
def test_rungs_that_are_not_built_in_fall_through_with_a_reason(tmp_path: Path) -> None:
    """Without a GPU runtime the CPU serves, and the two better rungs are on record."""
    found = opened(tmp_path, "tensorrt", "cuda", "cpu")

    assert "cpu" == found.provider
    assert ["tensorrt", "cuda"] == [line.split(":")[0] for line in found.rungs_failed]
    assert all("built without" in line for line in found.rungs_failed)


def test_a_provider_that_silently_came_up_as_another_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime falls back to the CPU without an error; the ladder looks at what loaded."""
    monkeypatch.setattr(
        ort,
        "get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    with pytest.warns(UserWarning, match="not in available provider"):
        found = opened(tmp_path, "cuda", "cpu")

    assert "cpu" == found.provider
    assert "came up instead of CUDAExecutionProvider" in found.rungs_failed[0]


def test_no_rung_at_all_is_an_error_with_every_reason(tmp_path: Path) -> None:
    """An unknown rung and an empty ladder are refused."""
    with pytest.raises(NoProviderError, match="tensorrt, cuda, cpu"):
        opened(tmp_path, "tpu")
    with pytest.raises(NoProviderError, match="none was asked for"):
        opened(tmp_path)


def test_tensorrt_keeps_engines_apart_by_model_and_versions(tmp_path: Path) -> None:
    """An engine of another model or version is never picked up."""
    (name, options), *rest = RUNGS["tensorrt"].providers(tmp_path, "0123456789abcdef")

    folder = Path(options["trt_engine_cache_path"]).name
    assert "TensorrtExecutionProvider" == name
    assert folder.startswith(f"0123456789abcdef-ort{ort.__version__}-trt")
    assert f"{LARGEST_BATCH}x1x224x224" in options["trt_profile_max_shapes"]
    assert ["CUDAExecutionProvider"] == [provider for provider, _ in rest]


def test_a_batch_of_any_size_gives_each_window_its_own_numbers(tmp_path: Path) -> None:
    """Windows do not influence one another, also across the bounded batches."""
    found = opened(tmp_path, "cpu")
    rng = np.random.default_rng(5)
    windows = rng.uniform(size=(LARGEST_BATCH + 2, 1, 224, 224)).astype(np.float32)
    masks = np.ones_like(windows)

    together = found.run(windows, masks)["energy"]
    last = found.run(windows[-1:], masks[-1:])["energy"]

    assert together.shape == (LARGEST_BATCH + 2,)
    assert np.allclose(together[-1:], last, rtol=1e-5)
