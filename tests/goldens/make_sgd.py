#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the reference trajectories that tests/trajectory.c replays: sgd.cases and sgd.f32, beside this script.

Every trajectory steps two tensors of 37 and 203 floats a hundred times. Two kinds of cases:

  torch    made by torch.optim.SGD in float32 (foreach=False): every combination of hyperparameters that
           PyTorch has, learning rates and other hyperparameters that change between steps, two groups,
           gradients that are None in some steps, gradients scaled as torch.amp.GradScaler leaves them.
  float64  rules that PyTorch's SGD lacks (debiasing, Nesterov with dampening or debiasing, decoupled decay,
           a dampened first step), computed here in float64 straight from their formulas and rounded once.

Initial parameters and gradients come from an integer hash with exact arithmetic (`values`), which the C test
repeats, so that only results are stored.

sgd.cases is text, one record a line:
  case NAME SOURCE GROUPS GRADIENT_SCALE
      with GROUPS 1 both tensors are in group 0, with 2 tensor i is alone in group i
  set STEP GROUP LR MOMENTUM DAMPENING WEIGHT_DECAY DECOUPLED UNDAMPENED NESTEROV DEBIAS MAXIMIZE
      the group's hyperparameters from that step on (step 1: those it is made with)
  absent TENSOR PERIOD PHASE
      the tensor has no gradient in the steps with step % PERIOD == PHASE
sgd.f32 holds, case after case, little-endian floats: the parameters of tensor 0 and 1 after steps 1, 2, 10
and 100, then the momentum of tensor 0 and 1 after step 100 (zeros where there is none).

