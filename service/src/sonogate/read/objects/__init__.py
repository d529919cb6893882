"""The object as it came: its bytes, data set, header and times."""
