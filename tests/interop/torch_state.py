#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""State and tensors exchanged with PyTorch and the safetensors package, both ways, by examples/torch_state.py.

    pip install torch==2.13.0 safetensors numpy
    ninja -C build tests/interop_steps
    tests/interop/torch_state.py build/tests/interop_steps [PART...]

With PART nothing else is tried:

  trajectories  A small network is trained by torch, its gradients recorded. Then for each optimizer
                    torch -> ours   BEFORE steps by torch, its state saved, AFTER further steps by the library, beside all
                                    of them by torch
                    ours -> torch   the other way round, beside all of them by the library
                and the largest distance of any element of each parameter is printed, in ulps of its reach, as tests/rules.c
                measures them: from the trajectory in float64, where tests/rules_replay.c derives the bound, and from the
                one beside, to whose own distance from float64 the bound is added.
  exactness     State that is moved there and back without a step has the same bits, in every number format that torch
                trains in; so does what torch's own flattened state has, under the same names; hyperparameters are equal.
  files         Every dtype, strange names and metadata: what the package writes the library reads, what the library writes
                the package reads, with equal bits.
  refusals      What has no counterpart.

Exits with 1 if anything is not as it should be. Not part of the ordinary tests, which need no Python packages.
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import load_file, save_file

GOLDENS = pathlib.Path(__file__).resolve().parents[1] / "goldens" / "state"
sys.path.insert(0, str(GOLDENS))

import make_torch
from make_torch import Case, STRANGE, bound, copies, network, record, replay, replay_exactly, ulps, write_recorded

torch_state = make_torch.torch_state
BEFORE, AFTER = 20, 20
LABELS = ["layer.0.weight", 'the "gain" \\ of é', "empty/../x", "3", "4", "5"]  # of tests/states_v1_cases.c

SGD = {"lr": 0.05, "momentum": 0.9}
ADAM = {"lr": 0.01}
CASES = (
    Case("sgd", torch.optim.SGD, {"lr": 0.05, "weight_decay": 0.01}, {"lr": 0.1}),
    Case("sgd momentum", torch.optim.SGD, SGD, {"lr": 0.02}),
    Case("sgd momentum, weight decay", torch.optim.SGD, SGD | {"weight_decay": 0.01}, {"lr": 0.1, "weight_decay": 0}),
    Case("sgd nesterov, weight decay", torch.optim.SGD, SGD | {"nesterov": True, "weight_decay": 0.01}, {"momentum": 0.5}),
    Case("sgd dampening", torch.optim.SGD, SGD | {"dampening": 0.5}, {"dampening": 0.9}),
    Case("sgd maximize", torch.optim.SGD, SGD | {"lr": 0.01, "maximize": True}, {"maximize": False}),
    Case("sgd foreach", torch.optim.SGD, SGD | {"foreach": True}, {}),
    Case("sgd fused", torch.optim.SGD, SGD | {"fused": True}, {"nesterov": True}),
    Case("adam", torch.optim.Adam, ADAM, {"betas": (0.8, 0.99)}),
    Case("adam weight decay", torch.optim.Adam, ADAM | {"weight_decay": 0.01}, {"weight_decay": 0}),
    Case("adam decoupled", torch.optim.Adam, ADAM | {"weight_decay": 0.1, "decoupled_weight_decay": True}, {"eps": 1e-4}),
    Case("adamw", torch.optim.AdamW, ADAM | {"weight_decay": 0.1}, {"lr": 0.02, "betas": (0.8, 0.99)}),
    Case("adamw amsgrad", torch.optim.AdamW, ADAM | {"amsgrad": True, "weight_decay": 0.1}, {"betas": (0.5, 0.9)}),
    Case("adamw amsgrad, maximize", torch.optim.AdamW, ADAM | {"amsgrad": True, "maximize": True}, {"amsgrad": False}),
    Case("adamw foreach", torch.optim.AdamW, ADAM | {"foreach": True}, {"weight_decay": 0}),
    Case("adamw fused", torch.optim.AdamW, ADAM | {"fused": True}, {"amsgrad": True}),
    Case("adamw, lr a tensor", torch.optim.AdamW, {"lr": torch.tensor(0.01)}, {}),
)

failures = []


def check(condition, what):
    if not condition:
        failures.append(what)
        print(f"NOT OK: {what}")


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.contiguous().flatten().view(torch.uint8).tolist() == \
        b.contiguous().flatten().view(torch.uint8).tolist()


