"""Settings: three sources, sentences with line and remedy, and pages that equal the code."""

from pathlib import Path

import pytest

from sonogate.errors import SettingsError
from sonogate.settings import load, reference
from sonogate.settings.loading import load_with_origins
from sonogate.settings.sources import all_knobs

ROOT = Path(__file__).resolve().parents[2]
NO_ENV: dict[str, str] = {}


def file_with(folder: Path, text: str) -> Path:
    """Write a settings file."""
    path = folder / "gate.toml"
    path.write_text(text, "utf-8")
    return path


def complaint(folder: Path, text: str, env: dict[str, str] | None = None) -> str:
    """Return what loading this file says."""
    with pytest.raises(SettingsError) as caught:
        load(file_with(folder, text), env or NO_ENV)
    return str(caught.value)


def test_the_defaults_are_those_promised() -> None:
    """Without file and environment: SONOGATE on 11112, HTTP on 8080, loopback only."""
    settings = load(None, NO_ENV)

    assert ("SONOGATE", 11112, 8080) == (
        settings.listener.ae_title,
        settings.listener.port,
        settings.http.port,
    )
    assert {"127.0.0.1"} == {settings.listener.host, settings.http.host}


def test_the_environment_wins_over_the_file_key_by_key(tmp_path: Path) -> None:
    """A variable replaces one key; its neighbours keep the file's values."""
    path = file_with(tmp_path, '[listener]\nport = 104\nae_title = "ROOM1"\n')

    loaded = load_with_origins(path, {"SONOGATE_LISTENER__PORT": "11113"})

    assert (11113, "ROOM1") == (
        loaded.settings.listener.port,
        loaded.settings.listener.ae_title,
    )
    assert "SONOGATE_LISTENER__PORT" == loaded.origins["listener.port"]
    assert f"{path}:3" == loaded.origins["listener.ae_title"]
    assert "default" == loaded.origins["http.port"]


@pytest.mark.parametrize("text", ['["gate", "gate.example"]', "gate, gate.example"])
def test_a_list_in_a_variable_is_json_or_words_between_commas(text: str) -> None:
    """Both ways of writing a list in the environment mean the same."""
    settings = load(None, {"SONOGATE_HTTP__ALLOWED_HOSTS": text})

    assert ("gate", "gate.example") == settings.http.allowed_hosts


def test_a_list_of_tables_in_a_variable_is_json() -> None:
    """A container's senders need no file."""
    table = '[{"ae_title": "VOLUSON1", "addresses": ["192.0.2.17", "192.0.2.32/28"]}]'
    (sender,) = load(None, {"SONOGATE_LISTENER__SENDERS": table}).listener.senders

    assert "VOLUSON1" == sender.ae_title
    assert ["192.0.2.17/32", "192.0.2.32/28"] == [str(network) for network in sender.addresses]


def test_an_empty_variable_counts_as_unset() -> None:
    """Compose files pass empty variables for what nobody set."""
    assert load(None, {"SONOGATE_HTTP__TOKEN": ""}).http.token is None


def test_every_wrong_setting_is_named_with_line_and_remedy(tmp_path: Path) -> None:
    """Two faults give two sentences, each with its own line, its key and what to give."""
    said = complaint(tmp_path, '# site\n[listener]\nport = 99999\n\n[log]\nlevel = "loud"\n')

    port, level = said.splitlines()
    assert port.startswith(f"{tmp_path / 'gate.toml'}:3: listener.port:")
    assert "at most 65535 (default 11112)" in port
    assert f"{tmp_path / 'gate.toml'}:6: log.level:" in level
    assert "one of debug, info, warning, error" in level


@pytest.mark.parametrize(
    ("text", "line", "remedy"),
    [
        ("[listener]\nprot = 1\n", 2, "did you mean listener.port?"),
        ("[listner]\nport = 1\n", 1, "did you mean listener?"),
        ('ae_title = "X"\n', 1, "did you mean listener.ae_title?"),
        ('[[webhooks]]\nurl = "http://a"\nsecrt = "b"\n', 3, "did you mean webhooks.secret?"),
        ("[store]\nzzzz = 1\n", 2, "here there are: url, event_days"),
    ],
)
def test_an_unknown_key_suggests_the_nearest_known_one(
    tmp_path: Path, text: str, line: int, remedy: str
) -> None:
    """A slip of the pen is answered with the key that was probably meant."""
    said = complaint(tmp_path, text)

    assert f"gate.toml:{line}: " in said
    assert "is not a setting" in said
    assert said.endswith(remedy)


