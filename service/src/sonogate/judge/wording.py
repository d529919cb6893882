"""A verdict in another language: its codes stay, its sentences are said anew.

What a person typed stays as it is, and so does a verdict from before reasons had codes.
"""

from functools import cache

from sonogate import messages
from sonogate.domain.verdict import Doubt, Finding, Override, Verdict
from sonogate.judge.findings import CODES, label_of, sentence_and_action
from sonogate.judge.policy import refused
from sonogate.messages import LANGUAGES, Language


def reworded(verdict: Verdict, language: Language) -> Verdict:
    """Return a verdict in a language.

    Args:
        verdict: as stored, in whatever language it was made; with what a person added.
        language: of the reader.
    """
    findings = [_finding(each, language) for each in verdict.findings]
    said: dict[str, object] = {
        "findings": findings,
        "doubt": _doubt(verdict.doubt, findings, language),
        "override": _override(verdict.override, language),
    }
    if verdict.reason_code is not None and _is_known(verdict.reason_code, findings):
        said |= _reason(verdict, verdict.reason_code, findings, language)
    elif verdict.override is not None and verdict.reason == verdict.override.reason:
        said["reason"] = person_said(verdict.override.reason, language)
    return verdict.model_copy(update=said)


def _is_known(code: str, findings: list[Finding]) -> bool:
    """Whether this release has words for a code; a later one may have stored it."""
    if code.startswith("reason."):
        return code in messages.catalogue()
    if code.startswith("finding.") and not findings:
        return False
    return f"{code}.action" in messages.catalogue()


def _reason(
    verdict: Verdict, code: str, findings: list[Finding], language: Language
) -> dict[str, object]:
    if code.startswith("reason."):
        return refused(code.removeprefix("reason."), verdict.reason_detail, language)
    reason, action = sentence_and_action(code, findings, language)
    return {"reason": reason, "action": action}


def _finding(finding: Finding, language: Language) -> Finding:
    if finding.where is None or finding.code not in CODES:
        return finding
    label = label_of(finding.code, finding.where, language)
    return finding.model_copy(update={"label": label})


def _doubt(doubt: Doubt | None, findings: list[Finding], language: Language) -> Doubt | None:
    code = doubt.reason_code if doubt else None
    if doubt is None or code is None or not _is_known(code, findings):
        return doubt
    reason, action = sentence_and_action(code, findings, language)
    return doubt.model_copy(update={"reason": reason, "action": action})


def _override(override: Override | None, language: Language) -> Override | None:
    if override is None:
        return None
    return override.model_copy(update={"reason": person_said(override.reason, language)})


def person_said(reason: str, language: Language) -> str:
    """Return a person's reason in a language, if it is one of those that the page offers."""
    key = _offered().get(reason)
    return reason if key is None else messages.text(key, language)


@cache
def _offered() -> dict[str, str]:
    """Map every reason that the page offers, in every language, to its key."""
    return {
        sentence: key
        for language in LANGUAGES
        for key, sentence in messages.catalogue(language).items()
        if key.startswith("page.because.")
    }
