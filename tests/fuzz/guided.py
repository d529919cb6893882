"""Fuzz a door under the guidance of coverage, with libFuzzer through atheris.

Our code, pydicom and pynetdicom are instrumented. Decoders are machine code without counters; so
what each call of one comes to, its complaint or the kind of samples it gives, is counted as
coverage too.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

import atheris

from tests.fuzz.harness import GATE_GROWS_BYTES, Side, Target, limit_memory, peak_bytes

INSTRUMENTED: Final = ["sonogate", "pydicom", "pynetdicom"]
"""Whole packages: atheris takes no less."""
DECODERS: Final = (
    "dicomrle_decode", "jpeg8_decode", "jpeg2k_decode", "jpegls_decode", "jpegsof3_decode",
    "jpegxl_decode",
)  # fmt: skip
N_COUNTERS: Final = 2048


class Ends:
    """Counters for how decoders end; libFuzzer takes them as edges."""

    def __init__(self) -> None:
        self._counters = [atheris._reserve_counter() for _ in range(N_COUNTERS)]

    def note(self, said: str) -> None:
        """Count one end; numbers in a complaint do not make it another."""
        digest = hashlib.blake2s(re.sub(r"\d+|0x[0-9a-f]+", "#", said).encode()).digest()
        number = int.from_bytes(digest[:4], "little") % N_COUNTERS
        atheris._trace_branch(self._counters[number])

    def watch(self, module: ModuleType, name: str) -> None:
        """Have a decoder's ends counted."""
        decode = getattr(module, name)

        def watched(*arguments: Any, **options: Any) -> Any:
            try:
                decoded = decode(*arguments, **options)
            except Exception as error:
                self.note(f"{name} {type(error).__name__} {error}")
                raise
            self.note(f"{name} {getattr(decoded, 'dtype', '')} {getattr(decoded, 'ndim', '')}")
            return decoded

        setattr(module, name, watched)


def instrumented() -> Mapping[str, Target]:
    """Import every door with counters in it; it takes some fifteen seconds of CPU time."""
    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        from tests.fuzz.targets import TARGETS
    return TARGETS


def fuzz(target: Target, options: Sequence[str]) -> None:
    """Fuzz one door until libFuzzer ends the process.

    Args:
        target: From `instrumented`.
        options: Of libFuzzer, and its folders of inputs.
    """
    import imagecodecs

    from sonogate.observe.logs import configure
    from sonogate.settings import LogSettings

    configure(LogSettings(form="json"))
    ends = Ends()
    for decoder in DECODERS:
        ends.watch(imagecodecs, decoder)
    if target.side is Side.WORKER:
        limit_memory()
    bound = peak_bytes() + GATE_GROWS_BYTES

    def one(data: bytes) -> None:
        ends.note(target.run(data))
        if target.side is Side.GATE and peak_bytes() > bound:
            raise MemoryError("the listener's memory grew over its bound")

    atheris.Setup([target.name, *options], one)
    atheris.Fuzz()
