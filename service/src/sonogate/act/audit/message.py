"""An entry as a DICOM audit message (PS3.15 A.5.1, schema and A.5.3, contents), and as JSON.

No patient is named: the gate keeps none. Where the standard asks for one, the ID is `<none>`.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from sonogate.act.audit.codes import (
    APPLICATION,
    APPLICATION_ACTIVITY,
    DESTINATION_MEDIA,
    DESTINATION_ROLE,
    EXPORT,
    INSTANCES_ACCESSED,
    INSTANCES_TRANSFERRED,
    MEANINGS,
    NODE_ID,
    QUERY,
    SAID,
    SECURITY_ALERT,
    SOURCE_ROLE,
    STUDY_INSTANCE_UID,
    UNKNOWN,
    Code,
    types_of,
)
from sonogate.store.audit import Noted

NO_PATIENT: Final = "<none>"
_MAX_TEXT: Final = 256
_NOT_TEXT = re.compile("[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ADDRESS: Final = "2"  # NetworkAccessPointTypeCode: an IP address
_SYSTEM_OBJECT: Final = "2"  # ParticipantObjectTypeCode
_PERSON: Final = "1"
_PATIENT, _REPORT, _SECURITY_RESOURCE = "1", "3", "13"  # ParticipantObjectTypeCodeRole
_PATIENT_NUMBER: Final = Code("2", "Patient Number")  # RFC 3881 5.5.4
_URI: Final = Code("12", "URI")
_SERVER_PROCESS: Final = "4"  # AuditSourceTypeCode: application server process


def to_json(noted: Noted, source: str) -> str:
    """Write an entry as one line of JSON."""
    entry = noted.entry
    said = {
        "id": noted.id,
        "at": entry.at.isoformat(),
        "source": source,
        "by": entry.by,
        "action": entry.action,
        "study_instance_uid": entry.study_uid,
        "accession_number": noted.accession_number,
        "object_id": entry.object_id,
        "detail": dict(_said(entry.body)),
    }
    return json.dumps(said)


def to_xml(noted: Noted, source: str) -> str:
    """Write an entry as an AuditMessage, on one line.

    Args:
        noted: The entry.
        source: Who we are, for AuditSourceID.
    """
    root, meaning = Element("AuditMessage"), MEANINGS.get(noted.entry.action, UNKNOWN)
    _add_event(root, noted)
    add_participants = _PARTICIPANTS.get(meaning.event, _add_actor)
    add_participants(root, noted, source)
    about = SubElement(root, "AuditSourceIdentification", AuditSourceID=clean(source))
    SubElement(about, "AuditSourceTypeCode", {"csd-code": _SERVER_PROCESS})
    _add_objects(root, noted, meaning.event)
    return tostring(root, encoding="unicode")


def clean(text: object) -> str:
    """Return what XML and a single line can hold: a sender chose some of it."""
    return _NOT_TEXT.sub("\ufffd", str(text))[:_MAX_TEXT]


def _said(body: Any) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in sorted(body.items()) if name in SAID)


def _add_event(root: Element, noted: Noted) -> None:
    entry = noted.entry
    meaning = MEANINGS.get(entry.action, UNKNOWN)
    event = SubElement(
        root,
        "EventIdentification",
        EventActionCode=meaning.did.value,
        EventDateTime=entry.at.isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=str(int(meaning.outcome)),
    )
    _add_code(event, "EventID", meaning.event)
    for each in types_of(entry.action, list(entry.body.get("keys", ()))):
        _add_code(event, "EventTypeCode", each)


def _add_code(parent: Element, name: str, code: Code, system: str = "DCM") -> None:
    SubElement(
        parent,
        name,
        {"csd-code": code.value, "codeSystemName": system, "originalText": code.meaning},
    )


def _add_participant(
    root: Element, user: str, *, requestor: bool, address: str = "", role: Code | None = None
) -> None:
    found = SubElement(
        root,
        "ActiveParticipant",
        UserID=clean(user) or "unknown",
        UserIsRequestor=str(requestor).lower(),
    )
    if address:
        found.set("NetworkAccessPointID", clean(address))
        found.set("NetworkAccessPointTypeCode", _ADDRESS)
    if role is not None:
        _add_code(found, "RoleIDCode", role)


def _add_actor(root: Element, noted: Noted, source: str) -> None:
    """Someone did it, and we say so."""
    entry = noted.entry
    address = str(entry.body.get("address", ""))
    _add_participant(root, entry.by, requestor=True, address=address)
    _add_participant(root, source, requestor=False)


def _add_application(root: Element, noted: Noted, source: str) -> None:
    _add_participant(root, source, requestor=False, role=APPLICATION)
    _add_participant(root, noted.entry.by, requestor=True)


def _add_transfer(root: Element, noted: Noted, source: str) -> None:
    entry = noted.entry
    address = str(entry.body.get("address", ""))
    _add_participant(root, entry.by, requestor=True, address=address, role=SOURCE_ROLE)
    _add_participant(root, source, requestor=False, role=DESTINATION_ROLE)


def _add_query(root: Element, noted: Noted, source: str) -> None:
    entry = noted.entry
    address = str(entry.body.get("address", ""))
    _add_participant(root, entry.by, requestor=True, address=address, role=SOURCE_ROLE)
    _add_participant(root, source, requestor=False, role=DESTINATION_ROLE)


def _add_export(root: Element, noted: Noted, source: str) -> None:
    """Someone had us show a picture to a system outside (PS3.15 A.5.3.5)."""
    entry = noted.entry
    address = str(entry.body.get("address", ""))
    _add_participant(root, entry.by, requestor=True, address=address, role=SOURCE_ROLE)
    _add_participant(root, source, requestor=False, role=SOURCE_ROLE)
    where = str(entry.body.get("destination", ""))
    _add_participant(root, where, requestor=False, role=DESTINATION_MEDIA)


_PARTICIPANTS: Final = {
    APPLICATION_ACTIVITY: _add_application,
    INSTANCES_TRANSFERRED: _add_transfer,
    EXPORT: _add_export,
    QUERY: _add_query,
}


def _add_objects(root: Element, noted: Noted, event: Code) -> None:
    entry = noted.entry
    if event in {INSTANCES_ACCESSED, INSTANCES_TRANSFERRED, EXPORT}:
        _add_study(root, noted)
        patient = _object(root, _PERSON, _PATIENT, NO_PATIENT)
        _add_code(patient, "ParticipantObjectIDTypeCode", _PATIENT_NUMBER, "RFC-3881")
        SubElement(patient, "ParticipantObjectName").text = NO_PATIENT
    elif event == QUERY:
        listed = _object(root, _SYSTEM_OBJECT, _REPORT, entry.body.get("route", ""))
        _add_code(listed, "ParticipantObjectIDTypeCode", _URI, "RFC-3881")
        query = clean(entry.body.get("route", "")).encode()
        SubElement(listed, "ParticipantObjectQuery").text = base64.b64encode(query).decode()
    elif event == SECURITY_ALERT:
        subject = _object(root, _SYSTEM_OBJECT, _SECURITY_RESOURCE, entry.action)
        _add_code(subject, "ParticipantObjectIDTypeCode", NODE_ID)
        SubElement(subject, "ParticipantObjectName").text = clean(entry.action)
        _add_details(subject, noted, "Alert Description")


def _object(root: Element, kind: str, role: str, name: object) -> Element:
    return SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=clean(name),
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )


def _add_study(root: Element, noted: Noted) -> None:
    entry = noted.entry
    study = _object(root, _SYSTEM_OBJECT, _REPORT, entry.study_uid or NO_PATIENT)
    _add_code(study, "ParticipantObjectIDTypeCode", STUDY_INSTANCE_UID)
    SubElement(study, "ParticipantObjectName").text = clean(entry.action)
    _add_details(study, noted, "Action")
    if noted.accession_number:
        SubElement(study, "Accession", Number=clean(noted.accession_number))
    for sop_class_uid, n_objects in sorted(entry.body.get("sop_classes", {}).items()):
        SubElement(study, "SOPClass", UID=clean(sop_class_uid), NumberOfInstances=str(n_objects))


def _add_details(parent: Element, noted: Noted, kind: str) -> None:
    """Say what else is known: base64 in XML, so that nothing in it can be taken for markup."""
    said = json.dumps({"action": noted.entry.action, **dict(_said(noted.entry.body))})
    value = base64.b64encode(said.encode()).decode()
    SubElement(parent, "ParticipantObjectDetail", type=kind, value=value)
