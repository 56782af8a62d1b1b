"""Mechanisms that measure marginals under Gaussian noise."""
