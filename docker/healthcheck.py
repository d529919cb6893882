"""Exit 0 if the gate in this container answers that it is alive; standard library only.

`GATE_HEALTH_URL` names another address; `GATE_HEALTH_CERTIFICATE`, a PEM file of a certificate and
its key, is shown to a gate that asks for one. A self-signed certificate is taken: the gate asks
itself, over loopback, and sends no secret.
"""

import os
import ssl
import sys
import urllib.request

DEFAULT = "http://127.0.0.1:8080/health/live"


def main() -> int:
    """Ask once; any failure is an unhealthy container."""
    url = os.environ.get("GATE_HEALTH_URL", DEFAULT)
    shown = os.environ.get("GATE_HEALTH_CERTIFICATE")
    unchecked = ssl._create_unverified_context()  # noqa: S323 - itself, over loopback
    try:
        if shown:
            unchecked.load_cert_chain(shown)
        with urllib.request.urlopen(url, timeout=4, context=unchecked) as answer:  # noqa: S310
            return 0 if answer.status == 200 else 1
    except OSError as error:
        sys.stderr.write(f"{url}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
