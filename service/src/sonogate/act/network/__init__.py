"""What the gate says to others on the DICOM network beside objects.

`commitments` answers who asked whether their objects are kept for good; `steps` passes what carts
say of their exams on to the site's own servers; `calling` opens their associations.
"""
