"""Is the adviser there: its endpoint and the model on it, or its Python and its weights?"""

import json
import os
import subprocess
from collections.abc import Iterator

import httpx

from sonogate.doctor.check import Check, fail, ok, warn
from sonogate.errors import SettingFileError
from sonogate.receive.tls import adviser_context
from sonogate.settings import AdviceSettings, Settings

NAME = "adviser"
HTTP_SECONDS = 5.0
PYTHON_SECONDS = 60.0
MAX_LIST_BYTES = 1024 * 1024
ECHOVLM_FILE, ECHOVLM_VERSION = "EchoVLM.py", "4.47.0"
_ASK_VERSION = "from importlib.metadata import version; print(version('transformers'))"


def checks(settings: Settings) -> Iterator[Check]:
    """Look at the adviser, if there is one."""
    advice = settings.advice
    if not advice.enabled:
        return
    if advice.kind == "local":
        yield _environment(advice)
        yield _weights(advice)
        return
    try:
        yield _asked(advice)
    except SettingFileError as error:
        yield fail(NAME, str(error), "give the file that the setting asks for")
    if advice.is_in_the_clear:
        yield warn(
            NAME,
            f"pictures go to {advice.host} unencrypted",
            "give it TLS and an https:// url, or run it on this machine",
        )


def _asked(advice: AdviceSettings) -> Check:
    """Ask for the list of models: it shows nothing of anybody."""
    headers = {"Accept-Encoding": "identity"}
    if advice.api_key:
        headers["Authorization"] = f"Bearer {advice.api_key.get_secret_value()}"
    url = f"{(advice.url or '').rstrip('/')}/models"
    try:
        with (
            httpx.Client(
                timeout=HTTP_SECONDS,
                trust_env=False,
                verify=adviser_context(advice),
                headers=headers,
            ) as client,
            client.stream("GET", url) as answer,
        ):
            content = next(answer.iter_raw(MAX_LIST_BYTES), b"")
    except httpx.HTTPError as error:
        return warn(NAME, f"no answer ({type(error).__name__})", "see that it runs, and its url")
    if answer.status_code in (401, 403):
        return warn(NAME, f"it answers {answer.status_code}", "give its key as advice.api_key")
    if answer.status_code != 200:
        return warn(NAME, f"it lists no models ({answer.status_code})", "see that url ends in /v1")
    names = _names(content)
    if names and advice.model not in names:
        return warn(
            NAME, "it does not have the model of advice.model", f"it has: {_shown(names[0])}"
        )
    return ok(NAME, f"{advice.host} answers and has the model")


def _names(content: bytes) -> list[str]:
    try:
        listed = json.loads(content)["data"]
        return [str(each["id"]) for each in listed]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _shown(name: str) -> str:
    """Return a name that a server gave, fit for a terminal."""
    return "".join(each for each in name[:80] if each.isprintable())


def _environment(advice: AdviceSettings) -> Check:
    environment = {"PATH": os.environ.get("PATH", "")}
    try:
        said = subprocess.run(
            [str(advice.python), "-I", "-c", _ASK_VERSION],
            capture_output=True,
            text=True,
            timeout=PYTHON_SECONDS,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return warn(NAME, f"its Python does not run ({type(error).__name__})", "see advice.python")
    version = said.stdout.strip()[:20]
    if said.returncode or not version:
        return warn(NAME, "its Python has no transformers", "install it there, with torch")
    own = advice.weights is not None and (advice.weights / ECHOVLM_FILE).is_file()
    if own and version != ECHOVLM_VERSION:
        remedy = f"install transformers=={ECHOVLM_VERSION} in its environment"
        return warn(NAME, f"EchoVLM's class does not go with transformers {version}", remedy)
    return ok(NAME, f"its Python has transformers {version}")


def _weights(advice: AdviceSettings) -> Check:
    folder = advice.weights
    if folder is None or not (folder / "config.json").is_file():
        return warn(NAME, f"{folder} holds no model", "put config.json and the weights there")
    if not any(folder.glob("*.safetensors")):
        return warn(NAME, f"{folder} holds no weights", "put the *.safetensors files there")
    return ok(NAME, f"{folder} holds a model")
