"""What was measured: each study keeps a CSV, and the pages of docs/results are made of them."""
