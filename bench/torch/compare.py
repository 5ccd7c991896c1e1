#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Glissade's step against torch.optim.SGD(momentum=0.9), on the same arrays, in alternating runs.

To run, on a machine that does nothing else:

    pip install torch==2.13.0
    meson setup build --buildtype=release && ninja -C build
    python bench/torch/compare.py build/src/libglissade.so

PyTorch is needed for this script only, never to build or test Glissade.

Contestants: Glissade with state of its own, Glissade with state that PyTorch allocated, and PyTorch's three
implementations (fused, for-each, plain). All of them update the same parameters from the same gradients, all
allocated by PyTorch; each has its own momentum. First every contestant takes a few steps on copies, and the
results must agree. Then come rounds: in each, every contestant takes its turn, in an order that rotates, of
some untimed steps and some timed ones. A ratio is PyTorch's time by Glissade's in the same round, so that
drift of the machine cancels; the table shows the median over the rounds and a 95 % bootstrap interval of it.

Both sides get the same number of threads. Where both use one OpenMP runtime (PyTorch brings a libgomp.so.1
under that very name, which Glissade then shares) turns follow one another at once. With two runtimes, one
side's waiting threads would spin on the other's CPUs for some milliseconds, so each turn begins with a rest.
"""

import argparse
import ctypes
import json
import os
import platform
import random
import re
import statistics
import sys
import time

import torch

LEARNING_RATE = 1e-6  # the same gradients every step: keeps parameters near where they began
MOMENTUM = 0.9
BYTES_PER_ELEMENT = 20  # read and written by a step with momentum
AGREEMENT = 1e-6  # of the largest parameter: a few roundings in each of the few steps
OK = 0
UNSET = 2**32 - 1


# ------------------------------------------------------------------------------------------------------
# mirrors of the public headers


class Error(ctypes.Structure):
    """glissade_error"""

    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 252)]


class EngineOptions(ctypes.Structure):
    """glissade_engine_options"""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("threads", ctypes.c_uint32),
        ("isa", ctypes.c_int),
        ("pin", ctypes.c_int),
        ("tile", ctypes.c_uint32),
        ("streams", ctypes.c_uint32),
        ("huge_pages", ctypes.c_uint32),
        ("keep_subnormals", ctypes.c_uint32),
        ("verbose", ctypes.c_uint32),
        ("oversubscribe", ctypes.c_bool),
        ("log", ctypes.c_void_p),
        ("log_user", ctypes.c_void_p),
    ]


class EngineInfo(ctypes.Structure):
    """glissade_engine_info"""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("isa", ctypes.c_int),
        ("threads", ctypes.c_uint32),
        ("pus", ctypes.c_uint32),
        ("cores", ctypes.c_uint32),
        ("packages", ctypes.c_uint32),
        ("nodes", ctypes.c_uint32),
        ("cpu_quota", ctypes.c_double),
        ("pin", ctypes.c_int),
        ("pinnable", ctypes.c_bool),
        ("oversubscribed", ctypes.c_bool),
        ("forked", ctypes.c_bool),
        ("tile", ctypes.c_uint32),
        ("streams", ctypes.c_uint32),
        ("huge_pages", ctypes.c_bool),
        ("keep_subnormals", ctypes.c_bool),
        ("verbose", ctypes.c_uint32),
        ("threads_reason", ctypes.c_char_p),
    ]


class Tensor(ctypes.Structure):
    """glissade_tensor"""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("parameter", ctypes.c_void_p),
        ("gradient", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("momentum", ctypes.c_void_p),
    ]


class SgdOptions(ctypes.Structure):
    """glissade_sgd_options"""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("learning_rate", ctypes.c_double),
        ("momentum", ctypes.c_double),
        ("dampening", ctypes.c_double),
        ("weight_decay", ctypes.c_double),
        ("decay", ctypes.c_int),
        ("first_step", ctypes.c_int),
        ("nesterov", ctypes.c_bool),
        ("debias", ctypes.c_bool),
        ("maximize", ctypes.c_bool),
    ]


FIRST_STEP_UNDAMPENED = 1


class Library:
    """libglissade: its calls, with an exception for every status but OK."""

    def __init__(self, path):
        self.calls = calls = ctypes.CDLL(path)
        pointer, handle = ctypes.POINTER, ctypes.c_void_p
        signatures = {
            "glissade_version": (ctypes.c_char_p, []),
            "glissade_status_text": (ctypes.c_char_p, [ctypes.c_int]),
            "glissade_isa_name": (ctypes.c_char_p, [ctypes.c_int]),
            "glissade_engine_options_init": (None, [pointer(EngineOptions), ctypes.c_size_t]),
            "glissade_tensor_init": (None, [pointer(Tensor), ctypes.c_size_t]),
            "glissade_sgd_options_init": (None, [pointer(SgdOptions), ctypes.c_size_t]),
            "glissade_engine_create": (ctypes.c_int, [pointer(EngineOptions), pointer(handle), pointer(Error)]),
            "glissade_engine_get_info": (ctypes.c_int, [handle, pointer(EngineInfo)]),
            "glissade_engine_destroy": (None, [pointer(handle)]),
            "glissade_optimizer_create": (ctypes.c_int, [handle, pointer(handle), pointer(Error)]),
            "glissade_optimizer_destroy": (None, [pointer(handle)]),
            "glissade_optimizer_message": (ctypes.c_char_p, [handle]),
            "glissade_optimizer_add_sgd": (
                ctypes.c_int,
                [handle, pointer(Tensor), ctypes.c_size_t, pointer(SgdOptions), pointer(ctypes.c_uint32)],
            ),
            "glissade_optimizer_step": (ctypes.c_int, [handle, ctypes.c_void_p, ctypes.c_void_p]),
        }
        for name, (result, arguments) in signatures.items():
            getattr(calls, name).restype = result
            getattr(calls, name).argtypes = arguments

    def filled(self, structure, initialiser):
        """A struct with the library's defaults."""
        value = structure()
        getattr(self.calls, initialiser)(ctypes.byref(value), ctypes.sizeof(value))
        if value.size != ctypes.sizeof(value):
            raise RuntimeError(f"{initialiser} does not know a {structure.__name__} of {ctypes.sizeof(value)} bytes")
        return value

    def check(self, status, message):
        """Raises what the library said, unless it said OK."""
        if status != OK:
            text = self.calls.glissade_status_text(status).decode()
            raise RuntimeError(f"{text}: {message.decode()}" if message else text)

    def engine(self, threads):
        """An engine of that many threads, and what it says about itself."""
        options = self.filled(EngineOptions, "glissade_engine_options_init")
        options.threads = threads or UNSET
        engine, error, info = ctypes.c_void_p(), Error(), EngineInfo(size=ctypes.sizeof(EngineInfo))
        status = self.calls.glissade_engine_create(ctypes.byref(options), ctypes.byref(engine), ctypes.byref(error))
        self.check(status, error.message)
        self.check(self.calls.glissade_engine_get_info(engine, ctypes.byref(info)), b"")
        return engine, info


