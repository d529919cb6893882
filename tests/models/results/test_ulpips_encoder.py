"""The page on uLPIPS says under which encoder it was measured, and whether that one ships."""

from pathlib import Path

import pytest

from sonoquality.results import full_reference, ulpips_encoder
from sonoquality.results.encoder_speed import EXPORT_CSV


@pytest.mark.parametrize(
    ("ships", "said"), [("aa11", "the one that NRQ ships with"), ("bb22", "another**, bb22,")]
)
def test_the_encoder_that_ships_is_told_from_the_one_measured(
    ships: str, said: str, tmp_path: Path
) -> None:
    """By the hash that both tables hold."""
    full_reference.write_run(tmp_path, {"encoder": "sonovit, SHA-256 aa11"})
    (tmp_path / EXPORT_CSV).write_text(f"encoder,precision\n{ships},fp32\n", encoding="utf-8")

    section = ulpips_encoder.section(tmp_path)

    assert "made with sonovit, SHA-256 aa11." in section
    assert said in section


def test_what_was_read_back_is_told_from_the_weights_themselves(tmp_path: Path) -> None:
    """It is the encoder that ships, rounded."""
    title = "sonovit, SHA-256 cc33, read back from the half-precision graph of aa11"
    full_reference.write_run(tmp_path, {"encoder": title})
    (tmp_path / EXPORT_CSV).write_text("encoder,precision\naa11,fp32\n", encoding="utf-8")

    section = ulpips_encoder.section(tmp_path)

    assert f"made with {title}." in section
    assert "the one that NRQ ships with. Its weights are those of the entry, rounded" in section
