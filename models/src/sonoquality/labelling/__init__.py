"""MedQM-D: how much of a diagnosis an image's faults cost, and the label made of it.

Several diagnosticians that differ in kind work on the clean image and on spoiled copies of it. What
the spoiled copy costs them beyond the clean one, in units of what each usually costs, becomes a
quality between 0 and 1 (SCIENCE 6e). A diagnostician never judges an image that it learned from.
The paper is public as an abstract only: the design is ours.
"""
