"""Networks and teachers trained under the accountant (extra `gan`)."""
