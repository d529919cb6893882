"""Multimodal language models as judges of pictures: a port, and its adapters."""
