"""What a release tells about the people in it, for anybody's synthetic data. Exact, hence internal."""
