"""Which objects are not to be judged, and why: by SOP class, by modality, by what is seen."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sonogate.domain.instance import Header
from sonogate.errors import NotApplicableError
from sonogate.read.drawn.overlay import CHROMA, Overlay
from sonogate.read.traces.find import Trace

STORAGE = "1.2.840.10008.5.1.4.1.1."
ULTRASOUND = frozenset(
    STORAGE + suffix
    for suffix in (
        "3",
        "3.1",
        "6",
        "6.1",
        "6.2",
    )  # retired forms, still sent, then Enhanced US Volume
)
SECONDARY_CAPTURE = frozenset(STORAGE + suffix for suffix in ("7", "7.1", "7.2", "7.3", "7.4"))
VISIBLE_LIGHT = frozenset(
    STORAGE + suffix
    for suffix in ("77.1.1", "77.1.1.1", "77.1.2", "77.1.2.1", "77.1.4", "77.1.4.1")
)
#: Prefix below the Storage SOP classes -> reason; the longest prefix wins.
REASONS: Sequence[tuple[str, str]] = (
    ("88.59", "key_object_selection"),
    ("88.", "structured_report"),
    ("11.", "presentation_state"),
    ("104.", "encapsulated_document"),
    ("66", "raw_data"),
)
#: Image classes of other modalities (PS3.4 B.5): CR, DX, CT, MR, IVUS/OCT, XA, NM, VL, PET, RT.
OTHER_IMAGES = ("1", "2", "4", "12.", "13.", "14.", "20", "77.", "128", "130", "481.1")
#: Modalities under which a cart sends screen captures.
CAPTURED_MODALITIES = frozenset({None, "US", "OT"})

#: Shortest side of the scan, in pixels, that can be judged.
LEAST_SCAN_SIDE = 64
#: Colour that covers this part of the scan, with less lit grey than this times its area beside it,
#: leaves no B-mode image to judge.
LEAST_FLOW_SHARE = 0.3
LEAST_GREY_OF_FLOW = 1.0
LIT = 16
#: Letters on a picture without a sector that make it a page of text.
PAGE_GLYPHS = 40
#: But not where more of the picture than this has echoes: a cropped scan, full of labels.
MOST_ROUGH = 0.3
#: Share of one single bright grey that no scan has: the paper of a report page.
PAPER_SHARE = 0.4
#: Share of one single colour, give or take compression, that no scan leaves room for.
COLOURED_PAPER_SHARE, ONE_COLOUR = 0.65, 6


def check_sop_class(header: Header) -> None:
    """Refuse what is no ultrasound image by its SOP class and modality.

    Raises:
        NotApplicableError: with the reason's code.
    """
    uid = header.sop_class_uid
    if uid is None or uid in ULTRASOUND:
        if uid is None and header.modality not in CAPTURED_MODALITIES:
            raise NotApplicableError("non_ultrasound")
        return
    if not uid.startswith(STORAGE):
        raise NotApplicableError("private_object")
    suffix = uid.removeprefix(STORAGE)
    if uid in SECONDARY_CAPTURE | VISIBLE_LIGHT:
        allowed = CAPTURED_MODALITIES if uid in SECONDARY_CAPTURE else {"US"}
        if header.modality not in allowed:
            raise NotApplicableError("non_ultrasound")
        return
    raise NotApplicableError(_reason(suffix))


def _reason(suffix: str) -> str:
    for prefix, code in REASONS:
        if suffix.startswith(prefix):
            return code
    is_image = any(
        suffix == prefix.rstrip(".") or suffix.startswith(prefix.rstrip(".") + ".")
        for prefix in OTHER_IMAGES
    )
    return "non_ultrasound" if is_image else "not_an_image"


def check_size(scan_mask: NDArray[np.bool_], reduce: int) -> None:
    """Refuse a scan too small to judge.

    Args:
        scan_mask: (height, width) on the perhaps reduced grid.
        reduce: by which the grid is smaller than the stored frame.

    Raises:
        NotApplicableError: too_small_to_grade.
    """
    rows, columns = np.flatnonzero(scan_mask.any(axis=1)), np.flatnonzero(scan_mask.any(axis=0))
    if len(rows) == 0 or min(np.ptp(rows), np.ptp(columns)) * reduce + 1 < LEAST_SCAN_SIDE:
        raise NotApplicableError("too_small_to_grade")


def check_page(
    luma: NDArray[np.uint8], picture: NDArray[np.uint8], overlay: Overlay, *, sector_found: bool
) -> None:
    """Refuse a page of text, asked only where no region declares an image.

    Args:
        luma: (height, width).
        picture: a frame as (height, width) or (height, width, 3).
        overlay: what is drawn on it.
        sector_found: echoes have the form of a scan.

    Raises:
        NotApplicableError: report_page.
    """
    counts = np.bincount(luma.ravel(), minlength=256)
    paper = int(counts[64:].max()) > PAPER_SHARE * luma.size or _is_coloured_paper(picture)
    is_written = not sector_found and overlay.n_letters >= PAGE_GLYPHS
    if paper or (is_written and _rough_share(luma, overlay) < MOST_ROUGH):
        raise NotApplicableError("report_page")


def _rough_share(luma: NDArray[np.uint8], overlay: Overlay) -> float:
    """Return which part of the picture is lit beside the text and changes from pixel to pixel."""
    changes = luma[:, 1:] != luma[:, :-1]
    return float((changes & (luma > LIT)[:, 1:] & ~overlay.mask[:, 1:]).mean())


def _is_coloured_paper(picture: NDArray[np.uint8]) -> bool:
    """Whether most of an RGB picture has one saturated colour: the median one, if any."""
    if picture.ndim == 2:
        return False
    few = picture[::4, ::4].reshape(-1, 3).astype(np.int16)
    ground = np.median(few, axis=0)
    alike = np.abs(few - ground).max(axis=1) <= ONE_COLOUR
    return float(np.ptp(ground)) > CHROMA and float(alike.mean()) > COLOURED_PAPER_SHARE


def check_trace(trace: Trace, scan_mask: NDArray[np.bool_]) -> None:
    """Refuse a trace over time that is as large as the tissue beside it, as `b_mode_regions` does.

    Args:
        trace: as it was found; its rectangle is no evidence for the scan.
        scan_mask: (height, width); all of it where nothing but the trace is seen.

    Raises:
        NotApplicableError: spectral_doppler or m_mode.
    """
    traced = trace.mask(scan_mask.shape)
    if scan_mask.all() or traced.sum() >= (scan_mask & ~traced).sum():
        raise NotApplicableError(trace.code)


def check_colour(luma: NDArray[np.uint8], scan_mask: NDArray[np.bool_], overlay: Overlay) -> None:
    """Refuse a scan that is colour Doppler and little else.

    Raises:
        NotApplicableError: colour_doppler_only.
    """
    flow = float((overlay.flow & scan_mask).sum())
    grey = float(((luma > LIT) & scan_mask & ~overlay.mask).sum())
    if flow > LEAST_FLOW_SHARE * scan_mask.sum() and grey < LEAST_GREY_OF_FLOW * flow:
        raise NotApplicableError("colour_doppler_only")
