"""The page on the exported encoder says what its CSVs say, and calls a miss a miss."""

from dataclasses import replace
from pathlib import Path

from sonoquality.exported import ExportRecord, Written
from sonoquality.results import encoder_speed
from sonoquality.results.encoder_speed import Held, Timed
from sonoquality.zoo import SHIPPED

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


def timed(network: str, precision: str, windows: int, *milliseconds: float) -> list[Timed]:
    """Return one timing a round."""
    return [
        Timed(
            network=network,
            precision=precision,
            threads=1,
            windows=windows,
            repeat=k,
            milliseconds=each,
        )
        for k, each in enumerate(milliseconds)
    ]


def held(network: str, precision: str, threads: int, megabytes: float) -> Held:
    """Return what a process held."""
    return Held(
        network=network, precision=precision, threads=threads, windows=9, megabytes=megabytes
    )


MEMORY = [
    held("no graph", "", 1, 100.0),
    held("sonovit", "int8", 1, 171.6),
    held("no graph", "", 2, 101.0),
    held("sonovit", "int8", 2, 180.0),
]


def test_ratios_are_taken_round_by_round(tmp_path: Path) -> None:
    """A round that the machine slowed slows both; sizes and misses are told."""
    rows = [
        *timed("tinyusfm", "fp32", 4, 400.0, 1200.0, 400.0),
        *timed("sonovit", "fp32", 4, 164.0, 480.0, 160.0),
        *timed("sonovit", "int8", 4, 124.0, 372.0, 124.0),
    ]
    encoder_speed.write_csvs(tmp_path, rows, MEMORY, encoder_speed.near_of(RECORD))
    text = encoder_speed.section(tmp_path)

    assert (rows, MEMORY, encoder_speed.near_of(RECORD)) == encoder_speed.read_csvs(tmp_path)
    assert "| 1 | sonovit fp32 | 41.0 | 0.400 [0.400, 0.405] | ≤ 0.42: reached |" in text
    assert "| ≤ 0.3: **missed** |" in text
    assert "| fp32 | plain | 9.00 (**over 8.0**) | 0.0e+00 |" in text
    assert "| int8 | dynamic | not kept | 3.0e-02 |" in text


def test_images_are_timed_whole_and_memory_is_told_above_the_libraries(tmp_path: Path) -> None:
    """A size not timed stays empty; the entry is not held to the bar of encoders."""
    name = SHIPPED.as_posix()
    rows = [
        *timed("tinyusfm", "fp32", 4, 400.0),
        *timed("tinyusfm", "fp32", 9, 900.0),
        *timed(name, encoder_speed.WHOLE, 9, 150.0, 170.0, 160.0),
    ]
    encoder_speed.write_csvs(tmp_path, rows, MEMORY, encoder_speed.near_of(RECORD))
    text = encoder_speed.section(tmp_path)

    assert "|  | 4 windows | 9 windows |" in text
    assert "| 1 | tinyusfm fp32 | 400.0 | 900.0 |" in text
    assert f"| 1 | {name} whole |  | 160.0 |" in text
    assert name not in text[: text.index("Time per image")]
    assert "| sonovit int8 | 172 (+72) | 180 (+79) |" in text


def test_times_of_an_entry_that_no_longer_ships_are_said_to_be(tmp_path: Path) -> None:
    """By its name, above the tables."""
    rows = [
        *timed("tinyusfm", "fp32", 4, 400.0),
        *timed("nrq/0.1.0", encoder_speed.WHOLE, 9, 150.0),
    ]
    encoder_speed.write_csvs(tmp_path, rows, MEMORY, encoder_speed.near_of(RECORD))

    assert f"are those of nrq/0.1.0, not of {SHIPPED.as_posix()}" in encoder_speed.section(tmp_path)


def test_what_rounding_costs_is_not_claimed_of_weights_that_are_rounded(tmp_path: Path) -> None:
    """Of an encoder read back from a graph the page says what the differences are from."""
    rows = [
        *timed("tinyusfm", "fp32", 4, 400.0),
        *timed("sonovit", "fp32", 4, 164.0),
    ]
    for record, said in ((RECORD, False), (replace(RECORD, read_back_sha256="cd" * 32), True)):
        encoder_speed.write_csvs(tmp_path, rows, MEMORY, encoder_speed.near_of(record))
        assert said == ("read back from the graph" in encoder_speed.section(tmp_path))
