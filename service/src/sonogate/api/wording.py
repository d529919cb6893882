"""In which language a client reads: Accept-Language, else the site's.

Codes never change with it. What is stored and what is sent on by itself (events of the journal,
webhooks) is in the site's language.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Response

from sonogate.api.dependencies import PortsDep
from sonogate.domain.study import Study
from sonogate.domain.verdict import Verdict
from sonogate.judge.wording import reworded
from sonogate.messages import Language, choose, text


@dataclass(frozen=True, slots=True)
class Wording:
    """Says things in one language."""

    language: Language
    is_site_s: bool = False  #: it is the one in which things are stored

    def verdict(self, verdict: Verdict) -> Verdict:
        """Return a verdict as the client reads it."""
        return reworded(verdict, self.language)

    def study(self, study: Study) -> Study:
        """Return a study as the client reads it."""
        instances = [
            each.model_copy(update={"verdict": self.verdict(each.verdict)})
            for each in study.instances
        ]
        advice = self.sentence(study.sender_advice)
        return study.model_copy(update={"instances": instances, "sender_advice": advice})

    def verdicts(self, verdicts: Iterable[Verdict]) -> list[Verdict]:
        """Return verdicts as the client reads them."""
        return [self.verdict(each) for each in verdicts]

    def sentence(self, key: str | None) -> str | None:
        """Say what is stored as a key."""
        return text(key, self.language) if key else None


async def get_wording(
    response: Response,
    ports: PortsDep,
    accept_language: Annotated[
        str | None,
        Header(description="Language of sentences: en, de, fr, es, zh. Default: the site's."),
    ] = None,
) -> Wording:
    """Choose the language of an answer, and name it there."""
    language = choose(accept_language, ports.language)
    response.headers["Content-Language"] = language
    response.headers["Vary"] = "Accept-Language"
    return Wording(language, is_site_s=language == ports.language)


WordingDep = Annotated[Wording, Depends(get_wording)]
