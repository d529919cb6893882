"""The command line: exit codes, plain words, no traceback for a user's slip."""

import json
import re
import socket
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from sonogate.cli import main
from sonogate.settings import reference

ROOT = Path(__file__).resolve().parents[2]

COMMANDS = ("serve", "demo", "phantom", "send", "score", "doctor", "audit", "settings")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs `sonogate …` and gives (exit code, stdout, stderr)."""
    monkeypatch.delenv("SONOGATE_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments: object) -> tuple[int, str, str]:
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        else:
            code = 0
        out, err = capfd.readouterr()
        return code, out, err

    return command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Run, command: str) -> None:
    """`sonogate COMMAND --help` answers, and so does `sonogate` alone."""
    code, out, _ = run(command, "--help")

    assert (0, True) == (code, "Usage" in out)
    assert command in "".join(run()[1:])


def test_settings_check_says_yes_or_where_and_what(run: Run, tmp_path: Path) -> None:
    """A right file is praised with 0; a wrong one ends with 1, the line and the remedy."""
    right, wrong = tmp_path / "right.toml", tmp_path / "wrong.toml"
    right.write_text("[listener]\nport = 104\n")
    wrong.write_text("[listener]\nprot = 104\n")

    assert 0 == run("settings", "check", "--config", right)[0]
    code, _, err = run("settings", "check", "--config", wrong)
    assert 1 == code
    assert f"sonogate: {wrong}:2: listener.prot is not a setting; did you mean" in err


def test_settings_show_tells_where_each_value_came_from(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Default, file and variable each have their mark; the token stays hidden."""
    config = tmp_path / "gate.toml"
    config.write_text(f'[http]\ntoken = "{"s3cret" * 5}"\n')
    monkeypatch.setenv("SONOGATE_LISTENER__PORT", "11113")

    code, out, _ = run("settings", "show", "--config", config)

    lines = {line.split()[0]: line for line in out.splitlines()}
    assert 0 == code
    assert lines["listener.port"].endswith("11113  (SONOGATE_LISTENER__PORT)")
    assert lines["http.token"].endswith(f"(set, not shown)  ({config}:2)")
    assert lines["http.port"].endswith("8080  (default)")
    assert "s3cret" not in out


@pytest.mark.docs
def test_settings_docs_and_example_print_the_files(run: Run) -> None:
    """What the commands print is what the code says, and the example is TOML."""
    assert reference.markdown() == run("settings", "docs")[1]
    assert {} != tomllib.loads(run("settings", "example")[1])


@pytest.mark.parametrize("address", ["127.0.0.1", ":104", "host:many"])
def test_a_wrong_address_is_wrong_usage(run: Run, tmp_path: Path, address: str) -> None:
    """`--to` must be HOST:PORT; exit code 2, and an example of a right one."""
    code, _, err = run("send", tmp_path, "--to", address, "--called-ae", "SONOGATE")

    assert 2 == code
    assert "127.0.0.1:11112" in err


def test_nothing_to_send_or_to_score_is_said(run: Run, tmp_path: Path) -> None:
    """A folder without objects ends with 1; each file is named with its reason."""
    (tmp_path / "notes.txt").write_text("no object")

    code, _, err = run("send", tmp_path, "--to", "127.0.0.1:1", "--called-ae", "SONOGATE")

    assert 1 == code
    assert "notes.txt: not a DICOM file" in err
    assert "No DICOM object to send" in err


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_dead_receiver_ends_with_one_sentence(run: Run, tmp_path: Path) -> None:
    """Nobody listens: exit code 1, host and port, no traceback."""
    assert 0 == run("phantom", tmp_path)[0]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        to = f"127.0.0.1:{closed.getsockname()[1]}"
        code, _, err = run("send", tmp_path / "13-report.dcm", "--to", to, "--called-ae", "NOBODY")

    assert 1 == code
    assert f"NOBODY@{to} does not answer" in err
    assert "Traceback" not in err


def test_a_model_that_is_not_there_is_said(run: Run, tmp_path: Path) -> None:
    """`score` with an empty zoo names the setting and the missing file."""
    config = tmp_path / "gate.toml"
    config.write_text(f'[scoring]\nzoo = "{tmp_path}"\n')

    code, _, err = run("score", tmp_path, "--config", config)

    assert 1 == code
    assert "scoring.model" in err
    assert "Traceback" not in err


@pytest.mark.integration
def test_doctor_speaks_json_and_fails_when_something_is_wrong(run: Run, tmp_path: Path) -> None:
    """One JSON object a line; a missing model is a failure, and the exit code says so."""
    config = tmp_path / "gate.toml"
    config.write_text(
        f'data_dir = "{tmp_path}"\n[listener]\nport = 0\n[http]\nport = 0\n'
        f'[scoring]\nzoo = "{tmp_path}"\n'
    )

    code, out, _ = run("doctor", "--json", "--config", config)

    checks = {check["name"]: check for check in map(json.loads, out.splitlines())}
    assert 1 == code
    assert ("ok", "fail") == (checks["C-ECHO"]["level"], checks["model"]["level"])
    assert all(check["remedy"] for check in checks.values() if check["level"] != "ok")


PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/tutorial/index.md",
    "docs/how-to/first-five-minutes.md",
)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.docs
def test_pages_name_only_commands_targets_and_files_that_exist(page: str) -> None:
    """What a newcomer types or clicks is there."""
    path = ROOT / page
    text = path.read_text("utf-8")
    commands = set(re.findall(r"(?<![\w/])(?:\.venv/bin/)?sonogate ([a-z]+)(?= |`|$)", text))
    targets = set(
        re.findall(r"(?<=make )[a-z-]+(?=[\s`])", "\n".join(re.findall(r"`[^`]+`", text)))
    )
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    makefile = (ROOT / "Makefile").read_text("utf-8")

    assert set() == commands - {*COMMANDS}
    assert [] == [target for target in targets if f"\n{target}:" not in makefile]
    assert [] == [link for link in links if not (path.parent / link).exists()]
