"""Something to show: phantom exams of our own making, a sender, a live table.

No picture here comes from a patient or from anyone's data set.
"""
