"""The sentences that go with the findings."""

import httpx

from sonogate.judge.findings import CODES


async def test_every_finding_comes_with_its_action(client: httpx.AsyncClient) -> None:
    """A client that shows all findings needs no sentences of its own."""
    answer = await client.get("/v1/findings")

    assert list(CODES) == [found["code"] for found in answer.json()]
    assert "Raise the overall gain" in [found["action"] for found in answer.json()]
