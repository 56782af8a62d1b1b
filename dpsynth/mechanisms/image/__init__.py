"""Mechanisms for labelled grey images."""
