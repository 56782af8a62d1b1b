"""Keys, and whose signatures are asked for. The checks of signatures are `bundle/signatures.py`."""
