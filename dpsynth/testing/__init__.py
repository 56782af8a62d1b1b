"""What an author of a mechanism tests it with: the laws of all of them, and charges that are blind.

from dpsynth.testing import check_mechanism

def test_it_keeps_the_laws_of_mechanisms():
    check_mechanism(MyMechanism, share=0.3)
"""

from dpsynth.testing.blind import BlindAccountant
from dpsynth.testing.laws import SCHEMA, check_mechanism, made_up, outcome

__all__ = ["SCHEMA", "BlindAccountant", "check_mechanism", "made_up", "outcome"]
