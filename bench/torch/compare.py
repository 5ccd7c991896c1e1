#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Glissade's step against PyTorch's, and DeepSpeed's, on the same arrays, in alternating runs.

To run, on a machine that does nothing else:

    pip install torch==2.13.0
    meson setup build --buildtype=release && ninja -C build
    python bench/torch/compare.py build/src/libglissade.so

PyTorch is needed for this script only, never to build or test Glissade. With --deepspeed, DeepSpeed is a contestant, too,
if it can be imported (DS_BUILD_CPU_ADAM=1 DS_ACCELERATOR=cpu pip install --no-build-isolation deepspeed; needs ninja).

Updates: momentum is SGD(momentum=0.9) and adamw AdamW(weight_decay=0.01). NAME-whole is what a loop with a scaled loss does
from backward to backward: unscale, look for what is not finite, clip by the norm, step, zero. Glissade does it in one call;
PyTorch by _amp_foreach_non_finite_check_and_unscale_ (what GradScaler calls), clip_grad_norm_, step and zero_grad.

Contestants: Glissade with state of its own, Glissade with state that PyTorch allocated, and PyTorch's three
implementations (fused, for-each, plain). All of them update the same parameters from the same gradients, all
allocated by PyTorch; each has its own state. First every contestant takes a few steps on copies, and the
results must agree. Then come rounds: in each, every contestant takes its turn, in an order that rotates, of
some untimed steps and some timed ones; so a timed step always follows one of its own kind. (Of a whole update, gradients
are written anew before every step, untimed.) A ratio is the other's time by Glissade's in the same round, so that
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

from binding import Library
from contestants import BYTES, Gradients, contestants

SETTLING = 18  # untimed first steps: PyTorch makes its state, Glissade tries walks
AGREEMENT = 1e-6  # of the largest parameter: a few roundings in each of the few steps


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


def take_step(contestant):
    """Seconds of a step, with what comes before it untimed."""
    if contestant.prepare:
        contestant.prepare()
    start = time.perf_counter()
    contestant.step()
    return time.perf_counter() - start


def disagreement(parameters, factories, steps):
    """Largest difference of any contestant from the first after `steps` steps on copies, relative to the
    largest parameter."""
    expected, worst = None, {}
    for name, factory in factories.items():
        stepped = copies(parameters)
        contestant = factory(stepped)
        for _ in range(steps):
            take_step(contestant)
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
        for _ in range(SETTLING):
            take_step(contestant)
    for turn in range(rounds):
        for i in range(len(names)):
            name = names[(turn + i) % len(names)]
            time.sleep(rest)
            for _ in range(warm):
                take_step(made[name])
            times[name].append(sum(take_step(made[name]) for _ in range(timed)) / timed)
    for contestant in made.values():
        contestant.close()
    return times


def interval(ratios, resamples=4000):
    """95 % bootstrap interval of the median."""
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(resamples))
    return medians[int(0.025 * resamples)], medians[int(0.975 * resamples)]


def summarise(times, elements, bytes_per_element):
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
                "gigabytes_per_second": elements * bytes_per_element / middle / 1e9,
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
    parser.add_argument("--update", choices=BYTES, action="append", help="only this update; may be repeated")
    parser.add_argument("--deepspeed", action="store_true", help="AdamW by DeepSpeed, too, if it can be imported")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args()
    if min(arguments.rounds, arguments.timed) < 1 or min(arguments.warm, arguments.threads) < 0:
        parser.error("rounds and timed must be at least 1, warm and threads at least 0")
    return arguments


def print_context(context):
    for key, value in context.items():
        print(f"{key + ':':20s} {value}", flush=True)


def print_table(result):
    print(f"\n{result['update']}, {result['model']}: {result['tensors']} tensors, {result['elements']:,} parameters")
    print(f"{'':26s}{'ms':>9s}{'GB/s':>8s}{'x glissade':>12s}{'95 % interval':>18s}{'difference':>13s}")
    for row in result["rows"]:
        difference = result["disagreement"].get(row["contestant"], 0.0)
        between = f"{row['ratio_low']:.3f} to {row['ratio_high']:.3f}"
        print(
            f"{row['contestant']:26s}{row['milliseconds']:9.2f}{row['gigabytes_per_second']:8.1f}"
            f"{row['ratio']:12.3f}{between:>18s}{difference:13.1e}",
            flush=True,
        )


def has_deepspeed():
    """Whether it can be imported; what keeps it from that is said, and left out."""
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    try:
        import deepspeed.ops.adam
        import deepspeed.ops.op_builder

        deepspeed.ops.op_builder.CPUAdamBuilder().load()
        return True
    except Exception as error:  # whatever its build may raise
        print(f"compare.py: without DeepSpeed: {type(error).__name__}: {error}", file=sys.stderr)
        return False


def compare(library, engine, model, parameters, update, deepspeed, arguments, rest):
    """All contestants of an update of a model: whether they agree, and how long they take."""
    gradients = Gradients(parameters) if update.endswith("-whole") else None
    factories = contestants(library, engine, update, gradients, deepspeed)
    difference = disagreement(parameters, factories, steps=5)
    times = measure(parameters, factories, arguments.rounds, arguments.warm, arguments.timed, rest)
    if gradients:
        gradients.restore()
    elements = sum(p.numel() for p in parameters)
    result = {"model": model, "update": update, "tensors": len(parameters), "elements": elements}
    return result | {"disagreement": difference, "rows": summarise(times, elements, BYTES[update])}


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
    deepspeed = arguments.deepspeed and has_deepspeed()
    results = []
    for model in arguments.model or MODELS:
        parameters = make_parameters(MODELS[model])
        for update in arguments.update or BYTES:
            results.append(compare(library, engine, model, parameters, update, deepspeed, arguments, rest / 1e3))
            if not arguments.json:
                print_table(results[-1])
    library.calls.glissade_engine_destroy(ctypes.byref(engine))
    if arguments.json:
        json.dump({"context": context, "results": results}, sys.stdout, indent=1)
        print()
    wrong = [(r, n, d) for r in results for n, d in r["disagreement"].items() if not d <= AGREEMENT]
    for result, name, d in wrong:
        what = f"{result['update']}, {result['model']}: {name}"
        print(f"compare.py: {what} differs by {d:.1e} of the largest parameter", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
