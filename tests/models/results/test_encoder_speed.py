"""The page on the exported encoder says what its CSVs say, and calls a miss a miss."""

from pathlib import Path

from sonoquality.exported import ExportRecord, Written
from sonoquality.results import encoder_speed
from sonoquality.results.encoder_speed import Timed

RECORD = ExportRecord(
    profile="sonovit",
    taps=(2, 4),
    width=128,
    encoder_sha256="ab" * 32,
    graphs={
        "fp32": Written(sha256="", n_bytes=9_000_000, kept="plain", differences={"plain": (0, 0)}),
        "int8": Written(
            sha256="",
            n_bytes=2_500_000,
            kept="static",
            differences={"static": (0.004, 0.02), "dynamic": (0.01, 0.03)},
        ),
    },
    n_calibration_windows=12,
)


def timed(network: str, precision: str, *milliseconds: float) -> list[Timed]:
    """Return one timing a round."""
    return [
        Timed(network=network, precision=precision, threads=1, repeat=k, milliseconds=each)
        for k, each in enumerate(milliseconds)
    ]


def test_ratios_are_taken_round_by_round(tmp_path: Path) -> None:
    """A round that the machine slowed slows both; sizes and misses are told."""
    rows = [
        *timed("tinyusfm", "fp32", 100.0, 300.0, 100.0),
        *timed("sonovit", "fp32", 41.0, 120.0, 40.0),
        *timed("sonovit", "int8", 31.0, 93.0, 31.0),
    ]
    encoder_speed.write_csvs(tmp_path, rows, encoder_speed.near_of(RECORD))
    text = encoder_speed.section(tmp_path)

    assert (rows, encoder_speed.near_of(RECORD)) == encoder_speed.read_csvs(tmp_path)
    assert "| 1 | sonovit fp32 | 41.0 | 0.400 [0.400, 0.405] | ≤ 0.42: reached |" in text
    assert "| ≤ 0.3: **missed** |" in text
    assert "| fp32 | plain | 9.00 (**over 8.0**) | 0.0e+00 |" in text
    assert "| int8 | dynamic | not kept | 3.0e-02 |" in text
