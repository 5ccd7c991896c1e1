#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the courses that tests/schedule.c looks at: schedules.cases and schedules.f64, beside this script.

Every case is a schedule of glissade/schedule.h with its arguments, and two answers for each step:

  torch    the rate that PyTorch's scheduler leaves in the optimizer for that step, in float64. NaN where it has none:
           past the end of a cosine or of OneCycleLR, and where OneCycleLR divides by zero.
  exact    the formula of schedule.h with 60 digits, rounded once.

Where PyTorch has no scheduler of the kind (inverse square root, 1 - sqrt) LambdaLR computes the formula.

schedules.cases is text, a line for each case:
  NAME SCHEDULE COUNT STRIDE ARGUMENT...
with the arguments in the order of the function's, or of the fields of its options struct (names below), numbers as
C reads them; for multi_step the milestones come last. schedules.f64 holds, case after case, COUNT little-endian
doubles of torch and COUNT of exact, for the steps 0, STRIDE, 2 STRIDE ...

To run:  pip install torch==2.13.0 mpmath numpy;  python tests/goldens/make_schedules.py
It prints how far PyTorch lies from the formula, relative to the rate and relative to the highest rate of the course.
"""

import dataclasses
import math
import pathlib
import sys
import warnings

import numpy as np
import torch
from mpmath import cos, mp, mpf, pi, sqrt
from torch.optim import lr_scheduler as schedulers

mp.dps = 60


@dataclasses.dataclass(frozen=True)
class Case:
    """One course. `torch` makes a scheduler for an optimizer, `exact` is the formula, `over` the first step at which
    PyTorch's answer is no longer wanted."""

    name: str
    schedule: str
    arguments: tuple
    lr: float
    torch: object
    exact: object
    count: int
    stride: int = 1
    over: int = 2**63
    key: str = "lr"

    def steps(self):
        return range(0, self.count * self.stride, self.stride)


# -----------------------------------------------------------------------------------------------------
# the formulas of schedule.h


def part(t, n):
    """x of schedule.h."""
    return mpf(min(t, n)) / n if n else mpf(1)


CURVES = {0: lambda x: x, 1: lambda x: (1 - cos(pi * x)) / 2, 2: sqrt}


def along(curve, a, b, x):
    return mpf(a) + (mpf(b) - mpf(a)) * CURVES[curve](x)


def warm_up(t, rate, n):
    return mpf(rate) * min(mpf(1), mpf(t + 1) / n) if n else mpf(rate)


def restarts(t, a, b, first, growth):
    while t >= first:
        t, first = t - first, first * growth
    return along(1, a, b, mpf(t) / first)


def inverse_sqrt(t, rate, w):
    w = max(1, w)
    return mpf(rate) * min(mpf(t + 1) / w, sqrt(mpf(w) / (t + 1)))


def wsd(t, rate, final, w, s, d, curve):
    if t < w:
        return warm_up(t, rate, w)
    return along(curve, rate, final, part(max(0, t - w - s), d))


def cycle(t, n, rising, curve, three, values):
    # Where phases meet is rounded to double, as schedule.h says: it decides on which side of it a step lies.
    p = float(rising)
    ends = [mpf(e) for e in ([p * n - 1, 2 * p * n - 2, n - 1] if three else [p * n - 1, n - 1])]
    if t >= n:
        return values[len(ends)]
    begin = mpf(0)
    for i, end in enumerate(ends):
        if t <= end or i == len(ends) - 1:
            return along(curve, values[i], values[i + 1], (t - begin) / (end - begin) if end != begin else mpf(1))
        begin = end
    raise AssertionError


# -----------------------------------------------------------------------------------------------------
# the cases