def test_a_wrong_variable_is_named_as_a_variable(tmp_path: Path) -> None:
    """What came from the environment is not blamed on the file."""
    said = complaint(tmp_path, "[listener]\nport = 1\n", {"SONOGATE_LISTENER__PORT": "many"})

    assert said.startswith("environment SONOGATE_LISTENER__PORT: listener.port:")


@pytest.mark.parametrize("name", ["SONOGATE_LISTENR__PORT", "SONOGATE_DATA_DIRS"])
def test_a_misspelt_variable_stops_the_start(name: str) -> None:
    """A variable that nobody reads would be believed to hold."""
    with pytest.raises(SettingsError, match=f"{name} is not a setting; did you mean SONOGATE_"):
        load(None, {name: "1"})


def test_variables_of_others_are_left_alone() -> None:
    """SONOGATE_NO_SKIP belongs to the tests, not to the settings."""
    load(None, {"SONOGATE_NO_SKIP": "1", "PATH": "/bin"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[listener\n", ":1: this is not TOML"),
        ("[[judge.thresholds]]\nhigh_from = 30.0\nmedium_from = 60.0\n", ":1: judge.thresholds.0:"),
        ("[[judge.thresholds]]\nhigh_from = 30.0\n", "medium_from is missing; add it"),
        ('[http]\nhost = "0.0.0.0"\n', ":1: http: host 0.0.0.0 is reachable from other machines"),
        ('[[webhooks]]\nurl = "ftp://x"\n', ":2: webhooks.0.url:"),
        ('[listener]\ntls_key = "a"\n', ":1: listener: tls_certificate and tls_key go together"),
        ('[listener]\ntls_client_ca = "a"\n', "set tls_certificate and tls_key as well"),
        (
            '[[listener.senders]]\nae_title = "A"\ncertificate = "a.example"\n',
            "the certificate of sender A is never asked for: set tls_client_ca",
        ),
        (
            '[[listener.senders]]\nae_title = "A"\naddresses = ["192.0.2.7/24"]\n',
            ":3: listener.senders.0.addresses.0: value is not a valid IPv4 or IPv6 network",
        ),
    ],
)
def test_other_faults_have_their_line_too(tmp_path: Path, text: str, words: str) -> None:
    """Broken TOML, rules between keys, missing keys: each leads to its line."""
    assert words in complaint(tmp_path, text)


def test_a_missing_file_is_said_plainly(tmp_path: Path) -> None:
    """A wrong --config names the file and the way out."""
    with pytest.raises(SettingsError, match="give an existing TOML file"):
        load(tmp_path / "absent.toml", NO_ENV)


def test_no_secret_is_ever_printed(tmp_path: Path) -> None:
    """Neither a complaint nor `settings show` lets a token, a secret or a password out."""
    short = "hunter2hunter2"
    said = complaint(tmp_path, f'[http]\ntoken = "{short}"\n')
    text = (
        '[http]\ntoken = "hunter2hunter2hunter2hunter2"\n'
        '[store]\nurl = "postgresql://gate:hunter2@db/x"\n'
        '[[webhooks]]\nurl = "https://me:hunter2@ris"\nsecret = "hunter2"\n'
    )
    settings = load(file_with(tmp_path, text), NO_ENV)
    shown = [reference.shown(knob, settings) for knob in all_knobs()]

    assert "24 characters" in said
    assert not [line for line in [said, *shown] if "hunter2" in line]
    assert '"postgresql://gate:***@db/x"' in shown


@pytest.mark.docs
def test_every_key_has_a_reason() -> None:
    """A knob without a sentence is a knob nobody can set."""
    assert [] == [knob.key for knob in all_knobs() if not reference.why(knob)]


@pytest.mark.docs
def test_the_reference_page_equals_the_code() -> None:
    """docs/reference/settings.md is what `sonogate settings docs` prints."""
    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")

    assert reference.markdown() == page


@pytest.mark.docs
def test_the_example_file_equals_the_code_and_loads() -> None:
    """The example is what the command prints, is valid as it stands, and changes nothing."""
    path = ROOT / "deploy" / "sonogate.example.toml"

    assert reference.example_toml() == path.read_text("utf-8")
    assert load(None, NO_ENV) == load(path, NO_ENV)


@pytest.mark.docs
def test_every_line_of_the_example_may_be_uncommented(tmp_path: Path) -> None:
    """Taking all "# " away gives a file that loads and sets every key."""
    lines = reference.example_toml().splitlines()
    bare = [line.removeprefix("# ") for line in lines if not line.startswith("##")]
    path = file_with(tmp_path, "\n".join(bare))

    loaded = load_with_origins(path, NO_ENV)

    assert [] == [key for key, origin in loaded.origins.items() if origin == "default"]
