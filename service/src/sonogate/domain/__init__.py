"""The words of the field as frozen types; they import nothing of ours but `errors`."""
