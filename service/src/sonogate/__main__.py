"""Run the command line with `python -m sonogate`."""

from sonogate.cli import main

if __name__ == "__main__":
    main()
