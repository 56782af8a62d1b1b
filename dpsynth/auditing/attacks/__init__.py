"""What an attacker would compute of a release."""
