"""The structured report of a study: TID 1500, one measurement group per image that was judged.

An image's group (TID 1501) holds the quality that counts, the score, the findings and the
algorithm; each finding that has a place in the picture has a group of its own with the region
(TID 1410).
"""

from collections.abc import Iterable, Iterator

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    ComprehensiveSR,
    GraphicTypeValues,
    ImageRegion,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset

from sonogate.act.results import codes
from sonogate.act.results.codes import FINDINGS, OwnCode
from sonogate.act.results.document import (
    concept,
    device,
    evidence_of,
    own_scheme,
    shared_values,
    uid_of,
    written,
)
from sonogate.act.results.facts import ImageFacts, Order, Written
from sonogate.domain.verdict import Finding, FindingRegion, Model, Status

Group = MeasurementsAndQualitativeEvaluations | PlanarROIMeasurementsAndQualitativeEvaluations


def write_report(order: Order, origin: Dataset) -> Written:
    """Write the report of a study; equal orders give equal bytes."""
    groups = [group for image in order.facts.images for group in _groups(image)]
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=device(order)),
        procedure_reported=concept(codes.QUALITY_ANALYSIS),
        imaging_measurements=groups,
    )
    report = ComprehensiveSR(
        evidence=evidence_of(origin, order.facts.images),
        content=content[0],
        is_complete=True,
        is_final=True,
        previous_versions=_predecessors(order),
        coding_schemes=own_scheme(),
        **shared_values(order, "SonoGate image quality"),
    )
    return written(report, origin, order)


def _predecessors(order: Order) -> list[Dataset] | None:
    if order.earlier is None:
        return None
    ds = Dataset()
    ds.StudyInstanceUID = order.facts.study_instance_uid
    ds.SeriesInstanceUID = order.earlier.series_instance_uid
    ds.SOPClassUID = order.earlier.sop_class_uid
    ds.SOPInstanceUID = order.earlier.sop_instance_uid
    return [ds]


def _groups(image: ImageFacts) -> Iterator[Group]:
    yield _image_group(image)
    for finding in image.findings:
        if finding.region is not None and finding.code in FINDINGS:
            yield _region_group(image, finding, finding.region)


def _image_group(image: ImageFacts) -> Group:
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=uid_of("image", image.sop_instance_uid), identifier=f"Image {image.number}"
        ),
        finding_type=concept(codes.QUALITY_ASSESSMENT),
        algorithm_id=_algorithm(image),
        measurements=_measurements(image),
        qualitative_evaluations=list(_evaluations(image)),
        source_images=[
            SourceImageForMeasurementGroup(
                image.sop_class_uid, image.sop_instance_uid, _frames(image)
            )
        ],
    )


def _measurements(image: ImageFacts) -> list[Measurement]:
    if image.quality is None:
        return []
    return [_number(codes.SCORE, image.quality)]


def _number(name: OwnCode, value: float) -> Measurement:
    return Measurement(name=concept(name), value=round(value, 3), unit=concept(codes.NO_UNIT))


def _evaluations(image: ImageFacts) -> Iterator[QualitativeEvaluation]:
    nothing = codes.UNSCORABLE if image.status is Status.UNSCORABLE else codes.NOT_GRADED
    quality = codes.BANDS[image.band] if image.band else nothing
    yield QualitativeEvaluation(concept(codes.IMAGE_QUALITY), concept(quality))
    if image.by_person and image.machine_band is not None:
        before = codes.BANDS[image.machine_band]
        yield QualitativeEvaluation(concept(codes.BY_ALGORITHM), concept(before))
    for finding in image.findings:
        if finding.code in FINDINGS:
            found = concept(FINDINGS[finding.code])
            yield QualitativeEvaluation(concept(codes.QUALITY_FINDING), found)
    for state in _states(image):
        yield QualitativeEvaluation(concept(codes.STATE), concept(state))


def _states(image: ImageFacts) -> Iterable[OwnCode]:
    held = (
        (image.uncertain, codes.UNCERTAIN),
        (image.by_person, codes.BY_PERSON),
        (image.is_replaced, codes.REPLACED),
        (image.rejection is not None, codes.REJECTED_NOW),
        (image.revocation is not None, codes.REVOKED),
    )
    return [state for holds, state in held if holds]


def _region_group(image: ImageFacts, finding: Finding, region: FindingRegion) -> Group:
    left, top = region.x, region.y
    right, bottom = left + region.width, top + region.height
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    worst = image.frames.worst if image.frames else None
    frame = [worst] if worst and image.n_frames > 1 else None
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=uid_of("finding", image.sop_instance_uid, finding.code),
            identifier=f"Image {image.number}, {FINDINGS[finding.code].meaning}",
        ),
        referenced_region=ImageRegion(
            graphic_type=GraphicTypeValues.POLYLINE,
            graphic_data=np.array(corners, dtype=np.float64),
            source_image=SourceImageForRegion(image.sop_class_uid, image.sop_instance_uid, frame),
        ),
        finding_type=concept(FINDINGS[finding.code]),
        algorithm_id=_algorithm(image),
        measurements=[_number(codes.SEVERITY, finding.severity)],
    )


def _algorithm(image: ImageFacts) -> AlgorithmIdentification | None:
    model = image.model
    if model is None:
        return None
    return AlgorithmIdentification(
        name=model.name, version=model.version, parameters=_parameters(image, model)
    )


def _parameters(image: ImageFacts, model: Model) -> list[str]:
    """What decides a verdict beside name and version; not on what it ran."""
    return [f"sha256={model.sha256}", f"policy={image.policy_version or 'unknown'}"]


def _frames(image: ImageFacts) -> list[int] | None:
    if image.n_frames <= 1 or image.frames is None or not image.frames.scored:
        return None
    return list(image.frames.scored)