class Workplace:
    """Files in a temporary folder, and the program."""

    def __init__(self, program, folder):
        self.program, self.folder = str(pathlib.Path(program).resolve()), pathlib.Path(folder)

    def path(self, name):
        return self.folder / f"{name}.safetensors"

    def run(self, *words):
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr}")
        return done.stdout.strip()

    def steps(self, case, net, parameters, gradients, state=None, options=()):
        """The library's steps; returns the parameters and what was said of the state. It is left in the file `new`."""
        write_recorded(self.path("recorded"), case.optimizer(net), net, parameters, gradients)
        said = self.run("train", *options, self.path("recorded"), state or "-", self.path("new"), self.path("parameters"))
        return load_file(self.path("parameters")), said


# -----------------------------------------------------------------------------------------------------
# trajectories


def report(way, case, got, beside, exact, reach):
    """Judges a trajectory, and prints a line: distances from the one beside and from float64, parameter by parameter."""
    allowed, columns = bound(BEFORE + AFTER), []
    for name, _ in network().named_parameters():
        check(got[name].shape == exact[name].shape, f"{way} {case.name}: shape of {name}")
        off, own = ulps(got[name], exact[name], reach[name]), ulps(beside[name], exact[name], reach[name])
        apart = ulps(got[name], beside[name], reach[name])
        check(bool((off <= allowed).all()), f"{way} {case.name}: {name} is {off.max():.2f} ulp from float64")
        check(bool((apart <= allowed + own).all()), f"{way} {case.name}: {name} is {apart.max():.2f} ulp away")
        columns.append(f"{apart.max():5.2f} {off.max():5.2f}")
    print(f"  {way:14s} {case.name:27s}" + "".join(f"{column:>14s}" for column in columns))
    return max(float(column.split()[0]) for column in columns)


def check_step_counts(case, net, optimizer, late):
    """Adam's count is of each parameter's own steps."""
    for name, p in net.named_parameters():
        if "step" in optimizer.state[p]:
            expected = BEFORE + AFTER - (late - 1 if name == "late" else 0)
            check(int(optimizer.state[p]["step"]) == expected, f"{case.name}: step of {name}")


def trajectories(place):
    print(f"distances in ulp, from the trajectory beside and from float64; bound {bound(BEFORE + AFTER):.2f}")
    print(" " * 46 + "".join(f"{name[:13]:>14s}" for name, _ in network().named_parameters()))
    worst = 0
    for case in CASES:
        # torch's fused SGD cannot make a step in which some parameters have a buffer and others have none yet.
        late = 1 if case.name == "sgd fused" else BEFORE + make_torch.LATE + 1
        gradients = record(case, BEFORE + AFTER, late)
        exact, reach = replay_exactly(case, gradients)
        net = network()
        optimizer = case.optimizer(net)
        start = copies(net)
        replay(optimizer, net, gradients[:BEFORE])
        torch_state.save(optimizer, place.path("torch"), net)
        ours, _ = place.steps(case, net, copies(net), gradients[BEFORE:], place.path("torch"))
        replay(optimizer, net, gradients[BEFORE:])
        worst = max(worst, report("torch -> ours", case, ours, copies(net), exact, reach))

        whole, _ = place.steps(case, net, start, gradients)
        begun, _ = place.steps(case, net, start, gradients[:BEFORE])
        net = network(begun)
        optimizer = case.optimizer(net)
        torch_state.load(optimizer, place.path("new"), net)
        replay(optimizer, net, gradients[BEFORE:])
        worst = max(worst, report("ours -> torch", case, copies(net), whole, exact, reach))
        check_step_counts(case, net, optimizer, late)
    print(f"worst distance from the trajectory beside: {worst:.2f} ulp")


# -----------------------------------------------------------------------------------------------------
# exactness


def check_same_state(what, left, right):
    """State dicts: bits of state, hyperparameters."""
    for number in left["state"].keys() | right["state"].keys():
        a, b = ({part: value for part, value in it["state"].get(number, {}).items() if value is not None}
                for it in (left, right))
        check(a.keys() == b.keys(), f"{what}: parameter {number} has {sorted(a)} and {sorted(b)}")
        for part in a.keys() & b.keys():
            check(same_bits(a[part], b[part]), f"{what}: {part} of parameter {number}")
    for a, b in zip(left["param_groups"], right["param_groups"]):
        check(a.keys() == b.keys() and all(a[key] == b[key] for key in a), f"{what}: {a} and {b}")


