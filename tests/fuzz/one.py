"""Fuzz one door under coverage guidance until libFuzzer is told to stop; `campaign` starts this.

python -m tests.fuzz.one TARGET <libFuzzer's options and corpus folders>

Our code and the parsers we call, pydicom, pynetdicom and Starlette, are instrumented. Decoders are
machine code without counters; so what each call of one comes to, its complaint or the kind of
samples it gives, is counted as coverage too.
"""

import hashlib
import re
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import atheris

INSTRUMENTED: Final = ["sonogate", "pydicom", "pynetdicom", "starlette"]
DECODERS: Final = (
    "dicomrle_decode", "jpeg8_decode", "jpeg2k_decode", "jpegls_decode", "jpegsof3_decode",
    "jpegxl_decode",
)  # fmt: skip
WORKER_BYTES: Final = 3 * 1024**3
"""As `scoring.memory_bytes` is by default, and set the same way: beyond what is held now."""
GATE_GROWS_BYTES: Final = 256 * 1024**2
"""What hostile bytes may add to the listener's peak; libFuzzer's own corpus counts too."""
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


def main() -> None:
    """Fuzz the target that the first argument names."""
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        from tests.fuzz.harness import Side, peak_bytes
        from tests.fuzz.targets import TARGETS
    import imagecodecs

    from sonogate.observe.logs import configure
    from sonogate.settings import LogSettings

    configure(LogSettings(form="json"))
    target = TARGETS[name]
    ends = Ends()
    for decoder in DECODERS:
        ends.watch(imagecodecs, decoder)
    if target.side is Side.WORKER:
        _limit_memory()
    one = _bounded(target.run, ends, peak_bytes, is_gate=target.side is Side.GATE)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


def _bounded(
    run: Callable[[bytes], str], ends: Ends, peak_bytes: Callable[[], int], *, is_gate: bool
) -> Callable[[bytes], None]:
    start = peak_bytes()

    def one(data: bytes) -> None:
        ends.note(run(data))
        if is_gate and peak_bytes() > start + GATE_GROWS_BYTES:
            raise MemoryError("the listener's memory grew over its bound")

    return one


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + WORKER_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
