"""Nobody is left without words."""

import ast
import inspect
from pathlib import Path

import pytest

import sonogate.read
from sonogate import errors, messages
from sonogate.judge import findings


@pytest.mark.parametrize("code", findings.CODES)
def test_every_finding_has_label_sentence_and_action(code: str) -> None:
    """A finding without an action helps nobody."""
    for part in ("label", "sentence", "action"):
        assert messages.text(f"finding.{code}.{part}")


def raised_codes() -> set[str]:
    """Collect the codes with which the reader refuses as not applicable."""
    codes = set()
    for path in Path(inspect.getfile(sonogate.read)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "NotApplicableError":
                codes |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)}
    return codes


def test_every_refusal_has_its_sentence() -> None:
    """What the reader refuses, a person can understand."""
    unscorable = {error.code for error in errors.UnscorableError.__subclasses__()}

    assert raised_codes()
    for code in raised_codes() | unscorable:
        assert messages.text(f"reason.{code}")


def test_every_measured_fault_is_a_finding() -> None:
    """The models measure exactly what the gate can name."""
    from sonoquality import attributes

    assert set(findings.CODES) == set(attributes.CODES)