To run:  pip install torch==2.13.0 numpy;  python tests/goldens/make_sgd.py
It prints how far each float32 trajectory lies from the same trajectory in float64, and how far apart
PyTorch's own three implementations are: the yardstick for the bound that trajectory.c states.
"""

import os

# One implementation whatever the machine: PyTorch picks kernels by CPU, and they round differently in tails.
os.environ["ATEN_CPU_CAPABILITY"] = "avx2"

import dataclasses
import itertools
import pathlib
import sys

import numpy as np
import torch

LENGTHS = (37, 203)
STEPS = 100
SNAPSHOTS = (1, 2, 10, 100)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclasses.dataclass(frozen=True)
class Hyper:
    """Hyperparameters of one group, as glissade_sgd_options names them."""

    lr: float = 0.05
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    decoupled: bool = False
    undampened: bool = True
    nesterov: bool = False
    debias: bool = False
    maximize: bool = False


@dataclasses.dataclass(frozen=True)
class Case:
    """One trajectory: `settings` holds (step, group, Hyper), `absent` holds (tensor, period, phase)."""

    name: str
    source: str
    settings: tuple
    groups: int = 1
    gradient_scale: float = 1.0
    absent: tuple = ()

    def present(self, tensor, step):
        return not any(t == tensor and step % period == phase for t, period, phase in self.absent)


def values(step, tensor):
    """The gradient of `tensor` in `step`, or with step 0 its initial parameters: splitmix64 of a counter, the
    top 24 bits as a signed fraction, 3 low bits as an exponent, and one value in 64 replaced by zero."""
    counter = np.uint64((step * len(LENGTHS) + tensor) << 20) + np.arange(LENGTHS[tensor], dtype=np.uint64)
    z = (counter + np.uint64(1)) * GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    fraction = (z >> np.uint64(40)).astype(np.int64) - 2**23
    exponent = -23 - (z & np.uint64(7)).astype(np.int64)
    fraction[(z >> np.uint64(3)) & np.uint64(63) == 0] = 0
    return np.ldexp(fraction.astype(np.float64), exponent).astype(np.float32)


# -----------------------------------------------------------------------------------------------------
# the cases


def torch_grid():
    """Every combination that torch.optim.SGD accepts of the values that the test plan names."""
    for momentum, damping, decay, maximize in itertools.product(
        (0.0, 0.9, 0.99), ("0", "0.5", "beta", "nesterov"), (0.0, 0.01), (False, True)
    ):
        if momentum == 0 and damping in ("beta", "nesterov"):
            continue  # dampening = momentum is then dampening 0; Nesterov needs momentum
        dampening = {"0": 0.0, "0.5": 0.5, "beta": momentum, "nesterov": 0.0}[damping]
        hyper = Hyper(
            momentum=momentum,
            dampening=dampening,
            weight_decay=decay,
            nesterov=damping == "nesterov",
            maximize=maximize,
        )
        name = f"momentum={momentum:g},dampening={dampening:g}"
        name += ",nesterov" * hyper.nesterov + ",decay" * (decay != 0) + ",maximize" * maximize
        yield Case(name, "torch", ((1, 0, hyper),))


def with_lr(hyper, schedule):
    """Settings of group 0 that keep `hyper` but for the learning rate, which follows {step: lr}."""
    return tuple((step, 0, dataclasses.replace(hyper, lr=lr)) for step, lr in schedule.items())


def torch_special():
    """What changes between steps, differs between groups, or is missing in some steps."""
    momentum = Hyper(momentum=0.9)
    nesterov = Hyper(momentum=0.9, nesterov=True, weight_decay=0.01)
    halving = {1: 0.1, 26: 0.05, 51: 0.025, 76: 0.0125}
    warm_up = {step: 0.005 * (step - 1) for step in range(1, 21)}
    sometimes = ((0, 7, 3), (1, 3, 1), (1, 7, 3))  # tensor 1 misses step 1; at 3, 10, 17 ... both are missing
    pair = ((1, 0, Hyper(lr=0.1)), (1, 1, Hyper(lr=0.02, momentum=0.99, dampening=0.5, weight_decay=0.01)))
    later = dataclasses.replace(momentum, lr=0.02, momentum=0.99, dampening=0.5, weight_decay=0.01)
    yield Case("halving-lr", "torch", with_lr(momentum, halving))
    yield Case("halving-lr-plain", "torch", with_lr(Hyper(), halving))
    yield Case("warm-up-from-0", "torch", with_lr(nesterov, warm_up))
    yield Case("all-change", "torch", ((1, 0, momentum), (51, 0, later)))
    yield Case("two-groups", "torch", pair, groups=2)
    yield Case("two-groups-absent", "torch", pair, groups=2, absent=sometimes)
    yield Case("absent", "torch", ((1, 0, momentum),), absent=sometimes)
    yield Case("absent-dampened", "torch", ((1, 0, Hyper(momentum=0.9, dampening=0.9)),), absent=sometimes)
    yield Case("absent-nesterov", "torch", ((1, 0, nesterov),), absent=sometimes)
    yield Case("scaled-gradients", "torch", ((1, 0, momentum),), gradient_scale=3.0)
    yield Case("scaled-gradients-decay", "torch", ((1, 0, nesterov),), gradient_scale=3.0)


def float64_cases():
    """Rules that torch.optim.SGD does not have."""
    for beta in (0.9, 0.99, 0.9375):  # 0.9375 is exact in float: only the arithmetic can differ
        ewma = Hyper(momentum=beta, dampening=beta, undampened=False, debias=True)
        look = dataclasses.replace(ewma, nesterov=True)
        yield Case(f"ewma={beta:g}", "float64", ((1, 0, ewma),))
        yield Case(f"ewma={beta:g},nesterov", "float64", ((1, 0, look),))
        yield Case(f"ewma={beta:g},undamped", "float64", ((1, 0, dataclasses.replace(ewma, dampening=0.0)),))
    ewma = Hyper(momentum=0.9, dampening=0.9, undampened=False, debias=True)
    look = dataclasses.replace(ewma, nesterov=True)
    decays = (("decay", {"weight_decay": 0.01}), ("decoupled", {"weight_decay": 0.01, "decoupled": True}))
    for name, changes in decays + (("maximize", {"maximize": True}),):
        yield Case(f"ewma,{name}", "float64", ((1, 0, dataclasses.replace(ewma, **changes)),))
        yield Case(f"ewma-nesterov,{name}", "float64", ((1, 0, dataclasses.replace(look, **changes)),))
    for name, hyper in (
        ("plain", Hyper()),
        ("momentum", Hyper(momentum=0.9)),
        ("nesterov", Hyper(momentum=0.9, nesterov=True)),
        ("maximize", Hyper(momentum=0.9, maximize=True)),
    ):
        decoupled = dataclasses.replace(hyper, weight_decay=0.01, decoupled=True)
        yield Case(f"decoupled,{name}", "float64", ((1, 0, decoupled),))
    dampened = Hyper(momentum=0.9, dampening=0.5, undampened=False)
    yield Case("dampened-first", "float64", ((1, 0, dampened),))
    yield Case("dampened-first,nesterov", "float64", ((1, 0, dataclasses.replace(dampened, nesterov=True)),))
    yield Case("undampened,nesterov", "float64", ((1, 0, Hyper(momentum=0.9, dampening=0.5, nesterov=True)),))
    yield Case("ewma,halving-lr", "float64", with_lr(ewma, {1: 0.1, 26: 0.05, 51: 0.025}))
    yield Case("ewma,beta-changes", "float64", ((1, 0, ewma), (51, 0, dataclasses.replace(ewma, momentum=0.99))))
    yield Case("ewma,absent", "float64", ((1, 0, ewma),), absent=((0, 7, 3), (1, 3, 1)))
    yield Case("ewma,two-groups", "float64", ((1, 0, look), (1, 1, ewma)), groups=2, absent=((1, 3, 1),))


# -----------------------------------------------------------------------------------------------------
# the two references


def run_torch(case, dtype, foreach=False, fused=False):
    """Steps torch.optim.SGD through the case; returns {step: [params]} and the momentum buffers at the end."""
    params = [torch.from_numpy(values(0, i).copy()).to(dtype).requires_grad_() for i in range(len(LENGTHS))]
    members = [params] if case.groups == 1 else [[p] for p in params]
    # The rate given here is never used: every group's settings begin at step 1.
    optimizer = torch.optim.SGD([{"params": m} for m in members], lr=1.0, foreach=foreach, fused=fused)
    snapshots = {}
    for step in range(1, STEPS + 1):
        for at, group, h in case.settings:
            if at == step:
                optimizer.param_groups[group].update(
                    lr=h.lr,
                    momentum=h.momentum,
                    dampening=h.dampening,
                    weight_decay=h.weight_decay,
                    nesterov=h.nesterov,
                    maximize=h.maximize,
                )
        for i, p in enumerate(params):
            p.grad = torch.from_numpy(values(step, i)).to(dtype) if case.present(i, step) else None
        if fused and case.gradient_scale != 1:
            optimizer.grad_scale = torch.tensor(case.gradient_scale)
        elif case.gradient_scale != 1:
            for p in params:  # what GradScaler.unscale_ does
                p.grad *= 1 / case.gradient_scale
        optimizer.step()
        if step in SNAPSHOTS:
            snapshots[step] = [p.detach().numpy().copy() for p in params]
    buffers = [optimizer.state[p].get("momentum_buffer") for p in params]
    return snapshots, [np.zeros_like(values(0, i)) if b is None else b.numpy() for i, b in enumerate(buffers)]


def rule(h, scale, p, m, k, gradient):
    """One update in float64 by the formulas of glissade/sgd.h; k counts this update. Returns p and m."""
    g = (-gradient if h.maximize else gradient) / scale
    if not h.decoupled:
        g = g + h.weight_decay * p
    d, rate = g, h.lr
    if h.momentum != 0:
        kappa = 1 - h.dampening
        m = g if k == 1 and h.undampened else h.momentum * m + kappa * g
        d, n1, n2 = m, h.momentum, kappa
        if h.debias and h.nesterov:
            n1, n2 = n1 / (1 - h.momentum ** (k + 1)), n2 / (1 - h.momentum**k)
        elif h.debias:
            rate = h.lr / (1 - h.momentum**k)
        if h.nesterov:
            # PyTorch adds g without kappa, but refuses dampening here, so that kappa is 1.
            d = n1 * m + n2 * g
    if h.decoupled:
        p = p - h.lr * h.weight_decay * p
    return p - rate * d, m


def run_float64(case):
    """Steps the case by `rule`; returns what run_torch returns, in float64, and for each snapshot the scale on
    which errors are judged: per element, the largest parameter or update so far."""
    params = [values(0, i).astype(np.float64) for i in range(len(LENGTHS))]
    momenta = [np.zeros_like(p) for p in params]
    reach = [np.abs(p) for p in params]
    updates = [0] * len(LENGTHS)
    current, snapshots, scales = {}, {}, {}
    for step in range(1, STEPS + 1):
        current.update({group: h for at, group, h in case.settings if at == step})
        for i in range(len(LENGTHS)):
            if case.present(i, step):
                updates[i] += 1
                h = current[i if case.groups == 2 else 0]
                gradient, before = values(step, i).astype(np.float64), params[i]
                params[i], momenta[i] = rule(h, case.gradient_scale, before, momenta[i], updates[i], gradient)
                reach[i] = np.maximum(reach[i], np.maximum(np.abs(params[i]), np.abs(params[i] - before)))
        if step in SNAPSHOTS:
            snapshots[step] = [p.copy() for p in params]
            scales[step] = [r.copy() for r in reach]
    return snapshots, momenta, scales


# -----------------------------------------------------------------------------------------------------
# output


def distance(ours, theirs, scales):
    """Largest distance of two results over all snapshots, in float ulps of the scale that run_float64 gives."""
    worst = 0.0
    for step, i in itertools.product(SNAPSHOTS, range(len(LENGTHS))):
        ulp = np.ldexp(1.0, np.frexp(np.maximum(scales[step][i], 2.0**-126))[1] - 24)
        error = np.abs(ours[0][step][i].astype(np.float64) - theirs[0][step][i]) / ulp
        worst = max(worst, float(error.max()))
    return worst


def make(case):
    """The case's stored result and a line on how far it lies from its relatives."""
    exact, momenta, scales = run_float64(case)
    exact = (exact, momenta)
    if case.source == "float64":
        return exact, ""
    result = run_torch(case, torch.float32)
    double = distance(exact, run_torch(case, torch.float64), scales)
    assert double < 1e-6, f"{case.name}: the formula is not PyTorch's"
    line = f"from float64 {distance(result, exact, scales):6.2f}"
    line += f", for-each from plain {distance(run_torch(case, torch.float32, foreach=True), result, scales):5.2f}"
    if not case.absent:  # fused raises TypeError for a group of which only some have a buffer
        line += f", fused from plain {distance(run_torch(case, torch.float32, fused=True), result, scales):5.2f}"
    return result, line