def check_flattened(place, case, net, optimizer):
    """torch's own names, and what the library reads and writes, are the same; a file of that alone is enough."""
    theirs = make_torch.flattened(net, optimizer)
    save_file(theirs, place.path("plain"))
    said = place.steps(case, net, copies(net), [], place.path("plain"))[1]
    tensors = load_file(place.path("torch"))
    check(theirs.keys() == tensors.keys(), f"{case.name}: {theirs.keys() ^ tensors.keys()} are not named as torch does")
    check(theirs.keys() == make_torch.plain(optimizer, net).keys(), f"{case.name}: plain() names tensors otherwise")
    written = load_file(place.path("new"))
    check(theirs.keys() == written.keys(), f"{case.name}: {theirs.keys() ^ written.keys()} are not written as torch does")
    for name in theirs.keys() & written.keys():
        check(written[name].numel() == theirs[name].numel() and
              same_bits(written[name].reshape(theirs[name].shape), theirs[name]), f"{case.name}: {name} of the plain file")
    check(", 0 converted, 0 missing" in said, f"{case.name}: {said}")
    with safe_open(place.path("new"), framework="pt") as file:
        steps = {file.metadata()[f"glissade.tensor.{name}.steps"] for name, _ in net.named_parameters()}
    check(steps == {"1" if case.kind is torch.optim.SGD else "3"}, f"{case.name}: steps {steps} from the plain file")


def exactness(place):
    for case in CASES:
        gradients = record(case, 3, 1)
        for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
            what = f"{case.name} in {dtype}"
            net = network(dtype=dtype)
            optimizer = case.optimizer(net)
            replay(optimizer, net, gradients)
            torch_state.save(optimizer, place.path("torch"), net)
            there, _ = place.steps(case, net, copies(net), [], place.path("torch"))
            for name, p in net.named_parameters():
                check(same_bits(there[name], p.detach()), f"{what}: parameter {name}")
            other = network(there, dtype)
            second = case.optimizer(other)
            torch_state.load(second, place.path("new"), other, convert=dtype is torch.float16)
            check_same_state(what, optimizer.state_dict(), second.state_dict())
            if dtype is torch.float32:
                check_numbers(place, case, net, optimizer)
                if case.name in ("sgd momentum", "adamw amsgrad"):
                    check_command(place, case, net, optimizer)
                # Without momentum torch's SGD has no state, of which nothing can be written down.
                if case.name != "sgd":
                    torch_state.save(optimizer, place.path("torch"), net)
                    check_flattened(place, case, net, optimizer)
    print(f"exactness: {4 * len(CASES)} states there and back")


def check_numbers(place, case, net, optimizer):
    """By number, and with names of the optimizer's own."""
    torch_state.save(optimizer, place.path("numbers"))
    other = case.optimizer(network())
    torch_state.load(other, place.path("numbers"))
    check_same_state(f"{case.name} by number", optimizer.state_dict(), other.state_dict())
    names = {id(p): name for name, p in net.named_parameters()}
    named = case.kind([{"params": [(names[id(p)], p) for p in group["params"]]} for group in optimizer.param_groups],
                      **case.options)
    named.load_state_dict(optimizer.state_dict() | {"param_groups": [
        group | {"param_names": [names[id(p)] for p in mine["params"]]}
        for group, mine in zip(optimizer.state_dict()["param_groups"], optimizer.param_groups)]})
    torch_state.save(named, place.path("named"))
    torch_state.save(optimizer, place.path("torch"), net)
    check(load_file(place.path("named")).keys() == load_file(place.path("torch")).keys(), f"{case.name}: param_names")


def check_command(place, case, net, optimizer):
    names = {id(p): name for name, p in net.named_parameters()}
    (place.folder / "names").write_text("\n".join(names[id(p)] for group in optimizer.param_groups for p in group["params"]),
                                        encoding="utf-8")
    torch.save(optimizer.state_dict(), place.folder / "there.pt")
    script = torch_state.__file__
    for given in ([], ["--names", place.folder / "names"]):
        subprocess.run([sys.executable, script, "to-glissade", place.folder / "there.pt", place.path("command"), *given],
                       check=True)
        subprocess.run([sys.executable, script, "to-torch", place.path("command"), place.folder / "back.pt", *given],
                       check=True)
        other = case.optimizer(network())
        other.load_state_dict(torch.load(place.folder / "back.pt", weights_only=True))
        check_same_state(f"{case.name} by the command", optimizer.state_dict() | {"param_groups": []},
                         other.state_dict() | {"param_groups": []})
        check(with_numbers(other) == with_numbers(optimizer), f"{case.name}: hyperparameters by the command")


