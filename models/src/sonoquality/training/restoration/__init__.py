"""A worked example: small networks that enlarge pictures, alike but for the loss they learn from.

L1, SSIM and uLPIPS stand side by side; it shows that uLPIPS can be trained with, and what for.
Nothing of it ships.
"""
