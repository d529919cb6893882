"""Doors: processes of their own that share the DICOM port, and the gate's side of them.

A door answers carts and keeps what they send in segments of its own; everything else it asks of the
gate over one socket pair. `wire` holds what is said, `link` carries it. `ports` is the door's side,
`desk` the gate's of one door; `keeper` starts, replaces and ends them on the sockets of `sockets`,
and `takeover` enters what a dead one left.
"""
