"""dpsynth: private records in, synthetic records out, under differential privacy, with evidence."""
