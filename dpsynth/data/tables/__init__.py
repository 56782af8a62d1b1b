"""Codecs of tables: values to cells of the public domain and back."""
