# SPDX-License-Identifier: Apache-2.0
"""Makes the reference trajectories of the rules other than SGD: rules.cases, rules.f32 and rules.f64, beside
this script. reference.py holds the rules in float64 with their formulas.

Every trajectory steps a vector of 37 and a 7 x 29 matrix of 203 floats a hundred times (adafactor alone sees
the shape). Initial parameters and gradients are `values` of make_sgd.py, a hash that is exact in float, so
that only results are stored:

  rules.f64  every case, by reference.py in float64; hyperparameters are doubles.
  rules.f32  the cases of source torch, by torch.optim in float32 (foreach=False).

rules.cases is text, one record a line:
  case NAME RULE SOURCE
      SOURCE is torch, or reference where torch.optim lacks the rule or the option
  set STEP key=value ...
      hyperparameters of both tensors from that step on (step 1: those they are made with), always all keys of
      the rule in the same order; flags are 0 or 1, decay is coupled or decoupled. For a rule with one way to
      decay (adamax, adafactor, lion, ademamix, schedule_free, lars, lamb) it says which comes closest.
  absent TENSOR PERIOD PHASE
      the tensor has no gradient in the steps with step % PERIOD == PHASE; they do not count among its steps
rules.f64 holds, case after case, little-endian doubles: the parameters of tensor 0 and 1 after steps 1, 2, 10
and 100, then the averages of tensor 0 and 1 after step 100: ax of asgd, x of schedule_free (whose parameter
is y), zeros for other rules. rules.f32 holds the same as little-endian floats, for the torch cases only.

To run:  pip install torch==2.13.0 numpy;  python tests/goldens/make_rules.py
It prints how far each float32 trajectory (torch's, or where there is none that of reference.py in float32)
lies from the one in float64 after each of these steps, in ulps of each element's largest parameter or update
so far. It fails where torch and the formulas differ by more than rounding, or where rounding could decide a
sign that a rule goes by.
"""

import dataclasses
import pathlib
import sys

from make_sgd import LENGTHS, SNAPSHOTS, STEPS, values  # first: it settles what PyTorch computes with
import numpy as np
import torch

import reference

SHAPES = ((37,), (7, 29))
# Allowed distance of float32 from float64, in ulps times sqrt(step). Roundings walk at random, except those
# of scalars such as PyTorch's factor 1 - lr * weight_decay, which each step repeats: 50 ulp after 100 steps.
BOUND = 8
MISSING = ((0, 7, 3), (1, 3, 1), (1, 7, 3))  # tensor 1 misses step 1; at 3, 10, 17 ... both are missing


@dataclasses.dataclass(frozen=True)
class Case:
    """One trajectory: `settings` maps a step to the hyperparameters from then on."""

    name: str
    rule: str
    settings: dict
    absent: tuple = ()

    @property
    def source(self):
        return "torch" if all(torch_has(self.rule, h) for h in self.settings.values()) else "reference"

    def present(self, tensor, step):
        return not any(t == tensor and step % period == phase for t, period, phase in self.absent)


def value(step, tensor, dtype):
    return values(step, tensor).astype(dtype).reshape(SHAPES[tensor])


# -----------------------------------------------------------------------------------------------------
# the cases

# A learning rate that moves the parameters by about their size, for all cases of a rule but "default".
RATE = 0.02
RATES = {"adagrad": 0.1, "adadelta": 1.0, "adafactor": 0.1, "lars": 0.1, "asgd": 0.05, "qhm": 0.05}
RATES |= {"rmsprop": 0.01, "rprop": 0.01, "lion": 0.01, "schedule_free_sgd": 0.2}

DECAY = {"decay": {"weight_decay": 0.01}}
DECAYS = {
    "coupled": {"weight_decay": 0.01, "decay": "coupled"},
    "decoupled": {"weight_decay": 0.01, "decay": "decoupled"},
}
MAXIMIZE = {"maximize": {"maximize": 1}}
# These betas, momenta and decays keep every sign that caution asks for clear of rounding; `make` checks it.
CAUTIOUS = {"cautious": {"cautious": 1, "beta1": 0.8}}
CAUTIOUS_COUPLED = {
    "cautious,coupled": {"cautious": 1, "beta1": 0.88, "weight_decay": 0.05, "decay": "coupled"}
}
BETAS = {"betas": {"beta1": 0.8, "beta2": 0.95}}
EPS = {"eps": {"eps": 0.001}}
AVERAGES = {
    "warmup,r": {"warmup_steps": 20, "r": 1.0},
    "warmup,power": {"warmup_steps": 20, "weight_lr_power": 0.0},
}