class Glissade:
    """A Glissade optimizer over PyTorch's tensors."""

    def __init__(self, library, engine, parameters, torch_state):
        self.library, self.handle = library, ctypes.c_void_p()
        self.parameters = parameters  # keeps the memory alive
        self.state = [torch.empty_like(p) for p in parameters] if torch_state else None
        error, group = Error(), ctypes.c_uint32()
        status = library.calls.glissade_optimizer_create(engine, ctypes.byref(self.handle), ctypes.byref(error))
        library.check(status, error.message)
        tensors = (Tensor * len(parameters))()
        for i, (tensor, p) in enumerate(zip(tensors, parameters)):
            library.calls.glissade_tensor_init(ctypes.byref(tensor), ctypes.sizeof(tensor))
            tensor.parameter, tensor.gradient, tensor.length = p.data_ptr(), p.grad.data_ptr(), p.numel()
            tensor.momentum = self.state[i].data_ptr() if torch_state else None
        options = library.filled(SgdOptions, "glissade_sgd_options_init")
        options.learning_rate, options.momentum = LEARNING_RATE, MOMENTUM
        options.first_step = FIRST_STEP_UNDAMPENED
        status = library.calls.glissade_optimizer_add_sgd(
            self.handle, tensors, len(parameters), ctypes.byref(options), ctypes.byref(group)
        )
        library.check(status, library.calls.glissade_optimizer_message(self.handle))

    def step(self):
        """One step over all tensors."""
        status = self.library.calls.glissade_optimizer_step(self.handle, None, None)
        if status != OK:
            self.library.check(status, self.library.calls.glissade_optimizer_message(self.handle))

    def close(self):
        """Frees the optimizer and its state."""
        self.library.calls.glissade_optimizer_destroy(ctypes.byref(self.handle))


