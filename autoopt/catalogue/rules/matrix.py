"""Update rules that treat a matrix of weights as a matrix; of a vector they make what Adam makes of it."""

from __future__ import annotations

from typing import Any

from autoopt.catalogue.entry import State, UpdateRule
from autoopt.catalogue.rules.adam import ADAMW_RULE
from autoopt.catalogue.rules.terms import Settings, mean, number, shrunk, zeros

SOAP_EPSILON = 1e-8
MUON_EPSILON = 1e-7
NEWTON_SCHULZ = 3.4445, -4.775, 2.0315
NEWTON_SCHULZ_STEPS = 5
ADAMW_SIZE = 0.2  # about the root mean square of a step of AdamW at rate 1
NEW_BASES_EVERY = 10
JACOBI_SWEEPS = 12
SMALLEST_LENGTH = 1e-30


def _soap(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    beta1, beta2 = number(settings, "beta1", 0.95), number(settings, "beta2", 0.95)
    if step == 1:  # only looks which way the gradient goes
        factors = [mean(zeros(factor), factor, beta2) for factor in _factors(gradient)]
        bases = [_eigenvectors(factor) for factor in factors]
        return parameter, {**state, "factors": factors, "bases": bases}
    bases = state["bases"]
    m = mean(state["m"], gradient, beta1)
    v = mean(state["v"], _turned(gradient, bases) ** 2, beta2)
    move = _turned_back(_turned(m, bases) / (v**0.5 + SOAP_EPSILON), bases)
    size = number(settings, "lr", 0.0) * (1 - beta2 ** (step - 1)) ** 0.5 / (1 - beta1 ** (step - 1))
    parameter = shrunk(parameter - move * size, settings, default=0.01)
    pairs = zip(state["factors"], _factors(gradient), strict=True)
    factors = [mean(before, new, beta2) for before, new in pairs]
    if (step - 1) % NEW_BASES_EVERY == 0 and bases:
        bases, v = _refreshed(factors, bases, v)
    return parameter, {"m": m, "v": v, "factors": factors, "bases": bases}


def _muon(parameter: Any, gradient: Any, state: State, settings: Settings, step: int) -> Any:
    if parameter.ndim != 2:
        adamw = {"weight_decay": 0.1, **settings}
        return ADAMW_RULE.step(parameter, gradient, state, adamw, step)
    lr, momentum = number(settings, "lr", 0.0), number(settings, "momentum", 0.95)
    m = mean(state["m"], gradient, momentum)
    move = _orthogonal(mean(gradient, m, 1 - momentum))
    size = lr * ADAMW_SIZE * max(parameter.shape) ** 0.5
    return shrunk(parameter, settings, default=0.1) - move * size, {"m": m}


def _orthogonal(matrix: Any) -> Any:
    """Return nearly the matrix with all singular values made 1, by five steps of a Newton–Schulz iteration."""
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / max(float((x * x).sum()) ** 0.5, MUON_EPSILON)
    for _ in range(NEWTON_SCHULZ_STEPS):
        square = x @ x.T
        x = x * a + (square * b + square @ square * c) @ x
    return x.T if tall else x


def _factors(gradient: Any) -> list[Any]:
    """Return the two products of a matrix with itself; none of a vector."""
    return [gradient @ gradient.T, gradient.T @ gradient] if gradient.ndim == 2 else []


def _turned(array: Any, bases: list[Any]) -> Any:
    return bases[0].T @ array @ bases[1] if bases else array


def _turned_back(array: Any, bases: list[Any]) -> Any:
    return bases[0] @ array @ bases[1].T if bases else array


def _refreshed(factors: list[Any], bases: list[Any], v: Any) -> tuple[list[Any], Any]:
    """Return the bases after one power iteration, largest direction first, and v in the same order."""
    products = [factor @ basis for factor, basis in zip(factors, bases, strict=True)]
    orders = []
    for product, basis in zip(products, bases, strict=True):
        sizes = [float(size) for size in (basis * product).sum(0)]
        orders.append(sorted(range(len(sizes)), key=lambda place: -sizes[place]))
    turned = [_orthonormal(product[:, order]) for product, order in zip(products, orders, strict=True)]
    return turned, v[orders[0]][:, orders[1]]


def _orthonormal(matrix: Any) -> Any:
    """Return orthonormal columns that span what the columns span, one after the other (Gram and Schmidt)."""
    basis = zeros(matrix)
    for place in range(matrix.shape[1]):
        column = matrix[:, place]
        for _ in range(2):  # once more takes away what rounding left
            column = column - basis @ (basis.T @ column)
        basis[:, place] = column / max(float((column * column).sum()) ** 0.5, SMALLEST_LENGTH)
    return basis


def _eigenvectors(matrix: Any) -> Any:
    """Return the eigenvectors of a symmetric matrix, that of the largest eigenvalue first (Jacobi)."""
    size = matrix.shape[0]
    vectors = zeros(matrix)
    for place in range(size):
        vectors[place, place] = 1.0
    for _ in range(JACOBI_SWEEPS):
        for i in range(size):
            for j in range(i + 1, size):
                if float(matrix[i, j]):
                    rotation = _rotation(matrix, i, j)
                    matrix, vectors = rotation.T @ matrix @ rotation, vectors @ rotation
    values = [float(matrix[place, place]) for place in range(size)]
    return vectors[:, sorted(range(size), key=lambda place: -values[place])]


def _rotation(matrix: Any, i: int, j: int) -> Any:
    """Return the rotation of two axes that makes a symmetric matrix zero where they meet."""
    slope = (float(matrix[j, j]) - float(matrix[i, i])) / (2 * float(matrix[i, j]))
    tangent = (1.0 if slope >= 0 else -1.0) / (abs(slope) + (slope * slope + 1) ** 0.5)
    cosine = 1 / (tangent * tangent + 1) ** 0.5
    rotation = zeros(matrix)
    for place in range(matrix.shape[0]):
        rotation[place, place] = 1.0
    rotation[i, i] = rotation[j, j] = cosine
    rotation[i, j], rotation[j, i] = cosine * tangent, -cosine * tangent
    return rotation


def _init_muon(parameter: Any, settings: Settings) -> State:
    return {"m": zeros(parameter)} if parameter.ndim == 2 else ADAMW_RULE.init(parameter, settings)


def _init_soap(parameter: Any, settings: Settings) -> State:  # noqa: ARG001
    return {"m": zeros(parameter), "v": zeros(parameter), "factors": [], "bases": []}


MUON_RULE = UpdateRule(_init_muon, _muon)
SOAP_RULE = UpdateRule(_init_soap, _soap)
