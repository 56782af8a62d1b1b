"""How close a release is to real records, for anybody's synthetic data. Exact, hence internal."""
