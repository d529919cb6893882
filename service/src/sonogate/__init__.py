"""SonoGate: the ultrasound quality gate that stands beside the scanner."""

from importlib.metadata import version

__version__ = version("sonogate")
