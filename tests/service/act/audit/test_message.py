"""An entry in DICOM's words and in a syslog line, whatever a sender put into it."""

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from sonogate.act.audit.codes import MEANINGS
from sonogate.act.audit.message import to_json, to_xml
from sonogate.act.audit.syslog import framed, to_line
from sonogate.store.audit import Noted
from sonogate.store.records import AuditEntry

SOURCE = "SONOGATE@gate1"
AT = datetime(2026, 11, 22, 8, 0, 0, 123000, tzinfo=UTC)
# <PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA BOM MSG (RFC 5424 section 6)
LINE = re.compile(
    r"<8[45]>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [\x21-\x7e]{1,255} sonogate \d+"
    r" DICOM\+RFC3881 - \ufeff(<AuditMessage>.*</AuditMessage>)"
)
HOSTILE = '<b a="1">&\r\n\x00\x1b]]>\ud800<!-- \u2028\u202e' + "x" * 5000

# PS3.15 tables A.5.3.x: what is mandatory, as (path, attribute); read off by hand.
ALWAYS = (
    ("EventIdentification", "EventActionCode"),
    ("EventIdentification", "EventDateTime"),
    ("EventIdentification", "EventOutcomeIndicator"),
    ("EventIdentification/EventID", "csd-code"),
    ("EventIdentification/EventID", "codeSystemName"),
    ("EventIdentification/EventID", "originalText"),
    ("ActiveParticipant", "UserID"),
    ("ActiveParticipant", "UserIsRequestor"),
    ("AuditSourceIdentification", "AuditSourceID"),
)
PARTICIPANT = "ParticipantObjectIdentification"
STUDY = (
    (PARTICIPANT, "ParticipantObjectID"),
    (PARTICIPANT, "ParticipantObjectTypeCode"),
    (PARTICIPANT, "ParticipantObjectTypeCodeRole"),
    (f"{PARTICIPANT}/ParticipantObjectIDTypeCode[@csd-code='110180']", "csd-code"),
    (f"{PARTICIPANT}/ParticipantObjectIDTypeCode[@csd-code='2']", "csd-code"),
)
REQUIRED = {
    "110100": (("EventIdentification/EventTypeCode", "csd-code"),),
    "110103": STUDY,
    "110104": (
        *STUDY,
        (f"{PARTICIPANT}/SOPClass", "NumberOfInstances"),
        ("ActiveParticipant/RoleIDCode[@csd-code='110153']", "csd-code"),
        ("ActiveParticipant/RoleIDCode[@csd-code='110152']", "csd-code"),
    ),
    "110106": (
        *STUDY,
        ("ActiveParticipant/RoleIDCode[@csd-code='110153']", "csd-code"),
        ("ActiveParticipant/RoleIDCode[@csd-code='110154']", "csd-code"),
    ),
    "110112": ((PARTICIPANT, "ParticipantObjectID"),),
    "110113": (("EventIdentification/EventTypeCode", "csd-code"),),
}


def noted(action: str, by: str = "CART1", study_uid: str | None = "1.2.3", **body: Any) -> Noted:
    """Make an entry."""
    entry = AuditEntry(at=AT, by=by, action=action, study_uid=study_uid, object_id=None, body=body)
    return Noted(id=7, entry=entry, accession_number="A1")


def parsed(one: Noted) -> ET.Element:
    """Take the message out of its line."""
    found = LINE.fullmatch(to_line(one, SOURCE, "gate1"))
    assert found is not None
    return ET.fromstring(found[1])  # noqa: S314 - written by us


@pytest.mark.parametrize("action", MEANINGS)
def test_every_action_has_what_the_standard_requires(action: str) -> None:
    """Each mandatory element of its table is there, and not empty."""
    said: dict[str, Any] = {"address": "192.0.2.1", "route": "/v1/studies", "keys": ["a.b"]}
    root = parsed(noted(action, sop_classes={"1.2.840.1": 3}, **said))
    event = root.find("EventIdentification/EventID")
    assert event is not None

    for path, attribute in (*ALWAYS, *REQUIRED[event.attrib["csd-code"]]):
        element = root.find(path)
        assert element is not None, path
        assert element.attrib.get(attribute), (path, attribute)


def test_a_transfer_says_who_sent_what_of_which_study() -> None:
    """The sender with its address, the study with its accession number, counts per SOP class."""
    root = parsed(noted("receive", address="192.0.2.1", sop_classes={"1.2.840.1": 3}))
    sender = root.find("ActiveParticipant[@NetworkAccessPointID='192.0.2.1']")
    assert sender is not None
    study = root.find(f"{PARTICIPANT}[@ParticipantObjectID='1.2.3']")
    assert study is not None

    assert ("CART1", "true") == (sender.attrib["UserID"], sender.attrib["UserIsRequestor"])
    assert {"Number": "A1"} == getattr(study.find("Accession"), "attrib", None)
    assert {"UID": "1.2.840.1", "NumberOfInstances": "3"} == getattr(
        study.find("SOPClass"), "attrib", None
    )


@pytest.mark.parametrize("action", ["receive", "association_refused", "read_list"])
def test_hostile_text_stays_one_line_of_wellformed_xml(action: str) -> None:
    """Markup, line ends, NUL, lone surrogates: nothing breaks the line, all of it is bounded."""
    one = noted(action, by=HOSTILE, address=HOSTILE, rule=HOSTILE[:100], route=HOSTILE)
    root = parsed(one)
    users = [each.attrib["UserID"] for each in root.findall("ActiveParticipant")]

    assert any(user.startswith('<b a="1">&') for user in users)
    assert max(map(len, users)) <= 256
    assert len(framed(to_line(one, SOURCE, "gate1"))) < 32_768  # PS3.15 A.6: all must take it
    assert "\n" not in to_json(one, SOURCE)


def test_a_person_s_own_words_stay_in_the_gate() -> None:
    """The reason of an override may name a patient: in neither form it leaves."""
    one = noted("override", by="dr", band="high", reason="Mrs Canary moved")
    detail = parsed(one).find(f"{PARTICIPANT}/ParticipantObjectDetail")
    assert detail is not None

    said = json.loads(base64.b64decode(detail.attrib["value"]))
    assert {"action": "override", "band": "high"} == said
    assert "Canary" not in to_xml(one, SOURCE) + to_json(one, SOURCE)


def test_changed_settings_are_an_alert_of_their_kind() -> None:
    """A token is a user's security attribute, a port the network's configuration."""
    root = parsed(noted("settings_changed", keys=["http.token", "listener.port", "judge.x"]))
    types = [each.attrib["csd-code"] for each in root.findall("*/EventTypeCode")]

    assert ["110131", "110137", "110128"] == types


def test_a_frame_counts_octets_not_letters() -> None:
    """RFC 6587: the length is that of UTF-8, the mark of its order included."""
    line = to_line(noted("read", by="Jürgen"), SOURCE, "gate1")
    length, _, content = framed(line).partition(b" ")

    assert len(content) == int(length) > len(line)
    assert content.decode() == line
