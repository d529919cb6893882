"""A careless device writes a name where a UID belongs: no log and no metric repeats it."""

import asyncio
import warnings
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.uid import generate_uid
from pynetdicom.sop_class import (
    ModalityPerformedProcedureStep,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from tests.acceptance.canary import NAME, PATIENT_ID, seen_in, sick
from tests.acceptance.serving import Served
from tests.integration.bad_objects import changed, content_of
from tests.integration.forwarding import dicom_bytes
from tests.integration.ward import asked, calling, created
from tests.service.receive.door import (
    EXPLICIT_LITTLE,
    US_IMAGE,
    associate_rq,
    command,
    connected,
    element,
    message,
    store_rq,
    uid_bytes,
)

pytestmark = [pytest.mark.integration, pytest.mark.acceptance, pytest.mark.slow]

NAMED = {
    "instance": {"SOPInstanceUID": NAME},
    "study": {"StudyInstanceUID": f"{NAME}^{PATIENT_ID}"},
    "series": {"SeriesInstanceUID": NAME},
    "class": {"SOPClassUID": NAME},
    "number": {"StudyInstanceUID": "1.2.19110213.77"},
}
TOML = """
[log]
level = "debug"
[scoring]
workers = 1
model = "dct-manifold/1.0.0"
"""


def file_of(**changes: Any) -> bytes:
    """A file whose UIDs are not."""
    with warnings.catch_warnings(action="ignore"):
        whole = dicom_bytes(sick(SOPInstanceUID=generate_uid()))
        ds = sick(**changes)
        return whole[:132] + dicom_bytes(ds)[132:]


async def by_dicom(gate: Served) -> list[int]:
    """Send such objects, propose such syntaxes, tell of such steps; return the statuses."""
    statuses = []
    async with connected(gate.dicom_port) as peer:
        await peer.associate()
        for number, (what, changes) in enumerate(NAMED.items()):
            command_set = {
                "instance": store_rq(NAME),
                "class": store_rq(f"1.2.3.{number}", sop_class=NAME),
            }.get(what, store_rq(f"1.2.3.{number}"))
            with warnings.catch_warnings(action="ignore"):
                content = changed(f"1.2.3.{number}", **changes)
            await peer.say(message(command_set, content))
            statuses.append(await peer.hear_status())
    for syntax in (EXPLICIT_LITTLE, US_IMAGE):
        async with connected(gate.dicom_port) as peer:
            named = NAME.ljust(len(syntax), "1").encode()
            await peer.associate(associate_rq().replace(syntax.encode(), named))
            await peer.say(message(store_rq("1.2.8"), changed("1.2.8")))
            await peer.hear()
    return statuses


async def by_step(gate: Served) -> None:
    """Begin a step whose UID is a name."""
    step = command(
        element(0x0002, uid_bytes(str(ModalityPerformedProcedureStep))),
        element(0x0100, b"\x40\x01"),
        element(0x0110, b"\x01\x00"),
        element(0x0800, b"\x01\x00"),
        element(0x1000, uid_bytes(NAME)),
    )
    contexts = {1: (str(ModalityPerformedProcedureStep), [EXPLICIT_LITTLE])}
    with warnings.catch_warnings(action="ignore"):
        said = content_of(created(NAME))
    async with connected(gate.dicom_port) as peer:
        await peer.associate(associate_rq(contexts))
        await peer.say(message(step, said))
        await peer.hear()


def commit(gate: Served) -> None:
    """Ask for commitment of what has a name for a UID."""
    with warnings.catch_warnings(action="ignore"), calling(gate.dicom_port) as association:
        association.send_n_action(
            asked([sick(SOPInstanceUID=NAME)]),
            1,
            StorageCommitmentPushModel,
            StorageCommitmentPushModelInstance,
        )


async def by_http(gate: Served) -> list[bytes]:
    """Send such files; return what was answered to those that are refused."""
    refused = []
    async with httpx.AsyncClient(base_url=gate.url(""), timeout=60) as http:
        for changes in NAMED.values():
            answer = await http.post(
                "/v1/verdicts",
                content=file_of(**changes),
                headers={"Content-Type": "application/dicom"},
            )
            if answer.status_code >= 400:
                refused.append(answer.content)
        for _ in range(100):
            metrics = await http.get("/metrics")
            if b"\nsonogate_queue_objects 0.0" in metrics.content:
                break
            await asyncio.sleep(0.1)
        refused.append(metrics.content)
    return refused


async def spend(gate: Served) -> tuple[list[int], list[bytes]]:
    """Go through every door."""
    statuses = await by_dicom(gate)
    await by_step(gate)
    await asyncio.to_thread(commit, gate)
    return statuses, await by_http(gate)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_name_for_a_uid_is_in_no_log_and_no_metric(tmp_path: Path, processes: int) -> None:
    """Nor in a file's name, nor in what is answered to an object that is refused."""
    served = Served(tmp_path, TOML, processes=processes)
    served.start()
    try:
        statuses, refused = asyncio.run(spend(served))
    finally:
        served.stop()
    log = (tmp_path / "gate.log").read_bytes()
    names = [str(path.relative_to(tmp_path)).encode() for path in tmp_path.rglob("*")]

    assert 0 in statuses
    assert set() == seen_in(log)
    assert b"1.2.19110213.77" not in log
    assert [] == [each for each in refused if seen_in(each)]
    assert [] == [each for each in names if seen_in(each)]
