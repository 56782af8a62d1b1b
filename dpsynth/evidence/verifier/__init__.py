"""The parts of the independent verifier: they import each other and the standard library only."""
