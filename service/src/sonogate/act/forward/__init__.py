"""Passing objects on, as received: one queue in the database, one way to each destination.

`forwarder` runs a `way` for each destination; a way takes what is due from the queue and gives it
to a carrier (`dicom`, `stow`, `folder`), whose answers `outcome` sorts by tables. `book` is what
people and programs may ask.
"""
