"""dpsynth: private records in, synthetic records out, under differential privacy, with evidence.

synth = dpsynth.Synthesizer(schema, epsilon=1.0, delta=1e-6).fit(records)
release = synth.sample(10_000)
synth.certificate.save("release/")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dpsynth.auditing.dp import DPAuditor
    from dpsynth.auditing.release import AuditPolicy, AuditReport, PolicyViolation, PrivacyClaim, audit
    from dpsynth.certificate import Certificate
    from dpsynth.domain import Domain
    from dpsynth.evaluation.fidelity import Quality, evaluate
    from dpsynth.evaluation.images import ImageQuality, contact_sheet, evaluate_images
    from dpsynth.images import ImageSynthesizer
    from dpsynth.mechanisms.known import Marginal
    from dpsynth.mechanisms.workload import Workload
    from dpsynth.privacy.accountant import Accountant
    from dpsynth.privacy.budget import Budget, BudgetExceeded
    from dpsynth.privacy.events import Foreign, Gaussian
    from dpsynth.privacy.ledger import Ledger, LedgerCorrupt
    from dpsynth.privacy.policy import Job, Policy, PolicyRefused
    from dpsynth.privacy.unit import PrivacyUnit
    from dpsynth.sample.conditions import ConditionError
    from dpsynth.schema import Boolean, Categorical, Datetime, Identifier, Numeric, Schema, SchemaError, Text
    from dpsynth.synthesizer import NotFittedError, Synthesizer

_HOME = {
    "Accountant": "privacy.accountant",
    "AuditPolicy": "auditing.release",
    "AuditReport": "auditing.release",
    "Boolean": "schema",
    "Budget": "privacy.budget",
    "BudgetExceeded": "privacy.budget",
    "Categorical": "schema",
    "Certificate": "certificate",
    "ConditionError": "sample.conditions",
    "DPAuditor": "auditing.dp",
    "Datetime": "schema",
    "Domain": "domain",
    "Foreign": "privacy.events",
    "Gaussian": "privacy.events",
    "Identifier": "schema",
    "ImageQuality": "evaluation.images",
    "ImageSynthesizer": "images",
    "Job": "privacy.policy",
    "Ledger": "privacy.ledger",
    "LedgerCorrupt": "privacy.ledger",
    "Marginal": "mechanisms.known",
    "NotFittedError": "synthesizer",
    "Numeric": "schema",
    "Policy": "privacy.policy",
    "PolicyRefused": "privacy.policy",
    "PolicyViolation": "auditing.release",
    "PrivacyClaim": "auditing.release",
    "PrivacyUnit": "privacy.unit",
    "Quality": "evaluation.fidelity",
    "Schema": "schema",
    "SchemaError": "schema",
    "Synthesizer": "synthesizer",
    "Text": "schema",
    "Workload": "mechanisms.workload",
    "audit": "auditing.release",
    "contact_sheet": "evaluation.images",
    "evaluate": "evaluation.fidelity",
    "evaluate_images": "evaluation.images",
}

__all__ = [
    "Accountant",
    "AuditPolicy",
    "AuditReport",
    "Boolean",
    "Budget",
    "BudgetExceeded",
    "Categorical",
    "Certificate",
    "ConditionError",
    "DPAuditor",
    "Datetime",
    "Domain",
    "Foreign",
    "Gaussian",
    "Identifier",
    "ImageQuality",
    "ImageSynthesizer",
    "Job",
    "Ledger",
    "LedgerCorrupt",
    "Marginal",
    "NotFittedError",
    "Numeric",
    "Policy",
    "PolicyRefused",
    "PolicyViolation",
    "PrivacyClaim",
    "PrivacyUnit",
    "Quality",
    "Schema",
    "SchemaError",
    "Synthesizer",
    "Text",
    "Workload",
    "audit",
    "contact_sheet",
    "evaluate",
    "evaluate_images",
]


def __getattr__(name: str) -> Any:
    """Each noun is imported when it is first asked for, so that `import dpsynth` costs next to nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'dpsynth' has no attribute {name!r}")
    value = getattr(import_module(f"dpsynth.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
