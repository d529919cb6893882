"""The page of codes, written from the tables: python -m sonogate.act.results.reference."""

import sys
from typing import Final

from sonogate.act.results.codes import BANDS, FINDINGS, OWN_CODES, REASONS, SCHEME

HEAD: Final = """\
# Codes of the results

Generated from the code (`python -m sonogate.act.results.reference`). What an archive, a viewer or a
registry needs to read the gate's structured reports and key object selections. No code is written
with a Coding Scheme Version.

## The bands

(111101, DCM, "Image Quality") has one of these values, of CID 7036.

| band | code |
| --- | --- |
"""
OWN: Final = f"""
## The private scheme `{SCHEME}`

Ultrasound has no standard codes for what a gate finds. Meanings don't change; a changed meaning
gets a new code value.

| code value | code meaning | used as | nearest reason (CID 7011) |
| --- | --- | --- | --- |
"""
REASON: Final = """
## Reasons of a rejection

(113011, DCM, "Document Title Modifier") of a key object selection has one of these, of CID 7011.
`POST /v1/instances/{uid}/rejection` takes the code value as `reason`.

| code value | code meaning |
| --- | --- |
"""


def make_reference() -> str:
    """Return the page as Markdown."""
    bands = [
        f'| {band} | ({code.value}, {code.scheme}, "{code.meaning}") |'
        for band, code in BANDS.items()
    ]
    finding_of = {own.value: name for name, own in FINDINGS.items()}
    own = []
    for each in OWN_CODES:
        name = finding_of.get(each.value)
        used_for = f"value of Quality Finding, for the finding `{name}`" if name else each.used_for
        nearest = f"{each.nearest} {REASONS[each.nearest].meaning}" if each.nearest else ""
        own.append(f"| `{each.value}` | {each.meaning} | {used_for} | {nearest} |")
    reasons = [f"| `{code.value}` | {code.meaning} |" for code in REASONS.values()]
    parts = (HEAD, bands, OWN, own, REASON, reasons)
    return "".join(part if isinstance(part, str) else "\n".join(part) + "\n" for part in parts)


if __name__ == "__main__":
    sys.stdout.write(make_reference())
