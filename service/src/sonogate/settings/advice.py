"""The knobs of the adviser: a vision-language model that puts a weak image into words."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from sonogate.settings.kinds import GIB, LOOPBACK_HOSTS, Bytes, HomePath, Seconds, Section

_NEEDS = {"endpoint": ("url", "model"), "local": ("python", "weights")}


class AdviceSettings(Section):
    """Words of a vision-language model beside a verdict; it never changes one."""

    enabled: bool = False
    """Whether a model is asked; off, since small masked pictures of patients are shown to it."""
    kind: Literal["endpoint", "local"] = "endpoint"
    """endpoint: a server that speaks the OpenAI protocol (vLLM, say); local: a folder of weights,
    run by a Python environment of its own."""
    url: str | None = Field(
        default=None, pattern=r"^https?://[^/\s@]+(/\S*)?$", examples=["http://127.0.0.1:8000/v1"]
    )
    """endpoint: base of its API; /chat/completions is added."""
    model: str | None = Field(default=None, min_length=1, max_length=200, examples=["echovlm-v2"])
    """endpoint: name of the model there."""
    api_key: SecretStr | None = Field(default=None, examples=["write its key here"])
    """endpoint: sent as Authorization: Bearer."""
    tls_ca: HomePath | None = Field(default=None, examples=["/etc/sonogate/tls/adviser-ca.pem"])
    """endpoint: PEM file of the authorities that vouch for it; none: the machine's trust store."""
    json_schema: bool = True
    """endpoint: ask for an answer of our schema (response_format); false for servers that refuse
    the request over it. The answer is checked all the same."""
    python: HomePath | None = Field(default=None, examples=["/opt/echovlm/bin/python"])
    """local: Python of the environment with transformers; EchoVLM's own class needs 4.47.0."""
    weights: HomePath | None = Field(default=None, examples=["/srv/models/EchoVLM"])
    """local: folder of the weights; an EchoVLM.py in it is code, and is run."""
    memory_bytes: Bytes = 48 * GIB
    """local: memory of that process (RLIMIT_DATA); the weights pass through it on their way to the
    GPU."""
    load_seconds: Seconds = 600.0
    """local: loading the weights may take so long."""
    bands: Annotated[tuple[Literal["medium", "low"], ...], Field(min_length=1)] = ("medium", "low")
    """Bands it is asked about unasked; a person may ask about any image."""
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    """One answer may take so long; the verdict is out before."""
    max_concurrent: Annotated[int, Field(ge=1, le=16)] = 1
    """Questions under way at once; a GPU of a clinic has room for few."""
    max_output_tokens: Annotated[int, Field(ge=16, le=4096)] = 400
    """Length of an answer; a report takes about 300."""
    max_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """How often one image is shown; then it stays without advice."""
    max_age_seconds: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    """An image judged longer ago is not asked about any more: the patient has left."""
    calls_per_minute: Annotated[int, Field(ge=1, le=600)] = 12
    """Questions that people may ask in a minute, all together."""

    @property
    def host(self) -> str:
        """Whom the pictures go to: the endpoint's host, or "local"."""
        return (urlsplit(self.url or "").hostname or "") if self.kind == "endpoint" else "local"

    @property
    def is_in_the_clear(self) -> bool:
        """Whether pictures leave this machine unencrypted."""
        if self.kind == "local":
            return False
        return (self.url or "").startswith("http://") and self.host not in LOOPBACK_HOSTS

    @model_validator(mode="after")
    def _names_its_adviser(self) -> "AdviceSettings":
        missing = [key for key in _NEEDS[self.kind] if getattr(self, key) is None]
        if self.enabled and missing:
            raise ValueError(f"kind {self.kind} needs {' and '.join(missing)}")
        if len(set(self.bands)) < len(self.bands):
            raise ValueError("bands names one twice")
        return self
