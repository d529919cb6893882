"""Reference computations of quality metrics, in plain numpy and scipy.

What ships runs through ONNX; what it is checked against is written here, the straightforward way.
"""
