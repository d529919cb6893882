"""Where the models live: a folder per name and version with model, card and golden scores."""

from pathlib import Path

MODEL_FILE = "model.onnx"
CARD_FILE = "model.toml"
GOLDEN_FILE = "golden.json"
PARENT_FILE = "manifold.npz"  #: the fitted numbers: of the graph, or given to it at every run
SHIPPED = Path("nrq") / "1.1.0"
"""NRQ alone: the entry that the commands use by default."""
JOINED = Path("joined") / "1.1.0"
"""NRQ and MedQM-I in one graph: the entry that the gate uses by default."""
HUMBLE = Path("dct-manifold") / "1.0.0"
"""The baseline without weights; stays selectable."""
ENCODER_KEY = "encoder_sha256"  #: of a graph's metadata: the fp32 weights that it was written from
PROFILE_KEY = "profile"  #: of a graph's metadata: the name of the encoder's profile
ROUNDED_KEY = "rounded"  #: and `float16` if what it was written from was rounded to that before
SIZES_KEY = "profile_sizes"  #: and its sizes as JSON; graphs of before have the name alone


def default_zoo() -> Path:
    """Return the zoo that came with the package, or that of the source tree."""
    here = Path(__file__).resolve().parent
    packed = here / "zoo"
    return packed if packed.is_dir() else here.parents[1] / "zoo"
