"""From a kept object to a stack of frames; runs in the worker."""
