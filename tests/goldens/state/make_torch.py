#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the goldens of state that comes from PyTorch, beside this script. For sgd and adamw:

  torch_NAME.safetensors        the state of a torch optimizer after BEFORE steps, by examples/torch_state.py
  torch_NAME_plain.safetensors  the same as get_optimizer_state_dict flattens it: tensors alone, without metadata
  torch_NAME_steps.safetensors  AFTER further steps, as tests/recorded.h has it, and beside each parameter NAME
      after.NAME   what torch makes of it, in float32
      exact.NAME   what torch makes of it in float64, with the same gradients from the first step on
      reach.NAME   of each element the largest parameter or update so far: the scale on which errors are judged

What is trained is a small network with parameters of several shapes, one of them a single number with a strange name, in
two groups; one has no gradient until LATE steps after the save. Also what tests/interop/torch_state.py is made of: it
records trainings and replays them with the same functions.

To run:  pip install torch==2.13.0 safetensors numpy;  python tests/goldens/state/make_torch.py
It prints how far torch's float32 lies from its float64, in ulps of reach, which must be within the bound that
tests/rules_replay.c derives. Tensors come out the same each time; the order of metadata, which the safetensors package
leaves to chance, does not.
"""

import os

# One implementation whatever the machine: PyTorch picks kernels by CPU, and they round differently in tails.
os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")

import dataclasses
import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "examples"))

import torch_state

BEFORE, AFTER, LATE = 10, 10, 2
STRANGE = 'the "gain" \\ of é and 😀'


class Net(torch.nn.Module):
    """The parameter `late` is not used in the first steps."""

    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(1, 2, 3)
        self.output = torch.nn.Linear(8, 3)
        self.late = torch.nn.Parameter(torch.ones(1, 3))
        self.register_parameter(STRANGE, torch.nn.Parameter(torch.tensor(1.5)))

    def forward(self, images, late):
        hidden = torch.tanh(self.convolution(images)).flatten(1)
        out = self.output(hidden) * getattr(self, STRANGE)
        return out * self.late if late else out


@dataclasses.dataclass(frozen=True)
class Case:
    """A torch optimizer: hyperparameters of all parameters, and others of those of its second group."""

    name: str
    kind: type
    options: dict
    others: dict

    def optimizer(self, net, **more):
        weights = [net.output.weight, net.late, net.convolution.weight]
        rest = [p for p in net.parameters() if all(p is not w for w in weights)]
        return self.kind([{"params": weights}, {"params": rest} | self.others], **self.options, **more)


CASES = (
    Case("sgd", torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}, {"lr": 0.1, "weight_decay": 0.0}),
    Case("adamw", torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.05}, {"lr": 0.02, "betas": (0.8, 0.99)}),
)


# -----------------------------------------------------------------------------------------------------
# training, recorded and replayed


def network(parameters=None, dtype=torch.float32):
    torch.manual_seed(11)
    net = Net().to(dtype)
    if parameters is not None:
        net.load_state_dict({name: value.to(dtype) for name, value in parameters.items()})
    return net


def copies(net):
    return {name: p.detach().clone() for name, p in net.named_parameters()}


def record(case, steps, late):
    """Trains, and returns the gradients of each step by name; None for a parameter without one."""
    net = network()
    optimizer, recorded = case.optimizer(net), []
    generator = torch.Generator().manual_seed(12)
    images = torch.randn(16, 1, 4, 4, generator=generator)
    classes = torch.randint(0, 3, (16,), generator=generator)
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(images, step >= late), classes).backward()
        recorded.append({name: None if p.grad is None else p.grad.clone() for name, p in net.named_parameters()})
        optimizer.step()
    return recorded


def replay(optimizer, net, gradients, watch=lambda: None):
    """Makes steps with recorded gradients."""
    for step in gradients:
        for name, p in net.named_parameters():
            p.grad = None if step[name] is None else step[name].to(p.dtype)
        optimizer.step()
        watch()


def replay_exactly(case, gradients):
    """The trajectory in float64: the parameters, and the reach of each element."""
    net = network(copies(network()), torch.float64)
    now, reach = copies(net), {name: p.abs() for name, p in copies(net).items()}

    def watch():
        for name, p in copies(net).items():
            reach[name] = torch.maximum(reach[name], torch.maximum(p.abs(), (p - now[name]).abs()))
            now[name] = p

    replay(case.optimizer(net), net, gradients, watch)
    return now, reach


# -----------------------------------------------------------------------------------------------------
# distances


def bound(steps):
    """As rules_bound of tests/rules_replay.c, which derives it."""
    return 5 * 0.29 * (18 * steps + 10) ** 0.5


def ulps(a, b, reach):
    """Distances in units in the last place of a float of the size of reach; a NaN is as far away as can be."""
    unit = torch.ldexp(torch.ones_like(reach), torch.frexp(reach.clamp(min=2.0**-126))[1] - 24)
    return ((a.double() - b.double()).abs() / unit).nan_to_num(nan=float("inf"))


# -----------------------------------------------------------------------------------------------------
# files


def model_text(optimizer, net):
    """Groups, hyperparameters and names, for tests/recorded.c."""
    names = {id(p): name for name, p in net.named_parameters()}
    lines = []
    for index, group in enumerate(optimizer.param_groups):
        texts = {key.split(".")[-1]: value for key, value in torch_state.group_texts(index, group).items()}
        rule = texts.pop("rule")
        for key in ("stream", "average_weight", "point"):
            del texts[key]
        flags = {"true": "1", "false": "0"}
        lines.append(" ".join([f"group {rule}"] + [f"{key}={flags.get(value, value)}" for key, value in texts.items()]))
        lines += [f"tensor {names[id(p)]}" for p in group["params"]]
    return "\n".join(lines)


def write_recorded(path, optimizer, net, parameters, gradients, more=()):
    """Parameters and the gradients of all steps that follow."""
    tensors = {name: value.contiguous() for name, value in parameters.items()}
    for name in parameters:
        there = [step[name] for step in gradients if step[name] is not None]
        assert all(step[name] is not None for step in gradients[len(gradients) - len(there):])
        if there:
            tensors[f"gradient.{name}"] = torch.stack(there)
    save_file(tensors | dict(more), path, metadata={"steps": str(len(gradients)), "model": model_text(optimizer, net)})


def flattened(net, optimizer):
    """The tensors of torch's own flattened state."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

    state = get_optimizer_state_dict(net, optimizer, options=StateDictOptions(flatten_optimizer_state_dict=True))
    return {name: value for name, value in state.items() if name.startswith("state.")}


