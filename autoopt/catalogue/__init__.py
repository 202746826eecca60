"""What exists: optimizers and learning-rate schedules as data and maths.

No torch and no optuna in here, and of the other rooms only ``errors``. A new optimizer is one entry in the
file of its family and one name in the tuple below; space, listings and conformance tests pick it up.
"""

from __future__ import annotations

from autoopt.catalogue.adam import ADAM, ADAMW, NADAM, NADAM_L2, RADAM, RADAM_L2
from autoopt.catalogue.adam_kin import ADABOUND, ADAMAX, ADEMAMIX, ADOPT, SPARSE_ADAM
from autoopt.catalogue.adam_recent import MARS, PRODIGY
from autoopt.catalogue.entry import Hyperparameter, OptimizerEntry, ScheduleEntry, UpdateRule
from autoopt.catalogue.further_schedules import (
    INVERSE_SQRT,
    MULTI_STEP,
    ONE_CYCLE,
    PLATEAU,
    POLYNOMIAL,
    WSD,
)
from autoopt.catalogue.lookahead import around_all
from autoopt.catalogue.matrix import MUON, SOAP
from autoopt.catalogue.rms import ADADELTA, ADAFACTOR, ADAGRAD, RMSPROP
from autoopt.catalogue.schedule_free import SCHEDULE_FREE_ADAMW, SCHEDULE_FREE_SGD
from autoopt.catalogue.schedules import (
    CONSTANT,
    COSINE,
    COSINE_RESTARTS,
    EXPONENTIAL,
    LINEAR,
    STEP,
    WARMUP,
)
from autoopt.catalogue.second_order import BFGS, LBFGS, NEWTON
from autoopt.catalogue.sgd import AVERAGED_MOMENTUM, GD, SGD, SGDW, SINGLE_SGD
from autoopt.catalogue.sign import LION, RPROP

OPTIMIZERS: dict[str, OptimizerEntry] = {
    entry.name: entry
    for entry in (
        *(SGD, ADAM, ADAMW, NADAM, RADAM, RMSPROP, ADAGRAD, ADADELTA),
        *(AVERAGED_MOMENTUM, ADAMAX, RPROP, ADAFACTOR, SPARSE_ADAM),
        *(LION, ADABOUND, ADOPT, ADEMAMIX),
        *(SGDW, NADAM_L2, RADAM_L2, MARS, PRODIGY, SOAP, MUON),
        *(GD, SINGLE_SGD, LBFGS, BFGS, NEWTON),
        *(SCHEDULE_FREE_ADAMW, SCHEDULE_FREE_SGD),
    )
}
OPTIMIZERS |= {entry.name: entry for entry in around_all(OPTIMIZERS.values())}
SCHEDULES: dict[str, ScheduleEntry] = {
    entry.name: entry
    for entry in (
        *(CONSTANT, LINEAR, COSINE, STEP, EXPONENTIAL, COSINE_RESTARTS),
        *(POLYNOMIAL, MULTI_STEP, WSD, INVERSE_SQRT, ONE_CYCLE, PLATEAU),
    )
}

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "WARMUP",
    "Hyperparameter",
    "OptimizerEntry",
    "ScheduleEntry",
    "UpdateRule",
]