def with_numbers(optimizer):
    """Hyperparameters that matter: what says how torch computes does not travel."""
    other = {"foreach", "fused", "capturable", "differentiable", "params", "param_names"}
    return [{key: tuple(map(float, value)) if key == "betas" else float(value) for key, value in group.items()
             if key not in other} for group in optimizer.param_groups]


# -----------------------------------------------------------------------------------------------------
# files


def raw(path):
    """Bits and shapes, read by hand."""
    whole = pathlib.Path(path).read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    head = json.loads(whole[8:8 + length])
    return {name: (it["dtype"], it["shape"], whole[8 + length + it["data_offsets"][0]:8 + length + it["data_offsets"][1]])
            for name, it in head.items() if name != "__metadata__"}


def files(place):
    random = np.random.default_rng(5)
    shapes = ((), (0,), (1,), (7,), (3, 5), (2, 0, 3), (2, 3, 2, 2))
    strange = [torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz]
    dtypes = strange + [torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8,
                        torch.uint8, torch.bool, torch.complex64, torch.uint64, torch.uint32, torch.uint16]
    names = ["a", "weight", "é", "😀", 'quoted "x"', "back\\slash", "a/b", "../x", "line\nfeed", "\x01", " ", STRANGE]
    tensors = {}
    for number, dtype in enumerate(dtypes):
        for shape in shapes:
            count = int(np.prod(shape)) * torch.empty(0, dtype=dtype).element_size()
            data = random.integers(0, 2 if dtype is torch.bool else 256, count, dtype=np.uint8)
            name = f"{names[(number + len(shape)) % len(names)]}.{number}.{shape}"
            tensors[name] = torch.from_numpy(data).view(dtype).reshape(shape) if count else torch.empty(shape, dtype=dtype)
    texts = {"format": "pt", "é": "😀", 'a "key"': 'a "value"\n\\', "empty": ""}
    save_file(tensors, place.path("theirs"), metadata=texts)
    place.run("copy", place.path("theirs"), place.path("ours"))
    with safe_open(place.path("ours"), framework="pt") as file:
        written = file.metadata()
        check({key: value for key, value in written.items() if not key.startswith("glissade.")} == texts, "metadata")
        check(set(file.keys()) == tensors.keys(), "names")
        for name, tensor in tensors.items():
            check(same_bits(file.get_tensor(name), tensor), f"safe_open of {name!r}")
    loaded = load_file(place.path("ours"))
    for name, tensor in tensors.items():
        check(same_bits(loaded[name], tensor), f"load_file of {name!r}")
    arrays = {name: t.numpy() for name, t in tensors.items() if t.dtype not in strange}
    save_numpy(arrays, place.path("numpy"), metadata=texts)
    place.run("copy", place.path("numpy"), place.path("again"))
    check(raw(place.path("numpy")) == raw(place.path("again")), "what safetensors.numpy writes")
    check(raw(place.path("theirs")) == raw(place.path("ours")), "what safetensors.torch writes")
    kept = sorted(GOLDENS.glob("v1_*.safetensors"))
    check(len(kept) >= 6, "goldens of version 1")
    for path in kept:
        loaded, there = load_file(path), raw(path)
        check(loaded.keys() == there.keys(), f"names in {path.name}")
        for name, (_, shape, bits) in there.items():
            read = loaded[name].contiguous().flatten()
            check(list(loaded[name].shape) == shape and bytes(read.view(torch.uint8).tolist()) == bits, f"{path.name}: {name}")
    print(f"files: {len(tensors)} tensors of {len(dtypes)} dtypes, {len(kept)} states")


# -----------------------------------------------------------------------------------------------------
# refusals


