"""The page's words; they hold no data, so the page can ask for a token in the right language."""

from typing import Any

from fastapi import APIRouter

from sonogate.api.dependencies import PortsDep
from sonogate.api.wording import WordingDep
from sonogate.messages import LANGUAGES, Language, catalogue

router = APIRouter(prefix="/web", include_in_schema=False)

PAGE = "page."


@router.get("/words.json")
async def read_words(ports: PortsDep, wording: WordingDep) -> dict[str, Any]:
    """Return the page's sentences, every language by its own name, and what is stored.

    `stored` holds the sentences in the site's language: a reason that a person picks is stored in
    it, whatever she reads.
    """
    return {
        "language": wording.language,
        "languages": LANGUAGES,
        "words": _of_page(wording.language),
        "stored": _of_page(ports.language),
    }


def _of_page(language: Language) -> dict[str, str]:
    return {
        key.removeprefix(PAGE): sentence
        for key, sentence in catalogue(language).items()
        if key.startswith(PAGE)
    }