def plain(optimizer, net):
    """The same, without torch.distributed, which wants all parameters to have a state."""
    names = [name for group in optimizer.param_groups for p in group["params"]
             for name, q in net.named_parameters() if p is q]
    state = optimizer.state_dict()["state"]
    return {f"state.{names[number]}.{part}": value for number, parts in state.items() for part, value in parts.items()}


def make(case):
    gradients = record(case, BEFORE + AFTER, BEFORE + LATE + 1)
    net = network()
    optimizer = case.optimizer(net)
    replay(optimizer, net, gradients[:BEFORE])
    parameters = copies(net)
    torch_state.save(optimizer, HERE / f"torch_{case.name}.safetensors", net)
    save_file(plain(optimizer, net), HERE / f"torch_{case.name}_plain.safetensors")
    replay(optimizer, net, gradients[BEFORE:])
    after, (exact, reach) = copies(net), replay_exactly(case, gradients)
    more = {f"{what}.{name}": value for what, values in (("after", after), ("exact", exact), ("reach", reach))
            for name, value in values.items()}
    write_recorded(HERE / f"torch_{case.name}_steps.safetensors", optimizer, net, parameters, gradients[BEFORE:], more)
    worst = max(float(ulps(after[name], exact[name], reach[name]).max()) for name in after)
    print(f"{case.name}: {worst:.2f} ulp from float64, bound {bound(BEFORE + AFTER):.2f}")
    assert worst <= bound(BEFORE + AFTER)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for each in CASES:
        make(each)
