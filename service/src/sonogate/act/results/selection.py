"""Key object selections (TID 2010): what should be looked at again, and what was rejected.

highdicom writes title, observers, description and references; the reason (Document Title Modifier)
is added here, where TID 2010 has it: after the title, before the observers.
"""

from collections.abc import Iterable

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from highdicom.sr import CodeContentItem, RelationshipTypeValues
from pydicom.dataset import Dataset

from sonogate.act.results import codes
from sonogate.act.results.codes import FINDINGS, REASONS, Code, reason_of
from sonogate.act.results.document import (
    concept,
    device,
    evidence_of,
    person,
    shared_values,
    written,
)
from sonogate.act.results.facts import ImageFacts, Order, Written

MAX_DESCRIPTION = 1000
"""Characters of a description; it repeats codes in words, so its end may be missed."""


def write_advice(order: Order, origin: Dataset) -> Written:
    """Write (113010, DCM, "Quality Issue"): advice that hides nothing."""
    reasons = {reason_of(_codes(image)) for image in order.facts.images}
    selection = KeyObjectSelection(
        document_title=concept(codes.QUALITY_ISSUE),
        referenced_objects=evidence_of(origin, order.facts.images),
        observer_device_context=device(order),
        description=_description(order.facts.images),
    )
    return _finish(selection, sorted(reasons), order, origin, "SonoGate quality issues")


def write_rejection(order: Order, origin: Dataset) -> Written:
    """Write (113001, DCM, "Rejected for Quality Reasons") for one image, as IHE IOCM has it.

    The observer is the person who confirmed it; the device, where the site's policy said so.
    """
    (image,) = order.facts.images
    rejection = image.rejection
    if rejection is None:
        raise ValueError("a rejection note needs an image that was rejected")
    observers = (
        {"observer_person_context": person(rejection.by)}
        if rejection.by_person
        else {"observer_device_context": device(order)}
    )
    selection = KeyObjectSelection(
        document_title=concept(codes.REJECTED),
        referenced_objects=evidence_of(origin, [image]),
        description=_description([image]),
        **observers,
    )
    return _finish(selection, [rejection.reason], order, origin, "SonoGate rejections")


def _finish(
    selection: KeyObjectSelection,
    reasons: Iterable[str],
    order: Order,
    origin: Dataset,
    series_description: str,
) -> Written:
    modifiers = [_modifier(REASONS[reason]) for reason in reasons]
    selection[0].ContentSequence[0:0] = modifiers
    document = KeyObjectSelectionDocument(
        evidence=evidence_of(origin, order.facts.images),
        content=selection,
        **shared_values(order, series_description),
    )
    return written(document, origin, order)


def _modifier(reason: Code) -> CodeContentItem:
    return CodeContentItem(
        name=concept(codes.TITLE_MODIFIER),
        value=concept(reason),
        relationship_type=RelationshipTypeValues.HAS_CONCEPT_MOD,
    )


def _codes(image: ImageFacts) -> list[str]:
    return [finding.code for finding in image.findings]


def _description(images: Iterable[ImageFacts]) -> str:
    """Say the findings in words; no patient text can be in them."""
    lines = []
    for image in images:
        found = [FINDINGS[code].meaning for code in _codes(image) if code in FINDINGS]
        lines.append(f"Image {image.number}: {', '.join(found) or 'below the usual standard'}")
    return "\n".join(lines)[:MAX_DESCRIPTION]
