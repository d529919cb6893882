"""Small networks that outline liver, fetal head and ovary, to see what faults do to their work.

They learn on clean images only and ship nowhere: how far their Dice falls on a degraded image is
the task that uLPIPS is held against.
"""