def edited(place, changes):
    """The state file with other metadata; None takes a line away, bytes a tensor with it."""
    tensors = load_file(place.path("state"))
    with safe_open(place.path("state"), framework="pt") as file:
        texts = {key: value for key, value in file.metadata().items() if not key.startswith("glissade.checksum.")}
    for key, value in changes.items():
        if isinstance(value, torch.Tensor):
            tensors[key] = value
        elif value is None:
            texts.pop(key, None)
            tensors.pop(key, None)
        else:
            texts[key] = value
    save_file(tensors, place.path("edited"), metadata=texts)
    return place.path("edited")


def refused(what, call, *expected):
    try:
        call()
    except torch_state.Unsupported as error:
        missing = [word for word in expected if word not in str(error)]
        check(not missing, f"{what}: the refusal \"{error}\" does not say {missing}")
        return
    check(False, f"{what} is not refused")


def as_text(optimizer):
    return json.dumps(optimizer.state_dict(), default=lambda tensor: tensor.tolist())


def refusals(place):
    net = network()
    gradients = record(CASES[1], 2, 9)
    for kind, options in ((torch.optim.Adagrad, {}), (torch.optim.NAdam, {}), (torch.optim.RMSprop, {"momentum": 0.9})):
        optimizer = kind(net.parameters(), **options)
        refused(kind.__name__, lambda: torch_state.save(optimizer, place.path("state")), kind.__name__)
        refused(kind.__name__, lambda: torch_state.load(optimizer, place.path("state")), kind.__name__)
        replay(optimizer, net, gradients)
        refused(f"{kind.__name__}'s state dict", lambda: torch_state.to_glissade(optimizer.state_dict()))
    sgd = torch.optim.SGD(net.parameters(), **SGD)
    replay(sgd, net, gradients)
    refused("another model's parameters", lambda: torch_state.save(sgd, place.path("state"), network()), "parameter 0")
    sgd.param_groups[0]["momentum"] = 0
    refused("a sleeping buffer", lambda: torch_state.save(sgd, place.path("state"), net), "momentum 0")
    sgd.param_groups[0]["momentum"] = 0.9
    torch_state.save(sgd, place.path("state"), net)
    group = "glissade.group.0."
    for changes, *expected in (
            ({group + "rule": "lion"}, "lion"), ({group + "debias": "true"}, "debias"),
            ({group + "momentum": None}, "momentum"),
            ({group + "defer_threshold": "0x1p-3"}, "defer_threshold"), ({group + "average_weight": "0x1p-3"}, "average"),
            ({group + "decay": "1", group + "weight_decay": "0x1p-3"}, "decoupled"),
            ({group + "nesterov": "true", group + "dampening": "0x1p-3"}, "nesterov"),
            ({group + "first_step": "0", group + "dampening": "0x1p-3"}, "late"), ({"glissade.format": "2"}, "2"),
            ({"glissade.format": None}, "glissade.format"), ({"state.late.residual": torch.ones(3)}, "residual"),
            ({"state.output.bias.momentum_buffer.unit": torch.ones(1)}, "unit"), ({"state.late.master": torch.ones(3)}, "master"),
            ({"state.output.bias.momentum_buffer": torch.ones(4)}, "4 elements", "3"),
            ({"state.output.bias.momentum_buffer": torch.ones(3, dtype=torch.float16)}, "float16", "float32"),
            ({"state.output.bias.momentum_buffer": torch.ones(3, dtype=torch.int8)}, "int8"),
            ({"glissade.tensor.more.group": "0"}, "more"), ({"glissade.tensor.late.group": None}, "late")):
        before = as_text(sgd)
        refused(str(changes), lambda: torch_state.load(sgd, edited(place, changes), net), *expected)
        check(as_text(sgd) == before, f"{changes} changed something")
    for name, expected in (("sgd", "defer_threshold"), ("adam", "average_weight"), ("eight_bit", "lion"), ("halves", "rmsprop"),
                           ("schedule_free", "schedule_free_adamw"), ("nadam_adafactor", "nadam")):
        refused(f"v1_{name}", lambda: torch_state.to_torch(GOLDENS / f"v1_{name}.safetensors", LABELS), expected)
    adam = torch.optim.AdamW(net.parameters())
    refused("SGD's state for AdamW", lambda: torch_state.load(adam, place.path("state"), net), "sgd", "AdamW")
    print("refusals: done")


PARTS = {"trajectories": trajectories, "exactness": exactness, "files": files, "refusals": refusals}


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        place = Workplace(sys.argv[1], folder)
        for part in sys.argv[2:] or PARTS:
            PARTS[part](place)
    print(f"torch {torch.__version__}: {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