class Torch:
    """torch.optim.SGD in one of its implementations."""

    def __init__(self, parameters, **implementation):
        self.optimizer = torch.optim.SGD(parameters, lr=LEARNING_RATE, momentum=MOMENTUM, **implementation)
        self.step = self.optimizer.step

    def close(self):
        """Drops the state."""
        self.step = self.optimizer = None


def contestants(library, engine):
    """Name of each contestant, and what makes it from a list of parameters."""
    return {
        "glissade": lambda parameters: Glissade(library, engine, parameters, torch_state=False),
        "glissade, torch's memory": lambda parameters: Glissade(library, engine, parameters, torch_state=True),
        "torch fused": lambda parameters: Torch(parameters, fused=True),
        "torch for-each": lambda parameters: Torch(parameters, foreach=True),
        "torch plain": lambda parameters: Torch(parameters, foreach=False, fused=False),
    }


# -----------------------------------------------------------------------------------------------------
# the arrays


def gpt2_shapes():
    """The 148 tensors of GPT-2 124M."""
    shapes = [(50257, 768), (1024, 768)]
    for _ in range(12):
        shapes += [(768,), (768,), (768, 2304), (2304,), (768, 768), (768,)]
        shapes += [(768,), (768,), (768, 3072), (3072,), (3072, 768), (768,)]
    return shapes + [(768,), (768,)]


MODELS = {"gpt2-124m": gpt2_shapes(), "10000x1000": [(1000,)] * 10_000}


def make_parameters(shapes):
    """Parameters with gradients, the same ones in every run."""
    generator = torch.Generator().manual_seed(1)
    parameters = []
    for shape in shapes:
        p = torch.nn.Parameter(torch.randn(shape, generator=generator) * 0.02)
        p.grad = torch.randn(shape, generator=generator)
        parameters.append(p)
    return parameters


def copies(parameters):
    """Parameters of their own memory, with the same gradients."""
    result = []
    for p in parameters:
        copy = torch.nn.Parameter(p.detach().clone())
        copy.grad = p.grad
        result.append(copy)
    return result


def disagreement(parameters, factories, steps):
    """Largest difference of any contestant from the first after `steps` steps on copies, relative to the
    largest parameter."""
    expected, worst = None, {}
    for name, factory in factories.items():
        stepped = copies(parameters)
        contestant = factory(stepped)
        for _ in range(steps):
            contestant.step()
        contestant.close()
        if expected is None:
            expected = stepped
            largest = max(p.detach().abs().max().item() for p in stepped)
            moved = max((a - b).detach().abs().max().item() for a, b in zip(stepped, parameters))
            if not moved > 0:
                raise RuntimeError(f"{name}: the steps changed nothing")
        else:
            difference = max((a - b).detach().abs().max().item() for a, b in zip(stepped, expected))
            worst[name] = difference / largest
    return worst


# -------------------------------------------------------------------------------------------------------
# measuring


def measure(parameters, factories, rounds, warm, timed, rest):
    """Seconds per step of every contestant in every round."""
    made = {name: factory(parameters) for name, factory in factories.items()}
    names, times = list(made), {name: [] for name in made}
    for contestant in made.values():
        contestant.step()  # creates PyTorch's state, outside the clock
    for turn in range(rounds):
        for i in range(len(names)):
            name = names[(turn + i) % len(names)]
            step = made[name].step
            time.sleep(rest)
            for _ in range(warm):
                step()
            start = time.perf_counter()
            for _ in range(timed):
                step()
            times[name].append((time.perf_counter() - start) / timed)
    for contestant in made.values():
        contestant.close()
    return times


def interval(ratios, resamples=4000):
    """95 % bootstrap interval of the median."""
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(resamples))
    return medians[int(0.025 * resamples)], medians[int(0.975 * resamples)]


def summarise(times, elements):
    """Per contestant: median time, bandwidth, and its ratio to Glissade's with an interval."""
    rows = []
    for name, seconds in times.items():
        ratios = [theirs / ours for theirs, ours in zip(seconds, times["glissade"])]
        middle = statistics.median(seconds)
        low, high = interval(ratios)
        rows.append(
            {
                "contestant": name,
                "milliseconds": middle * 1e3,
                "gigabytes_per_second": elements * BYTES_PER_ELEMENT / middle / 1e9,
                "ratio": statistics.median(ratios),
                "ratio_low": low,
                "ratio_high": high,
                "seconds": seconds,
            }
        )
    return rows


