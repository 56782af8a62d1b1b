"""The whole road on real records that an installed package holds."""