# What differs from the defaults, all steps through.
SHARED = {
    "adam": DECAYS | MAXIMIZE | BETAS | EPS | CAUTIOUS | CAUTIOUS_COUPLED,
    "nadam": DECAYS | MAXIMIZE | BETAS | CAUTIOUS,
    "radam": DECAYS | MAXIMIZE | BETAS | EPS | CAUTIOUS,
    "adamax": DECAY | MAXIMIZE | BETAS | EPS | CAUTIOUS,
    "adagrad": DECAYS | MAXIMIZE | EPS,
    "adadelta": DECAYS | MAXIMIZE | EPS,
    "rmsprop": DECAYS | MAXIMIZE | EPS,
    "rprop": MAXIMIZE,
    "asgd": DECAYS | MAXIMIZE,
    "adafactor": DECAY | MAXIMIZE,
    "lion": DECAY | MAXIMIZE | CAUTIOUS,
    "ademamix": DECAY | MAXIMIZE | BETAS | CAUTIOUS,
    "adopt": DECAYS | MAXIMIZE | BETAS | CAUTIOUS | CAUTIOUS_COUPLED,
    "schedule_free_sgd": DECAY | MAXIMIZE | AVERAGES,
    "schedule_free_adamw": DECAY | MAXIMIZE | AVERAGES | BETAS,
    "qhm": DECAYS | MAXIMIZE,
    "lars": MAXIMIZE,
    "lamb": MAXIMIZE | BETAS | CAUTIOUS,
    "adabelief": DECAYS | MAXIMIZE | BETAS | CAUTIOUS,
}
OWN = {
    "adam": {
        "beta1=0": {"beta1": 0.0},
        "amsgrad": {"amsgrad": 1, "beta2": 0.9},
        "biased": {"debias": 0},
        "biased,decoupled": {"debias": 0, "weight_decay": 0.01},
    },
    "nadam": {"momentum_decay": {"momentum_decay": 1.0}},
    "radam": {
        "late": {"beta2": 0.7},  # rectified from step 10 on, with the default betas from step 6
    },
    "adagrad": {
        "lr_decay": {"lr_decay": 0.05},
        "initial_accumulator": {"initial_accumulator": 0.1},
    },
    "adadelta": {"rho": {"rho": 0.5}},
    "rmsprop": {
        "momentum": {"momentum": 0.9},
        "centered": {"centered": 1},
        "centered,momentum": {"centered": 1, "momentum": 0.9, "alpha": 0.9},
        "cautious": {"cautious": 1, "momentum": 0.9},
        "cautious,coupled": {"cautious": 1, "momentum": 0.9, "centered": 1, "weight_decay": 0.05},
    },
    "rprop": {
        "etas": {"eta_minus": 0.6, "eta_plus": 1.5},
        "bounds": {"step_min": 0.004, "step_max": 0.02},
        "bounded-start": {"step_max": 0.005},
    },
    "asgd": {
        "lambd": {"lambd": 0.5, "alpha": 0.5},
        "t0=10": {"t0": 10.0},
        "t0=0": {"t0": 0.0, "lambd": 0.1, "alpha": 1.0},
    },
    "adafactor": {
        "beta2_decay": {"beta2_decay": -0.5},
        "eps1": {"eps1": 0.3},
        "eps2": {"eps2": 0.5},
        "d": {"d": 1.05},
        "unclipped": {"d": 100.0},
    },
    "lion": {"cautious,decay": {"cautious": 1, "weight_decay": 0.01}},
    "ademamix": {
        "slow": {"beta3": 0.99, "alpha": 8.0},
        "warmup=50": {"warmup": 50},
        "warmup=200": {"warmup": 200},
        "cautious,warmup,decay": {"cautious": 1, "warmup": 50, "weight_decay": 0.01},
    },
    "adopt": {
        "eps": {"eps": 0.1},
        "unclipped": {"clip": 0, "eps": 0.001},
    },
    "schedule_free_sgd": {"beta": {"beta": 0.5}},
    "qhm": {"beta": {"beta": 0.99, "nu": 0.9}, "nu=1": {"nu": 1.0}},
    "lars": {
        "decay": {"weight_decay": 0.1},
        "trust": {"trust": 0.1},
        "plain": {"momentum": 0.0, "trust": 0.1},
        "eps": {"eps": 1.0, "trust": 0.1, "weight_decay": 0.0},
    },
    "lamb": {
        "no-decay": {"weight_decay": 0.0},
        "decay": {"weight_decay": 0.2},
    },
}

# What goes with gradients that are missing in some steps.
ABSENT = {
    "adagrad": {"lr_decay": 0.05},
    "rmsprop": {"centered": 1, "momentum": 0.9},
    "asgd": {"t0": 10.0},
    "ademamix": {"warmup": 40},
    "schedule_free_sgd": {"warmup_steps": 20},
    "schedule_free_adamw": {"warmup_steps": 20},
}

