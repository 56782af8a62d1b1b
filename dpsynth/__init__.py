"""dpsynth: private records in, synthetic records out, under differential privacy, with evidence.

A fit spends a privacy budget, once; samples of what it made cost nothing more:

synth = dpsynth.Synthesizer(schema, epsilon=1.0, delta=1e-6, ledger="claims.ledger").fit(records)
release = synth.sample(10_000)
synth.certificate.save("release/")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dpsynth.accounting.ledger_policy import Policy, PolicyRefusedError
    from dpsynth.auditing.mechanism.dp import DPAuditor
    from dpsynth.auditing.release.audit import (
        AuditPolicy,
        AuditReport,
        PolicyViolationError,
        PrivacyClaim,
        audit,
    )
    from dpsynth.base.domain import Domain
    from dpsynth.base.errors import DPSynthError
    from dpsynth.base.job import Job
    from dpsynth.data.engines.databases import Database
    from dpsynth.data.engines.partitions import partitions
    from dpsynth.data.tables.mixing import mix
    from dpsynth.evaluation.fidelity import Quality, evaluate
    from dpsynth.evaluation.images.quality import ImageQuality, evaluate_images
    from dpsynth.evaluation.images.sheets import contact_sheet
    from dpsynth.evidence.certificate import Certificate
    from dpsynth.kernel.budget import Budget, BudgetExceeded, BudgetExceededError
    from dpsynth.kernel.events import Gaussian
    from dpsynth.kernel.unit import PrivacyUnit
    from dpsynth.kernel.wall import RowsError
    from dpsynth.ledger.chain import LedgerCorruptError
    from dpsynth.ledger.ledger import Ledger
    from dpsynth.ledger.opening import Accountant
    from dpsynth.mechanisms.checkpoint import CheckpointError
    from dpsynth.mechanisms.marginal.known import Marginal
    from dpsynth.mechanisms.marginal.workload import Workload
    from dpsynth.models.base import ConditionError
    from dpsynth.programs.external import ExternalProgram
    from dpsynth.schema.relations import Link, RelationalSchema
    from dpsynth.schema.table import (
        Boolean,
        Categorical,
        Datetime,
        Derived,
        FileFormat,
        FixedCombinations,
        FixedIncrements,
        Identifier,
        Implies,
        Numeric,
        OneHot,
        OpenCategorical,
        Order,
        Pattern,
        Range,
        Schema,
        SchemaError,
        Sum,
        Text,
        Unique,
    )
    from dpsynth.synthesizers.answers import Answer
    from dpsynth.synthesizers.asked_cells import NotMeasuredError
    from dpsynth.synthesizers.base import (
        CautionWarning,
        NewLedgerWarning,
        NoLedgerWarning,
        NotFittedError,
    )
    from dpsynth.synthesizers.combined import Combined
    from dpsynth.synthesizers.image import ImageSynthesizer
    from dpsynth.synthesizers.imputed import Imputations
    from dpsynth.synthesizers.merged import Merged, merge
    from dpsynth.synthesizers.model_file import ModelFileError
    from dpsynth.synthesizers.paid_quality import evaluate_releasable
    from dpsynth.synthesizers.relational import RelationalSynthesizer
    from dpsynth.synthesizers.releasable_quality import ReleasableQuality
    from dpsynth.synthesizers.scenario import Scenario
    from dpsynth.synthesizers.table import Synthesizer
    from dpsynth.synthesizers.units import RowsPerUnit, rows_per_unit
    from dpsynth.synthesizers.validated import Validation
    from dpsynth.synthesizers.validation import validate

# Where each public name is defined, below `dpsynth`.
_HOME = {
    "Accountant": "ledger.opening",
    "Answer": "synthesizers.answers",
    "AuditPolicy": "auditing.release.audit",
    "AuditReport": "auditing.release.audit",
    "Boolean": "schema.table",
    "Budget": "kernel.budget",
    "BudgetExceeded": "kernel.budget",
    "BudgetExceededError": "kernel.budget",
    "Categorical": "schema.table",
    "CautionWarning": "synthesizers.base",
    "Certificate": "evidence.certificate",
    "CheckpointError": "mechanisms.checkpoint",
    "Combined": "synthesizers.combined",
    "ConditionError": "models.base",
    "DPAuditor": "auditing.mechanism.dp",
    "DPSynthError": "base.errors",
    "Datetime": "schema.table",
    "Derived": "schema.table",
    "Domain": "base.domain",
    "ExternalProgram": "programs.external",
    "FileFormat": "schema.table",
    "FixedCombinations": "schema.table",
    "FixedIncrements": "schema.table",
    "Gaussian": "kernel.events",
    "Identifier": "schema.table",
    "ImageQuality": "evaluation.images.quality",
    "ImageSynthesizer": "synthesizers.image",
    "Imputations": "synthesizers.imputed",
    "Implies": "schema.table",
    "Job": "base.job",
    "Ledger": "ledger.ledger",
    "LedgerCorruptError": "ledger.chain",
    "Link": "schema.relations",
    "Marginal": "mechanisms.marginal.known",
    "Merged": "synthesizers.merged",
    "ModelFileError": "synthesizers.model_file",
    "NewLedgerWarning": "synthesizers.base",
    "NoLedgerWarning": "synthesizers.base",
    "NotFittedError": "synthesizers.base",
    "NotMeasuredError": "synthesizers.asked_cells",
    "Numeric": "schema.table",
    "OneHot": "schema.table",
    "OpenCategorical": "schema.table",
    "Order": "schema.table",
    "Pattern": "schema.table",
    "Policy": "accounting.ledger_policy",
    "PolicyRefusedError": "accounting.ledger_policy",
    "PolicyViolationError": "auditing.release.audit",
    "PrivacyClaim": "auditing.release.audit",
    "Database": "data.engines.databases",
    "PrivacyUnit": "kernel.unit",
    "Quality": "evaluation.fidelity",
    "RelationalSchema": "schema.relations",
    "RelationalSynthesizer": "synthesizers.relational",
    "ReleasableQuality": "synthesizers.releasable_quality",
    "Range": "schema.table",
    "RowsError": "kernel.wall",
    "RowsPerUnit": "synthesizers.units",
    "Scenario": "synthesizers.scenario",
    "Schema": "schema.importing.entry",
    "SchemaError": "schema.table",
    "Sum": "schema.table",
    "Synthesizer": "synthesizers.table",
    "Text": "schema.table",
    "Unique": "schema.table",
    "Validation": "synthesizers.validated",
    "Workload": "mechanisms.marginal.workload",
    "audit": "auditing.release.audit",
    "contact_sheet": "evaluation.images.sheets",
    "evaluate": "evaluation.fidelity",
    "evaluate_images": "evaluation.images.quality",
    "evaluate_releasable": "synthesizers.paid_quality",
    "merge": "synthesizers.merged",
    "mix": "data.tables.mixing",
    "partitions": "data.engines.partitions",
    "rows_per_unit": "synthesizers.units",
    "validate": "synthesizers.validation",
}

__all__ = [
    "Accountant",
    "Answer",
    "AuditPolicy",
    "AuditReport",
    "Boolean",
    "Budget",
    "BudgetExceeded",
    "BudgetExceededError",
    "Categorical",
    "CautionWarning",
    "Certificate",
    "CheckpointError",
    "Combined",
    "ConditionError",
    "DPAuditor",
    "DPSynthError",
    "Database",
    "Datetime",
    "Derived",
    "Domain",
    "ExternalProgram",
    "FileFormat",
    "FixedCombinations",
    "FixedIncrements",
    "Gaussian",
    "Identifier",
    "ImageQuality",
    "ImageSynthesizer",
    "Implies",
    "Imputations",
    "Job",
    "Ledger",
    "LedgerCorruptError",
    "Link",
    "Marginal",
    "Merged",
    "ModelFileError",
    "NewLedgerWarning",
    "NoLedgerWarning",
    "NotFittedError",
    "NotMeasuredError",
    "Numeric",
    "OneHot",
    "OpenCategorical",
    "Order",
    "Pattern",
    "Policy",
    "PolicyRefusedError",
    "PolicyViolationError",
    "PrivacyClaim",
    "PrivacyUnit",
    "Quality",
    "Range",
    "RelationalSchema",
    "RelationalSynthesizer",
    "ReleasableQuality",
    "RowsError",
    "RowsPerUnit",
    "Scenario",
    "Schema",
    "SchemaError",
    "Sum",
    "Synthesizer",
    "Text",
    "Unique",
    "Validation",
    "Workload",
    "audit",
    "contact_sheet",
    "evaluate",
    "evaluate_images",
    "evaluate_releasable",
    "merge",
    "mix",
    "partitions",
    "rows_per_unit",
    "validate",
]


def __getattr__(name: str) -> Any:
    """Imports a name when it is first used, so that `import dpsynth` takes next to no time."""
    if name == "__version__":
        return import_module("importlib.metadata").version("dpsynth")
    if name not in _HOME:
        raise AttributeError(f"module 'dpsynth' has no attribute {name!r}")
    value = getattr(import_module(f"dpsynth.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
