"""Fit the bands of a gate to a department's own grades, and say honestly how well it does.

`cuts` finds the two bounds on one number, `head` makes that number of several, `crossval` tells
what to expect of patients that nobody has graded. numpy and scipy only.
"""
