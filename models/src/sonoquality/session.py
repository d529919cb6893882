"""One ONNX model on the best rung of the provider ladder; only here is onnxruntime named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from sonoquality.card import NoProviderError, OtherManifoldError

#: At most this many windows go through the model at once: it bounds memory and TensorRT's profile.
LARGEST_BATCH = 12
WORKSPACE_BYTES = 1 << 30

Outputs = dict[str, NDArray[np.float32]]
ProviderList = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One try: exactly one provider list, whose first provider must be the one that loads."""

    name: str
    providers: Callable[[Path, str], ProviderList]


def _tensorrt(cache: Path, key: str) -> ProviderList:
    folder = cache / f"{key}-ort{ort.__version__}-trt{_tensorrt_version()}"
    folder.mkdir(parents=True, exist_ok=True)
    shape = "1x224x224"
    profile = {
        f"trt_profile_{bound}_shapes": f"windows:{n}x{shape},mask:{n}x{shape}"
        for bound, n in (("min", 1), ("opt", 6), ("max", LARGEST_BATCH))
    }
    options = {
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": str(folder),
        "trt_fp16_enable": False,
        "trt_int8_enable": False,
        "trt_max_workspace_size": WORKSPACE_BYTES,
        **profile,
    }
    return [("TensorrtExecutionProvider", options), *_cuda(cache, key)]


def _cuda(_cache: Path, _key: str) -> ProviderList:
    # TF32 rounds to ten bits, which moves energies more than the golden tolerance allows.
    return [("CUDAExecutionProvider", {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"})]


def _cpu(_cache: Path, _key: str) -> ProviderList:
    return [("CPUExecutionProvider", {})]


RUNGS: Mapping[str, Rung] = {
    "tensorrt": Rung(name="tensorrt", providers=_tensorrt),
    "cuda": Rung(name="cuda", providers=_cuda),
    "cpu": Rung(name="cpu", providers=_cpu),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A loaded model."""

    runtime: ort.InferenceSession
    provider: str  #: the rung that really loaded
    rungs_failed: tuple[str, ...]  #: "rung: reason" of every better rung that did not
    tensors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)  #: at every run

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the graph says of itself."""
        found: Mapping[str, str] = self.runtime.get_modelmeta().custom_metadata_map
        return found

    def given(self, tensors: Mapping[str, NDArray[np.float32]]) -> "Session":
        """Return this session with tensors for its inputs beside windows and mask.

        Raises:
            OtherManifoldError: they are not those that the graph asks for, by name and shape.
        """
        wanted = {
            each.name: tuple(each.shape)
            for each in self.runtime.get_inputs()
            if each.name not in ("windows", "mask")
        }
        found = {name: tensor.shape for name, tensor in tensors.items()}
        unlike = sorted(k for k in wanted | found if wanted.get(k) != found.get(k))
        if unlike:
            raise OtherManifoldError(
                f"The manifold does not fit the graph in {', '.join(unlike)}: it was fitted with "
                "other experts. Fit it again with this entry, by sonoquality fit."
            )
        return replace(self, tensors=tensors)

    def run(
        self,
        windows: NDArray[np.float32],
        masks: NDArray[np.float32],
        names: Sequence[str] = (),
        *,
        nothing_else: bool = False,
    ) -> Outputs:
        """Run any number of windows (n, 1, 224, 224) in bounded batches.

        Args:
            windows: (n, 1, 224, 224) in [0, 1].
            masks: the same shape, 1 in the scan.
            names: of the outputs that are wanted; none: all.
            nothing_else: compute no part of the graph that those do not need.

        Returns:
            Outputs by name: those that are named, or all.
        """
        names = names or [output.name for output in self.runtime.get_outputs()]
        options = ort.RunOptions()
        options.only_execute_path_to_fetches = nothing_else
        parts = [
            self.runtime.run(
                names,
                {
                    "windows": windows[i : i + LARGEST_BATCH],
                    "mask": masks[i : i + LARGEST_BATCH],
                    **self.tensors,
                },
                options,
            )
            for i in range(0, len(windows), LARGEST_BATCH)
        ]
        return {name: np.concatenate([part[k] for part in parts]) for k, name in enumerate(names)}


def open_session(
    model: Path, *, sha256: str, ladder: Sequence[str], threads: int, cache: Path
) -> Session:
    """Load a model on the first rung of the ladder that really works.

    Args:
        model: the ONNX file.
        sha256: its hash; keys the engine cache together with the versions.
        ladder: rung names, best first: "tensorrt", "cuda", "cpu".
        threads: for one operator; operators run one after another.
        cache: folder for TensorRT engines.

    Raises:
        NoProviderError: no rung loads; the message has each reason.
    """
    failed: list[str] = []
    for name in ladder:
        try:
            runtime = _try(model, _rung(name).providers(cache, sha256[:16]), threads)
        except _RungError as error:
            failed.append(f"{name}: {error}")
            continue
        return Session(runtime=runtime, provider=name, rungs_failed=tuple(failed))
    raise NoProviderError(f"No provider loads {model}: {'; '.join(failed) or 'none was asked for'}")


class _RungError(Exception):
    """This rung does not load."""


def _rung(name: str) -> Rung:
    if name not in RUNGS:
        raise NoProviderError(f"No rung {name!r}; there are {', '.join(RUNGS)}.")
    return RUNGS[name]


def _try(model: Path, providers: ProviderList, threads: int) -> ort.InferenceSession:
    wanted = providers[0][0]
    if wanted not in ort.get_available_providers():
        raise _RungError(f"this onnxruntime was built without {wanted}")
    try:
        session = ort.InferenceSession(str(model), _options(threads), providers=providers)
    except Exception as error:
        raise _RungError(str(error).splitlines()[0]) from error
    session.disable_fallback()
    loaded = session.get_providers()[0]
    if loaded != wanted:
        raise _RungError(f"{loaded} came up instead of {wanted}")
    return session


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _tensorrt_version() -> str:
    try:
        return metadata.version("tensorrt")
    except metadata.PackageNotFoundError:
        return "none"
