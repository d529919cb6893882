"""The live table goes on asking: a connection that closes under a question ends nothing."""

from pathlib import Path

import httpx

from sonogate.demo.objects import DicomFile
from sonogate.demo.sender import Sent
from sonogate.demo.table import Board, Row, fill

FILE = DicomFile(
    path=Path("image.dcm"),
    sop_class_uid="1.2.840.10008.5.1.4.1.1.6.1",
    sop_instance_uid="1.2.3",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    study_uid="1.2",
    offset=0,
)


def board() -> Board:
    """One object that was kept and waits for its verdict."""
    sent = Sent(file=FILE, status=0x0000, detail="kept", seconds=0.1)
    return Board([Row(name="image", file=FILE, sent=sent)])


async def asked(n_broken: int) -> list[str]:
    """Ask once round; the first connections break. Returns the paths of all questions."""
    paths: list[str] = []

    def gate(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        if len(paths) <= n_broken:
            raise httpx.ReadError("closed", request=request)
        return httpx.Response(404)

    async with httpx.AsyncClient(
        base_url="http://gate", transport=httpx.MockTransport(gate)
    ) as client:
        await fill(board(), client)
    return paths


async def test_a_broken_connection_is_asked_again_at_once() -> None:
    """A kept connection may be closed by the gate just when a question goes out."""
    assert ["/v1/instances/1.2.3"] * 2 == await asked(n_broken=1)


async def test_a_gate_that_is_busy_is_asked_in_the_next_round() -> None:
    """Two broken in a row are no error; without one, one question is enough."""
    assert 2 == len(await asked(n_broken=2))
    assert 1 == len(await asked(n_broken=0))
