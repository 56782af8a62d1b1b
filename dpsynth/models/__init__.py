"""Measurements in, a distribution out: public mathematics."""
