"""The demo: from real records to a private release, on data inside an installed package."""
