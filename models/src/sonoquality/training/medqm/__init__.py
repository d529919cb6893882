"""MedQM-I learns here: what the encoder says of spoiled images in, MedQM-D's labels out."""
