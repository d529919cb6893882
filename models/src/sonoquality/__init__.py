"""Quality models for ultrasound images: how good is this picture, and where is it bad?

The scoring half (`arrays`, `card`, `preprocess`, `session`, `model`) needs numpy, scipy, Pillow and
ONNX Runtime, never torch, and knows nothing of the service around it.
"""
