"""`sonogate calibrate`: from a department's own grades to bands that mean what its people mean.

`grades` reads what people said, `scoring` what the model says, `report` writes both down;
`preview` counts what would change, `book` lets a calibration hold, or no more.
"""