def plain_cases():
    """Between two rates."""
    for lr, factor, n in ((0.05, 1 / 3, 5), (0.1, 0.5, 40), (0.1, 0.0, 0)):
        arguments = (lr * factor, lr, n)
        yield Case(f"constant-{n}", "constant", arguments, lr,
                   lambda o, f=factor, n=n: schedulers.ConstantLR(o, f, n) if f else None,
                   lambda t, a=arguments: mpf(a[0] if t < a[2] else a[1]), 50)  # fmt: skip
    for lr, start, end, n in ((0.05, 1 / 3, 1.0, 5), (0.1, 1.0, 0.0, 60), (0.1, 1.0, 0.1, 100), (2e-5, 1e-3, 1.0, 200),
                              (0.1, 0.3, 0.3, 20)):  # fmt: skip
        arguments = (lr * start, lr * end, n)
        yield Case(f"linear-{n}", "linear", arguments, lr,
                   lambda o, a=(start, end, n): schedulers.LinearLR(o, *a),
                   lambda t, a=arguments: along(0, a[0], a[1], part(t, a[2])), n + 20)  # fmt: skip
    for lr, low, n, count, stride in ((0.1, 0.0, 50, 80, 1), (3e-4, 3e-5, 101, 130, 1), (0.5, 0.02, 1, 5, 1),
                                      (0.01, 0.1, 64, 80, 1), (1e-3, 0.0, 20000, 200, 101)):  # fmt: skip
        yield Case(f"cosine-{n}", "cosine", (lr, low, n), lr,
                   lambda o, a=(n, low): schedulers.CosineAnnealingLR(o, *a),
                   lambda t, a=(lr, low, n): along(1, a[0], a[1], part(t, a[2])), count, stride, n + 1)  # fmt: skip
    for power, low, n in ((1.0, 0.0, 50), (2.0, 0.0, 60), (0.9, 0.0, 100), (0.5, 0.0, 30), (3.7, 0.0, 80),
                          (2.0, 0.01, 60)):  # fmt: skip
        yield Case(f"polynomial-{power:g}-{n}-{low:g}", "polynomial", (0.1, low, n, power), 0.1,
                   lambda o, a=(n, power), low=low: schedulers.PolynomialLR(o, *a) if low == 0 else None,
                   lambda t, a=(low, n, power): mpf(a[0]) + (mpf(0.1) - mpf(a[0])) * (1 - part(t, a[1])) ** mpf(a[2]),
                   n + 20)  # fmt: skip
    for first, growth, low in ((10, 1, 0.0), (10, 2, 0.001), (3, 3, 0.0), (1, 1, 0.0)):
        yield Case(f"cosine_restarts-{first}-{growth}", "cosine_restarts", (0.1, low, first, growth), 0.1,
                   lambda o, a=(first, growth, low): schedulers.CosineAnnealingWarmRestarts(o, *a),
                   lambda t, a=(0.1, low, first, growth): restarts(t, *a), 150)  # fmt: skip


