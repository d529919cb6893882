"""The audit trail: what is noted, in which bounds, and how it is said to others.

`trail` notes, `codes` and `message` put an entry into DICOM's words (PS3.15 A.5), `syslog` into a
line (RFC 5424), `sending` and `wires` bring it to repositories, `effective` tells whether the
settings are those of the last start.
"""