# What changes with the step. Nothing of asgd does: PyTorch makes the rate and the weight of a step at the end
# of the step before, so that a change comes a step late there.
CHANGING = {
    "adam": {
        "halving": {26: {"learning_rate": 0.01}, 51: {"learning_rate": 0.005}},
        "change": {51: {"learning_rate": 0.01, "beta1": 0.8, "beta2": 0.99}},
    },
    "nadam": {"change": {51: {"learning_rate": 0.01, "beta1": 0.8, "beta2": 0.99}}},
    "adagrad": {"halving": {1: {"lr_decay": 0.01}, 51: {"learning_rate": 0.05}}},
    "rmsprop": {
        "change": {1: {"momentum": 0.9}, 51: {"learning_rate": 0.005, "alpha": 0.9, "momentum": 0.5}}
    },
    "rprop": {"change": {51: {"eta_minus": 0.7, "eta_plus": 1.1}}},
    "adafactor": {"change": {51: {"learning_rate": 0.02, "d": 1.05}}},
    "lion": {"change": {51: {"learning_rate": 0.003, "beta1": 0.8, "beta2": 0.95}}},
    "schedule_free_sgd": {
        "rising": {51: {"learning_rate": 0.4}},
        "from-0": {1: {"learning_rate": 0.0}, 3: {"learning_rate": 0.1}, 6: {"learning_rate": 0.2}},
    },
    "schedule_free_adamw": {"halving": {1: {"r": 0.5}, 51: {"learning_rate": 0.01}}},
    "qhm": {"change": {51: {"learning_rate": 0.02, "beta": 0.99, "nu": 0.9}}},
    "lars": {"change": {1: {"trust": 0.1}, 51: {"learning_rate": 0.05, "momentum": 0.5}}},
}


def cases():
    for rule, defaults in reference.DEFAULTS.items():
        yield Case(f"{rule}:default", rule, {1: defaults})
        fast = defaults | {"learning_rate": RATES.get(rule, RATE)}
        for name, changes in (SHARED[rule] | OWN.get(rule, {})).items():
            yield Case(f"{rule}:{name}", rule, {1: fast | changes})
        yield Case(f"{rule}:absent", rule, {1: fast | ABSENT.get(rule, {})}, MISSING)
        for name, schedule in CHANGING.get(rule, {}).items():
            settings, current = {}, fast
            for step, changes in ({1: {}} | schedule).items():
                settings[step] = current = current | changes
            yield Case(f"{rule}:{name}", rule, settings)


# -----------------------------------------------------------------------------------------------------
# torch.optim

TORCH = {
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adamax": torch.optim.Adamax,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "rmsprop": torch.optim.RMSprop,
    "rprop": torch.optim.Rprop,
    "asgd": torch.optim.ASGD,
    "adafactor": torch.optim.Adafactor,
}
RENAMED = {"learning_rate": "lr", "initial_accumulator": "initial_accumulator_value"}
PAIRS = {
    "betas": ("beta1", "beta2"),
    "etas": ("eta_minus", "eta_plus"),
    "step_sizes": ("step_min", "step_max"),
    "eps": ("eps1", "eps2"),
}


def torch_has(rule, h):
    if h.get("cautious") or not h.get("debias", 1):
        return False
    if rule in ("adagrad", "adadelta", "rmsprop", "asgd") and h["decay"] == "decoupled":
        return False
    return rule == "adam" or rule in TORCH


def torch_options(rule, h):
    """What torch.optim calls the hyperparameters."""
    options = {RENAMED.get(key, key): value for key, value in h.items()}
    for name, keys in PAIRS.items():
        if keys[0] in options:
            options[name] = tuple(options.pop(key) for key in keys)
    if rule in ("nadam", "radam"):
        options["decoupled_weight_decay"] = h["decay"] == "decoupled"
    for flag in {"maximize", "amsgrad", "centered"} & options.keys():
        options[flag] = bool(options[flag])
    for ours in {"decay", "cautious", "debias"} & options.keys():
        del options[ours]
    return options


def run_torch(case, dtype):
    """Steps the case by torch.optim; returns {step: parameters} and the averages."""
    # The scalars of an optimizer's state have the default type.
    torch.set_default_dtype(torch.float64 if dtype == np.float64 else torch.float32)
    params = [torch.nn.Parameter(torch.from_numpy(value(0, i, dtype))) for i in range(len(LENGTHS))]
    first = case.settings[1]
    if case.rule == "adam":
        kind = torch.optim.AdamW if first["decay"] == "decoupled" else torch.optim.Adam
    else:
        kind = TORCH[case.rule]
    optimizer = kind(params, **torch_options(case.rule, first), foreach=False)
    snapshots = {}
    for step in range(1, STEPS + 1):
        if step in case.settings:
            optimizer.param_groups[0].update(torch_options(case.rule, case.settings[step]))
        for i, p in enumerate(params):
            p.grad = torch.from_numpy(value(step, i, dtype)) if case.present(i, step) else None
        optimizer.step()
        if step in SNAPSHOTS:
            snapshots[step] = [p.detach().numpy().copy() for p in params]
    averages = [optimizer.state[p].get("ax") for p in params]
    return snapshots, [np.zeros(SHAPES[i]) if a is None else a.numpy() for i, a in enumerate(averages)]


