"""`python -m sonoquality.cli`."""

from sonoquality.cli import main

main()
