"""From a kept object to a stack of frames: header, pixels, regions, overlays. Runs in the worker."""