def openmp_runtimes():
    """The OpenMP runtimes loaded into this process, by file name."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        paths = {match[0] for match in re.findall(r"(/\S*lib(gomp|omp|iomp5)[^/\s]*)$", maps.read(), re.MULTILINE)}
    return sorted(map(os.path.basename, paths))


def cpu_name():
    """The CPU's name as the kernel gives it."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = re.findall(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
    return names[0] if names else platform.machine()


def parse_arguments():
    parser = argparse.ArgumentParser(description="Glissade's step against PyTorch's, on the same arrays.")
    parser.add_argument("library", help="path of libglissade.so")
    parser.add_argument("--threads", type=int, default=0, help="threads of both sides (default: Glissade's choice)")
    parser.add_argument("--rounds", type=int, default=40, help="rounds of alternating turns (default: 40)")
    parser.add_argument("--warm", type=int, default=1, help="untimed steps that begin a turn (default: 1)")
    parser.add_argument("--timed", type=int, default=1, help="timed steps of a turn (default: 1)")
    parser.add_argument("--rest", type=float, help="milliseconds of rest before a turn (default: 50 if needed)")
    parser.add_argument("--model", choices=MODELS, action="append", help="only this model; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args()
    if min(arguments.rounds, arguments.timed) < 1 or min(arguments.warm, arguments.threads) < 0:
        parser.error("rounds and timed must be at least 1, warm and threads at least 0")
    return arguments


def print_context(context):
    for key, value in context.items():
        print(f"{key + ':':20s} {value}", flush=True)


def print_table(result):
    print(f"\n{result['model']}: {result['tensors']} tensors, {result['elements']:,} parameters")
    print(f"{'':26s}{'ms':>9s}{'GB/s':>8s}{'x glissade':>12s}{'95 % interval':>18s}{'difference':>13s}")
    for row in result["rows"]:
        difference = result["disagreement"].get(row["contestant"], 0.0)
        between = f"{row['ratio_low']:.3f} to {row['ratio_high']:.3f}"
        print(
            f"{row['contestant']:26s}{row['milliseconds']:9.2f}{row['gigabytes_per_second']:8.1f}"
            f"{row['ratio']:12.3f}{between:>18s}{difference:13.1e}",
            flush=True,
        )


def main():
    arguments = parse_arguments()
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"warning: load average {load:.2f}; the machine should be idle", file=sys.stderr)
    library = Library(arguments.library)
    engine, info = library.engine(arguments.threads)
    torch.set_num_threads(info.threads)
    runtimes = openmp_runtimes()
    rest = arguments.rest if arguments.rest is not None else 50.0 if len(runtimes) > 1 else 0.0
    context = {
        "load average": load,
        "cpu": cpu_name(),
        "glissade": f"{library.calls.glissade_version().decode()}, {library.calls.glissade_isa_name(info.isa).decode()}",
        "torch": f"{torch.__version__}, {torch.backends.cpu.get_cpu_capability()}",
        "threads": f"{info.threads} ({info.threads_reason.decode()})",
        "OpenMP runtimes": ", ".join(runtimes),
        "turns": f"{arguments.rounds} rounds of {arguments.warm} + {arguments.timed} steps, {rest:g} ms rest",
    }
    if not arguments.json:
        print_context(context)
    results = []
    for model in arguments.model or MODELS:
        parameters = make_parameters(MODELS[model])
        factories = contestants(library, engine)
        difference = disagreement(parameters, factories, steps=5)
        times = measure(parameters, factories, arguments.rounds, arguments.warm, arguments.timed, rest / 1e3)
        elements = sum(p.numel() for p in parameters)
        result = {"model": model, "tensors": len(parameters), "elements": elements}
        result |= {"disagreement": difference, "rows": summarise(times, elements)}
        results.append(result)
        if not arguments.json:
            print_table(result)
    library.calls.glissade_engine_destroy(ctypes.byref(engine))
    if arguments.json:
        json.dump({"context": context, "results": results}, sys.stdout, indent=1)
        print()
    wrong = [(r["model"], n, d) for r in results for n, d in r["disagreement"].items() if not d <= AGREEMENT]
    for model, name, d in wrong:
        print(f"compare.py: {model}: {name} differs by {d:.1e} of the largest parameter", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