def describe(case):
    """The case's lines of sgd.cases."""
    yield f"case {case.name} {case.source} {case.groups} {case.gradient_scale!r}"
    for step, group, h in case.settings:
        flags = (h.decoupled, h.undampened, h.nesterov, h.debias, h.maximize)
        numbers = " ".join(repr(float(x)) for x in (h.lr, h.momentum, h.dampening, h.weight_decay))
        yield f"set {step} {group} {numbers} " + " ".join(str(int(f)) for f in flags)
    for tensor, period, phase in case.absent:
        yield f"absent {tensor} {period} {phase}"


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(__file__).resolve().parent
    cases = [*torch_grid(), *torch_special(), *float64_cases()]
    assert len({c.name for c in cases}) == len(cases)
    version = torch.__version__.split("+")[0]
    lines, blobs = [f"# Made by make_sgd.py with PyTorch {version}; do not edit. Its docstring has the format."], []
    for case in cases:
        (snapshots, momenta), note = make(case)
        lines.extend(describe(case))
        arrays = [a for step in SNAPSHOTS for a in snapshots[step]] + momenta
        blobs.extend(a.astype("<f4").tobytes() for a in arrays)
        print(f"{case.name:44s} {case.source:8s} {note}")
    (folder / "sgd.cases").write_text("\n".join(lines) + "\n", encoding="ascii")
    (folder / "sgd.f32").write_bytes(b"".join(blobs))
    print(f"{len(cases)} cases, {sum(map(len, blobs))} bytes of floats", file=sys.stderr)


if __name__ == "__main__":
    main()
