"""What the models are tried on: pictures with known faults, and who judges them.

A trial writes a table with one line per picture and one column per judge; `results` makes the pages
from the tables. Nothing here fits or chooses anything, and nothing needs torch.
"""
