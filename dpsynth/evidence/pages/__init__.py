"""Pages: plain dicts in, HTML out.

It knows nothing of the rest of dpsynth, so that all evidence may use it.

A page is one file that needs nothing else: no script, no network, no font, no image. It prints, and
it reads on a narrow screen and without colour.
"""
