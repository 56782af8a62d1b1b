"""`python -m dpsynth`: the command line, where its script is not on the path."""

from dpsynth.cli import main

if __name__ == "__main__":
    main()
