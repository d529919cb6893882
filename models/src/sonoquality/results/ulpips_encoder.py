"""The section on which encoder the page's numbers were made with, beside the one that ships."""

from pathlib import Path

from sonoquality.results import rows as csvs
from sonoquality.results.encoder_speed import EXPORT_CSV
from sonoquality.results.full_reference import read_run

READ_BACK = "read back"  #: of `VisionTransformer.title`
ROUNDED = " Its weights are those of the entry, rounded to half precision."


def section(folder: Path) -> str:
    """Say whether uLPIPS was measured under the encoder that NRQ ships with.

    Raises:
        FileNotFoundError: one of the two was not measured yet.
    """
    ships = csvs.read(folder / EXPORT_CSV)[0]["encoder"]
    measured = read_run(folder)["encoder"]
    if ships in measured:
        beside = "It is the one that NRQ ships with." + (ROUNDED if READ_BACK in measured else "")
    else:
        beside = f"""**NRQ ships with another**, {ships}, which went on from its weights
([how](nrq.md#the-encoder-as-exported)). Under that one uLPIPS was not measured: these numbers are
of the encoder that is named, of which no copy is kept; `make ulpips` measures under the one that
ships."""
    return f"""## Under which encoder

uLPIPS takes the encoder that it is given, and where it is given none that of the entry that ships,
its weights rounded to half precision. Ladders, Dice, pairs, the choice and the restoration
example below were made with {measured}.
{beside} In one or two of the pictures of muscle a viewer's grey frame still counts as scan."""
