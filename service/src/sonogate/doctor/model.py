"""Does the model load, on which provider, and does it still say what it said when it was made?"""

import ctypes
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sonogate.doctor.check import Check, fail, ok, warn
from sonogate.errors import GateError
from sonogate.read.traces.find import NET, trace_net
from sonogate.score.scorer import ModelScorer
from sonogate.settings import Settings
from sonoquality.golden import differences
from sonoquality.zoo import default_zoo

RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
TENSORRT_LIBRARY = "libnvinfer.so.10"


def checks(settings: Settings) -> Iterator[Check]:
    """Look at the runtime, the model file, the provider that loaded, and the golden scores."""
    found = installed_runtimes()
    yield runtime_check(found)
    if "onnxruntime-gpu" in found:
        yield _tensorrt()
    try:
        scorer = ModelScorer.open(settings.scoring)
    except (GateError, ImportError) as error:
        yield fail(
            "model",
            f"{settings.scoring.model} can't be used: {error}",
            "install the release again, or set scoring.model to an entry of the zoo",
        )
        return
    yield ok("model", f"{scorer.identity.name} {scorer.identity.version}, hash as on its card")
    yield _provider(scorer)
    yield _golden(scorer, (settings.scoring.zoo or default_zoo()) / settings.scoring.model)
    yield trace_net_check()


def installed_runtimes() -> dict[str, str]:
    """Return the versions of the ONNX Runtime distributions that are installed."""
    found = {}
    for name in RUNTIMES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def runtime_check(found: dict[str, str]) -> Check:
    """Judge which ONNX Runtime distributions are installed: exactly one is right."""
    if not found:
        return fail("onnxruntime", "none is installed", "pip install 'sonogate[cpu]' or [gpu]")
    said = " and ".join(f"{name} {number}" for name, number in found.items())
    if len(found) > 1:
        return fail(
            "onnxruntime",
            f"{said} fill the same folder and break each other",
            "pip uninstall onnxruntime onnxruntime-gpu, then install one of [cpu], [gpu]",
        )
    return ok("onnxruntime", said)


def _tensorrt() -> Check:
    try:
        ctypes.CDLL(TENSORRT_LIBRARY)
    except OSError as error:
        return warn(
            "TensorRT",
            f"{TENSORRT_LIBRARY} can't be loaded ({error}); the CUDA rung is used instead",
            "pip install 'tensorrt>=10.16,<11'; version 11 has another library name",
        )
    return ok("TensorRT", f"{TENSORRT_LIBRARY} loads")


def _provider(scorer: ModelScorer) -> Check:
    rung = scorer.identity.provider
    failed = scorer.greeting.rungs_failed
    if failed and "onnxruntime-gpu" in installed_runtimes():
        return warn("provider", f"{rung}; better ones failed: {'; '.join(failed)}", "see above")
    return ok("provider", f"{rung} is in use")


def _golden(scorer: ModelScorer, entry: Path) -> Check:
    try:
        wrong = differences(scorer.model, entry)
    except (OSError, ValueError, KeyError) as error:
        return fail(
            "golden image",
            f"no golden scores beside the model ({error})",
            "install the release again",
        )
    if wrong:
        return fail(
            "golden image",
            f"scored otherwise than when the model was made ({len(wrong)} numbers; {wrong[0]})",
            'try scoring.providers = ["cpu"]; if that is right, the GPU rung is not to be trusted',
        )
    return ok("golden image", "scored as when the model was made")


def trace_net_check() -> Check:
    """Judge whether the net that tells traces is the one that was released."""
    try:
        trace_net()
    except GateError as error:
        return fail("trace net", str(error), "install the release again")
    return ok("trace net", f"{NET}, hash as on its card")
