"""The section on which encoder the page's numbers were made with, beside the one that ships."""

from pathlib import Path

from sonoquality.results import rows as csvs
from sonoquality.results.encoder_speed import EXPORT_CSV
from sonoquality.results.full_reference import read_run


def section(folder: Path) -> str:
    """Say whether uLPIPS was measured under the encoder that NRQ ships with.

    Raises:
        FileNotFoundError: one of the two was not measured yet.
    """
    ships = csvs.read(folder / EXPORT_CSV)[0]["encoder"]
    measured = read_run(folder)["encoder"]
    if ships in measured:
        beside = "It is the one that NRQ ships with."
    else:
        beside = f"""**NRQ ships with another**, {ships}, which went on from its weights
([how](nrq.md#the-encoder-as-exported)). Under that one uLPIPS was not measured: these numbers are
of the encoder that is named, and the same command measures under any other."""
    return f"""## Under which encoder

uLPIPS takes the encoder that it is given. Ladders, Dice, pairs, the choice and the restoration
example below were made with {measured}.
{beside} In one or two of the pictures of muscle a viewer's grey frame still counts as scan."""
