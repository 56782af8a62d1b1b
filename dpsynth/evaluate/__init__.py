"""Evidence about quality: how close a release is to real records. Exact, hence internal, and on anybody's synthetic data."""
