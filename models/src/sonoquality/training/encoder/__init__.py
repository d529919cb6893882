"""Training an encoder: its configuration, its windows, what it must learn, the loop, the record."""
