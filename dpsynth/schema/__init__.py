"""Public facts, written by people: the columns of a table, the form of images."""