def factor_cases():
    """By powers of gamma."""
    for gamma, count, stride in ((0.9, 150, 1), (0.999, 150, 40), (1.0, 10, 1), (1.05, 100, 1), (0.5, 60, 1)):
        yield Case(f"exponential-{gamma:g}", "exponential", (0.1, gamma), 0.1,
                   lambda o, g=gamma: schedulers.ExponentialLR(o, g),
                   lambda t, g=gamma: mpf(0.1) * mpf(g) ** t, count, stride)  # fmt: skip
    for gamma, period in ((0.1, 30), (0.5, 7), (0.97, 1)):
        yield Case(f"step-{period}", "step", (0.05, gamma, period), 0.05,
                   lambda o, a=(period, gamma): schedulers.StepLR(o, *a),
                   lambda t, a=(period, gamma): mpf(0.05) * mpf(a[1]) ** (t // a[0]), 130)  # fmt: skip
    for gamma, milestones in ((0.1, (30, 80)), (0.5, (1, 5, 5, 40)), (0.3, ())):
        yield Case(f"multi_step-{len(milestones)}", "multi_step", (0.05, gamma, *milestones), 0.05,
                   lambda o, a=(milestones, gamma): schedulers.MultiStepLR(o, *a),
                   lambda t, a=(milestones, gamma): mpf(0.05) * mpf(a[1]) ** sum(m <= t for m in a[0]),
                   100)  # fmt: skip


def warm_up_cases():
    """Warm-ups, and what follows them."""
    for n in (0, 1, 2, 10, 100):
        yield Case(f"warm_up-{n}", "warm_up", (0.003, n), 0.003,
                   lambda o, n=n: schedulers.LinearLR(o, 1 / n, 1, n - 1) if n > 1 else schedulers.ConstantLR(o, 1, 0),
                   lambda t, n=n: warm_up(t, 0.003, n), n + 10)  # fmt: skip
    for w, count, stride in ((0, 50, 1), (1, 50, 1), (16, 100, 1), (4000, 200, 101)):
        yield Case(f"inverse_sqrt-{w}", "inverse_sqrt", (0.002, w), 0.002,
                   lambda o, w=max(1, w): schedulers.LambdaLR(o, lambda t: min((t + 1) / w, math.sqrt(w / (t + 1)))),
                   lambda t, w=w: inverse_sqrt(t, 0.002, w), count, stride)  # fmt: skip

    def parts(o, rate, final, w, s, d, curve):
        """The same of PyTorch's own parts; its 1 - sqrt is a lambda."""
        after = (schedulers.LinearLR(o, 1.0, final / rate, d) if curve == 0
                 else schedulers.CosineAnnealingLR(o, d, final) if curve == 1
                 else schedulers.LambdaLR(o, lambda t: 1 - (1 - final / rate) * math.sqrt(min(t, d) / d)))  # fmt: skip
        before = [schedulers.LinearLR(o, 1 / w, 1.0, w - 1)] if w else []
        stable = [schedulers.ConstantLR(o, 1.0, 1)] if s else []
        milestones = [w] * (w > 0) + [w + s] * (s > 0)
        everything = [*before, *stable, after]
        return schedulers.SequentialLR(o, everything, milestones) if len(everything) > 1 else after

    for a in ((0.001, 0.0, 10, 40, 30, 0), (0.001, 0.0, 10, 40, 30, 1), (0.001, 0.0, 10, 40, 30, 2),
              (6e-4, 6e-5, 20, 0, 100, 1), (6e-4, 0.0, 20, 0, 100, 0), (0.01, 0.001, 0, 25, 25, 2),
              (0.01, 0.002, 0, 0, 50, 0)):  # fmt: skip
        over = sum(a[2:5]) + 1 if a[5] == 1 else 2**63
        yield Case("wsd-" + "-".join(map(str, a[2:])), "wsd", a, a[0], lambda o, a=a: parts(o, *a),
                   lambda t, a=a: wsd(t, *a), sum(a[2:5]) + 20, 1, over)  # fmt: skip


def cycle_cases():
    """OneCycleLR and its momentum."""
    for n, rising, curve, three, division, final in (
        (100, 0.3, 1, False, 25.0, 1e4), (100, 0.3, 0, False, 25.0, 1e4), (120, 0.3, 1, True, 25.0, 1e4),
        (120, 0.4, 0, True, 10.0, 100.0), (37, 0.25, 1, False, 4.0, 10.0), (10, 0.1, 1, False, 25.0, 1e4),
        (10, 0.0, 0, False, 25.0, 1e4), (20, 1.0, 1, False, 25.0, 1e4), (1, 0.3, 1, False, 25.0, 1e4),
        (50, 0.5, 1, True, 25.0, 1e4), (64, 0.05, 0, True, 5.0, 1e3), (10000, 0.2, 1, False, 25.0, 1e4),
    ):  # fmt: skip
        high = 0.01

        def scheduler(o, n=n, rising=rising, curve=curve, three=three, division=division, final=final, high=high):
            return schedulers.OneCycleLR(o, high, n, pct_start=rising, anneal_strategy=("linear", "cos")[curve],
                                         div_factor=division, final_div_factor=final, three_phase=three)  # fmt: skip

        first = mpf(high) / mpf(division)
        rates = [first, mpf(high)] + [first] * three + [first / mpf(final)]
        momenta = [mpf(0.95), mpf(0.85), mpf(0.95), mpf(0.95)]
        arguments = (high, division, final, n, rising, curve, int(three), 0.95, 0.85)
        stride = n // 100 or 1
        for schedule, key, values in (("one_cycle", "lr", rates), ("one_cycle_momentum", "momentum", momenta)):
            yield Case(f"{schedule}-{n}-{rising:g}-{curve}-{int(three)}", schedule, arguments, high, scheduler,
                       lambda t, a=(n, rising, curve, three, values): cycle(t, *a), n // stride + 12, stride, n,
                       key)  # fmt: skip


# -----------------------------------------------------------------------------------------------------
# output


def run_torch(case):
    """What the scheduler leaves in the optimizer for each step; NaN where it is not asked or fails."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=case.lr, momentum=0.9)
    rates = []
    try:
        scheduler = case.torch(optimizer)
        for step in range(case.steps()[-1] + 1 if scheduler else 0):
            if step >= case.over:
                break
            rates.append(optimizer.param_groups[0][case.key])
            optimizer.step()
            scheduler.step()
    except (ValueError, ZeroDivisionError):
        pass
    return np.array([rates[t] if t < min(len(rates), case.over) else math.nan for t in case.steps()])


def main():
    warnings.filterwarnings("ignore", category=UserWarning)  # SequentialLR's own calls are deprecated, it says
    folder = pathlib.Path(__file__).resolve().parent
    cases = [*plain_cases(), *factor_cases(), *warm_up_cases(), *cycle_cases()]
    assert len({c.name for c in cases}) == len(cases)
    version = torch.__version__.split("+")[0]
    lines = [f"# Made by make_schedules.py with PyTorch {version}; do not edit. Its docstring has the format."]
    blobs = []
    for case in cases:
        exact = np.array([float(case.exact(t)) for t in case.steps()])
        result = run_torch(case)
        lines.append(f"{case.name} {case.schedule} {case.count} {case.stride} " + " ".join(map(repr, case.arguments)))
        blobs += [result.astype("<f8").tobytes(), exact.astype("<f8").tobytes()]
        known = ~np.isnan(result)
        error = np.abs(result - exact)[known]
        relative = np.max(error[exact[known] != 0] / exact[known & (exact != 0)], initial=0)
        print(f"{case.name:40s} {known.sum():4d} of {case.count:4d} steps, off by {relative:8.2g} of the rate, "
              f"{np.max(error, initial=0) / exact.max():8.2g} of the highest")  # fmt: skip
    (folder / "schedules.cases").write_text("\n".join(lines) + "\n", encoding="ascii")
    (folder / "schedules.f64").write_bytes(b"".join(blobs))
    print(f"{len(cases)} cases, {sum(map(len, blobs))} bytes of doubles", file=sys.stderr)


if __name__ == "__main__":
    main()
