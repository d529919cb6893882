"""Results in the standard's words: structured reports, key object selections, rejections.

`facts` is what there is to say, `codes` how it is said; `report` and `selection` write it as DICOM,
`scribe` runs them in a process of their own, `maker` decides when and keeps what was made.
"""