# -----------------------------------------------------------------------------------------------------
# the reference


def run_reference(case, dtype):
    """Steps the case by reference.py; returns what run_torch returns, for each snapshot the scale on which
    errors are judged (per element, the largest parameter or update so far), and the states."""
    params = [value(0, i, dtype) for i in range(len(LENGTHS))]
    states = [reference.State() for _ in LENGTHS]
    reach = [np.abs(p) for p in params]
    snapshots, scales, hyper = {}, {}, {}
    for step in range(1, STEPS + 1):
        hyper = case.settings.get(step, hyper)
        for i, before in enumerate(params):
            if case.present(i, step):
                p = reference.update(case.rule, hyper, states[i], before, value(step, i, dtype))
                assert p.dtype == dtype and p.shape == before.shape
                reach[i] = np.maximum(reach[i], np.maximum(np.abs(p), np.abs(p - before)))
                params[i] = p
        if step in SNAPSHOTS:
            snapshots[step] = list(params)
            scales[step] = list(reach)
    averages = [np.zeros(SHAPES[i]) + s.average for i, s in enumerate(states)]
    return (snapshots, averages), scales, states


# -----------------------------------------------------------------------------------------------------
# output


def ulps(ours, theirs, scale):
    ulp = np.ldexp(1.0, np.frexp(np.maximum(scale, 2.0**-126))[1] - 24)
    return float((np.abs(ours.astype(np.float64) - theirs) / ulp).max())


def distances(ours, theirs, scales):
    """Largest distance of two results after each snapshot's step; the averages belong to the last."""
    found = {step: list(map(ulps, ours[0][step], theirs[0][step], scales[step])) for step in SNAPSHOTS}
    found[STEPS] += map(ulps, ours[1], theirs[1], scales[STEPS])
    return {step: float(np.max(each)) for step, each in found.items()}  # unlike max, it keeps a NaN


def make(case):
    """The case's result in float64, torch's in float32 or None, and the distances of float32 from float64."""
    exact, scales, states = run_reference(case, np.float64)
    margin = min(s.margin for s in states)
    assert margin > 2.0**-20, f"{case.name}: rounding could decide a sign ({margin:g}); change the case"
    if case.source == "torch":
        double = np.max([*distances(run_torch(case, np.float64), exact, scales).values()])
        assert double < 1e-6, f"{case.name}: the formula is not PyTorch's ({double:g} ulp)"
        result = run_torch(case, np.float32)
    else:
        result = run_reference(case, np.float32)[0]
    found = distances(result, exact, scales)
    for step, distance in found.items():
        assert distance <= BOUND * step**0.5, f"{case.name}: {distance:g} ulp from float64 after step {step}"
    return exact, result if case.source == "torch" else None, found


def describe(case):
    """The case's lines of rules.cases."""
    yield f"case {case.name} {case.rule} {case.source}"
    for step, h in case.settings.items():
        yield f"set {step} " + " ".join(f"{key}={value}" for key, value in h.items())
    for tensor, period, phase in case.absent:
        yield f"absent {tensor} {period} {phase}"


def flat(result, kind):
    snapshots, averages = result
    arrays = [a for step in SNAPSHOTS for a in snapshots[step]] + averages
    return b"".join(a.astype(kind).tobytes() for a in arrays)


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(__file__).resolve().parent
    version = torch.__version__.split("+")[0]
    lines, singles, doubles = [], [], []
    lines.append(
        f"# Made by make_rules.py with PyTorch {version}; do not edit. Its docstring has the format."
    )
    every = list(cases())
    assert len({c.name for c in every}) == len(every)
    for case in every:
        exact, single, found = make(case)
        lines.extend(describe(case))
        doubles.append(flat(exact, "<f8"))
        if single:
            singles.append(flat(single, "<f4"))
        print(f"{case.name:36s} {case.source:9s} " + " ".join(f"{d:8.2f}" for d in found.values()))
    (folder / "rules.cases").write_text("\n".join(lines) + "\n", encoding="ascii")
    (folder / "rules.f32").write_bytes(b"".join(singles))
    (folder / "rules.f64").write_bytes(b"".join(doubles))
    print(f"{len(every)} cases, {len(singles)} of them torch", file=sys.stderr)


if __name__ == "__main__":
    main()
