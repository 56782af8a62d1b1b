"""What is shown to people who must sign: certificate, verifier, pages."""
