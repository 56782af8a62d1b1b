"""Settings under names that earlier versions wrote are read."""

from dpsynth.mechanisms.marginal.canopy import Canopy
from dpsynth.mechanisms.marginal.workload import Workload
from dpsynth.synthesizers.recorded import recorded_arguments


def test_a_setting_that_was_called_otherwise_is_read():
    settings = {"most_cells": 500, "workload": {"degree": 2, "most_cells": 90}, "tree_share": 0.5}
    line = {"purpose": "a test", "approvals": {}}
    record = {
        "run": {"line": line},
        "budget": {"epsilon": 1.0, "delta": 1e-6},
        "mechanism": {"name": "canopy", "settings": settings},
    }
    read = recorded_arguments(record)
    given = {name: read[name] for name in ("max_cells", "workload", "tree_share")}
    assert given == {"max_cells": 500, "workload": Workload(degree=2, max_cells=90), "tree_share": 0.5}
    assert Canopy(**given).max_cells == 500
