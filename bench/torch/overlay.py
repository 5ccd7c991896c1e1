#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loss curves of Glissade and of torch.optim.SGD, from the same weights on the same batches, over each other.

    pip install torch==2.13.0 numpy
    meson setup build && ninja -C build
    python bench/torch/overlay.py --glissade build/cli/glissade

`glissade study trace` trains a network and records weights, batches and losses. Here PyTorch trains the same
network on the same batches: float32, one thread, torch.optim.SGD as it comes. Nothing is handed over but the
initial weights and the numbers of the images; the images are read from Fashion-MNIST's files on both sides.
A relative difference is that of the two losses of a step, by PyTorch's.

The two sides add up in other orders, so their roundings differ by some 1e-7. Sooner or later, with larger rates
sooner, some ReLU's input is that close to zero and falls on different sides; from then on the two are different
runs, and where training is not stable they part. How much of that is float32's own, PyTorch tells: it also trains
in double precision, and its float32 losses are compared with those.

Writes overlay.csv, overlay-summary.csv and, with gnuplot, overlay.svg. With --seeds, the summary has the runs of
every seed, the other two those of the first. How many runs agree, and which do not, is printed and heads the summary.
Exits with 1 where any run's difference within the first 100 steps exceeds --limit, whether or not PyTorch's float32
parts from its double there.
"""

import argparse
import gzip
import itertools
import json
import pathlib
import string
import subprocess
import sys
import tempfile

import numpy
import torch

NETWORKS = ["small-mlp", "conv"]
ARMS = ["plain", "heavy-ball", "undampened", "nesterov"]
FIRST = 100  # steps that --limit is about
COLUMNS = ["network", "arm", "step", "loss_glissade", "loss_torch", "loss_torch_double", "relative_difference"]


def read_idx(folder, name):
    """The array of an idx file of bytes, plain or compressed."""
    path = folder / name
    data = path.read_bytes() if path.exists() else gzip.decompress((folder / (name + ".gz")).read_bytes())
    shape = numpy.frombuffer(data, ">u4", data[3], offset=4)
    return numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * data[3]).reshape(shape)


def record_trace(arguments, network, arm, seed, folder):
    """Has glissade train and record; returns what trace.json holds, and the recorded arrays."""
    command = [arguments.glissade, "study", "trace", "--quiet", "--force", "--network", network, "--arm", arm]
    command += ["--seed", str(seed)]
    for option in ["momentum", "rate", "batch-size", "steps", "data"]:
        command += [f"--{option}", str(getattr(arguments, option.replace("-", "_")))]
    try:
        subprocess.run(command + ["--output", str(folder)], check=True)
    except (OSError, subprocess.CalledProcessError) as error:  # glissade has said why
        sys.exit(f"overlay.py: {error}" if isinstance(error, OSError) else error.returncode)
    trace = json.loads((folder / "trace.json").read_text())
    trace["batches"] = numpy.fromfile(folder / "batches.bin", "<u4").reshape(trace["steps"], -1).astype(int)
    trace["losses"] = numpy.loadtxt(folder / "losses.csv", delimiter=",", skiprows=4, ndmin=2)[:, 1]
    for name in ["weights", "weights-after"]:
        trace[name] = numpy.fromfile(folder / f"{name}.bin", "<f4")
    return trace


def build_network(layers, weights):
    """The network with these weights. Theirs are kernel row, kernel column, input channel, output channel."""
    modules, weights = [], torch.from_numpy(weights)
    for layer in layers:
        side, _, inputs, outputs = layer["weight"]
        length = side * side * inputs * outputs
        kernel, bias = weights[:length].reshape(layer["weight"]), weights[length : length + outputs]
        weights = weights[length + outputs :]
        kernel = kernel.permute(3, 2, 0, 1)
        if layer["kind"] == "dense":
            # Flatten goes through channel, row, column; so must the weights.
            kernel = kernel.flatten(1)
            modules += [torch.nn.Flatten(), torch.nn.Linear(kernel.shape[1], outputs)]
        else:
            modules.append(torch.nn.Conv2d(inputs, outputs, side, layer["stride"]))
        with torch.no_grad():
            modules[-1].weight.copy_(kernel)
            modules[-1].bias.copy_(bias)
        modules += [torch.nn.ReLU()] if layer["relu"] else []
    return torch.nn.Sequential(*modules)


def list_weights(layers, model):
    """The network's parameters in the order of weights.bin."""
    parts, parameters = [], model.parameters()
    for layer in layers:
        side, _, inputs, outputs = layer["weight"]
        kernel = next(parameters).detach().reshape(outputs, inputs, side, side)
        parts += [kernel.permute(2, 3, 1, 0).flatten(), next(parameters).detach()]
    return torch.cat(parts)


def train(trace, images, labels, dtype):
    """Repeats a trace by torch.optim.SGD; returns the losses and the final parameters."""
    options, layers = trace["optimizer"], trace["network"]["layers"]
    model = build_network(layers, trace["weights"]).to(dtype)
    names = ["momentum", "dampening", "nesterov"]
    optimizer = torch.optim.SGD(model.parameters(), options["learning_rate"], **{name: options[name] for name in names})
    losses = []
    for batch in trace["batches"]:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images[batch].to(dtype)), labels[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return numpy.array(losses), list_weights(layers, model).double().numpy()


def difference(values, reference):
    """Relative, element by element; equal values that are not finite do not differ."""
    with numpy.errstate(invalid="ignore", divide="ignore"):
        relative = numpy.abs(values - reference) / numpy.abs(reference)
    same = (values == reference) | (numpy.isnan(values) & numpy.isnan(reference))
    return numpy.where(same, 0.0, numpy.where(numpy.isnan(relative), numpy.inf, relative))


def compare(trace, pixels, labels):
    """Trains twice by PyTorch; returns the columns of overlay.csv and a line of the summary."""
    scale, shift = (numpy.float32(trace["pixel"][name]) for name in ["scale", "shift"])
    images = torch.from_numpy(scale * pixels.astype(numpy.float32) + shift).unsqueeze(1)
    ours, options = trace["losses"], trace["optimizer"]
    theirs, parameters = train(trace, images, labels, torch.float32)
    double, _ = train(trace, images, labels, torch.float64)
    differences = {
        "relative_difference": difference(ours, theirs),
        "torch_from_double": difference(theirs, double),
        "glissade_from_double": difference(ours, double),
    }
    row = {"network": trace["network"]["name"], "arm": options["arm"]}
    row |= {name: options[name] for name in ["learning_rate", "momentum", "dampening"]}
    row |= {name: trace[name] for name in ["batch_size", "seed", "steps"]}
    row |= {f"max_{name}_{FIRST}": values[:FIRST].max() for name, values in differences.items()}
    row |= {f"max_{name}": values.max() for name, values in differences.items()}
    distance = numpy.abs(trace["weights-after"] - parameters).max()
    row["parameters_difference_after"] = distance / numpy.abs(parameters).max()
    row |= {"torch": torch.__version__, "glissade": trace["version"]}
    return (ours, theirs, double, differences["relative_difference"]), row


def tell(summary, limit):
    """How many runs agree within the first steps and which do not, as lines."""
    lines = []
    for name, title in [("relative_difference", "Glissade from PyTorch"),
                        ("torch_from_double", "PyTorch from its double"),
                        ("glissade_from_double", "Glissade from PyTorch's double")]:
        runs = [(line[f"max_{name}_{FIRST}"], line) for line in summary]
        within = [value for value, _ in runs if value <= limit]
        line = f"{title}: {len(within)} of {len(runs)} runs within {limit:g} for {min(FIRST, summary[0]['steps'])} steps"
        line += f", largest of them {max(within):.1e}" if within else ""
        beyond = [f"{run['network']} {run['arm']} seed {run['seed']} ({value:.1e})" for value, run in runs
                  if not value <= limit]
        lines.append(line + (f"; beyond: {', '.join(beyond)}" if beyond else ""))
    return lines


def write_table(path, heading, columns, rows):
    def write(value):
        return f"{value:.9g}" if isinstance(value, float) else str(value)

    lines = [f"# {line}" for line in heading] + [",".join(columns)] + [",".join(map(write, row)) for row in rows]
    path.write_text("\n".join(lines) + "\n")


# A grey and colours that read on white and on GitHub's dark background alike, from cli/study/figure.c.
FIGURE = string.Template(r"""
set terminal svg size 900,840 fixed enhanced font 'sans-serif,13'
set output 'overlay.svg'
ink = '#7b7b7b'; ghost = '#c07b7b7b'
set style line 1 linecolor rgb '#2384c8' linewidth 1.5
set style line 2 linecolor rgb '#d55e00' linewidth 1.5 pointtype 6 pointsize 0.65
set style line 3 linecolor rgb '#009e73' linewidth 1 dashtype (5,3)
set border 3 linecolor rgb ink
set tics nomirror scale 0.6 textcolor rgb ink
set grid linetype -1 linewidth 0.75 linecolor rgb ghost
set key noopaque textcolor rgb ink samplen 1.5 font ',11' Left reverse
unset mytics
set datafile separator comma
set datafile columnheaders
arms = '$arms'; networks = '$networks'; steps = $steps; interval = $interval
of_panel(value) = strcol('network') eq network && strcol('arm') eq arm ? value : NaN
every_so_often(value) = (int(column('step')) - 1) % interval == 0 ? of_panel(value) : NaN
shown(value) = of_panel(value < 1.1e-9 ? 1.1e-9 : value)
difference(from, to) = column(from) == column(to) ? 0 : abs(column(from) / column(to) - 1)
set xrange [0:steps]
set xtics steps > 150 ? ceil(steps / 300.0) * 100 : ceil(steps / 4.0)
set multiplot layout 2 * words(networks),words(arms) columnsfirst \
  margins 0.085,0.985,0.07,0.885 spacing 0.04,0.035 title \
  "{/:Bold Glissade and torch.optim.SGD (PyTorch $torch), same weights and batches}\n{/=12 $settings}" \
  font ',15' textcolor rgb ink
do for [i = 1:words(arms)] {
  arm = word(arms, i)
  set title arm offset 0,-0.6 textcolor rgb ink
  unset logscale y
  set ytics 0,1
  set yrange [0:$top]
  set format x ''; unset xlabel
  do for [j = 1:words(networks)] {
    network = word(networks, j)
    if (i == 1) {
      set format y '%g'; set ylabel network.': loss' offset 0.5,0 textcolor rgb ink
    } else { set format y ''; unset ylabel }
    if (i == 2 && j == 1) { set key top right } else { unset key }
    plot 'overlay.csv' using 'step':(of_panel(column('loss_glissade'))) with lines ls 1 title 'Glissade', \
      '' using 'step':(every_so_often(column('loss_torch'))) with points ls 2 title 'PyTorch'
    unset title
  }
  set logscale y
  set yrange [1e-9:10]
  set ytics 1e-8,100
  do for [j = 1:words(networks)] {
    network = word(networks, j)
    if (i == 1) {
      set format y '10^{%T}'; set ylabel network.': difference' offset 0.5,0 textcolor rgb ink
    } else { set format y ''; unset ylabel }
    if (j == words(networks)) { set format x '%g'; set xlabel 'step' offset 0,0.4 textcolor rgb ink }
    if (i == 2 && j == 1) { set key top left } else { unset key }
    plot $limit with lines linecolor rgb ink dashtype (2,3) notitle, \
      'overlay.csv' using 'step':(shown(column('relative_difference'))) with lines ls 1 title 'Glissade to PyTorch', \
      '' using 'step':(shown(difference('loss_torch', 'loss_torch_double'))) with lines ls 3 \
      title 'PyTorch to its double'
  }
}
unset multiplot
""")


def draw(arguments, rows):
    """overlay.svg out of overlay.csv."""
    settings = f"effective rate {arguments.rate:g}, momentum {arguments.momentum:g}, batches of {arguments.batch_size};"
    settings += f" losses of single batches; below: their relative difference, dotted the limit {arguments.limit:g}"
    losses = [loss for row in rows for loss in row[3:5] if numpy.isfinite(loss)]
    script = FIGURE.substitute(
        arms=" ".join(ARMS),
        networks=" ".join(NETWORKS),
        steps=arguments.steps,
        interval=max(1, arguments.steps // 25),
        top=min(1.05 * max(losses), 5.0),
        torch=torch.__version__.split("+")[0],
        settings=settings,
        limit=arguments.limit,
    )
    try:
        subprocess.run(["gnuplot", "-d"], input=script, text=True, cwd=arguments.output, check=True)
    except FileNotFoundError:
        print("overlay.py: note: gnuplot is not installed; tables are written, the figure is not", file=sys.stderr)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Loss curves of Glissade and of torch.optim.SGD over each other.")
    parser.add_argument("--glissade", required=True, help="path of the glissade command")
    parser.add_argument("--steps", type=int, default=100, help="of every run (default: 100)")
    parser.add_argument("--rate", type=float, default=0.125, help="effective rate, see cli/study/arms.h (default: 0.125)")
    parser.add_argument("--momentum", type=float, default=0.9, help="of all arms but plain (default: 0.9)")
    parser.add_argument("--batch-size", type=int, default=64, help="images per step (default: 64)")
    parser.add_argument("--seed", type=int, default=1, help="of weights and order (default: 1)")
    parser.add_argument("--seeds", type=int, default=1, help="how many, counted from --seed (default: 1)")
    parser.add_argument("--limit", type=float, default=1e-4, help="of the relative difference (default: 1e-4)")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist", help="folder of the idx files")
    parser.add_argument("--output", default="overlay", help="folder of what is written (default: overlay)")
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error("--seeds must be at least 1")
    return arguments


def main():
    arguments = parse_arguments()
    torch.set_num_threads(1)
    data, output = pathlib.Path(arguments.data), pathlib.Path(arguments.output)
    try:
        pixels = read_idx(data, "train-images-idx3-ubyte")
        labels = torch.from_numpy(read_idx(data, "train-labels-idx1-ubyte").astype(int))
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"overlay.py: {error}")
    rows, summary = [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.seed, arguments.seed + arguments.seeds):
            for network, arm in itertools.product(NETWORKS, ARMS):
                trace = record_trace(arguments, network, arm, seed, pathlib.Path(folder))
                columns, line = compare(trace, pixels, labels)
                if seed == arguments.seed:
                    rows += [(network, arm, step, *values) for step, values in enumerate(zip(*columns), 1)]
                summary.append(line)
                print(f"seed {seed} {network:10s} {arm:11s} largest relative difference of the loss:"
                      f" {line[f'max_relative_difference_{FIRST}']:.1e} in {min(FIRST, arguments.steps)} steps,"
                      f" {line['max_relative_difference']:.1e} in {arguments.steps}", flush=True)
    heading = [f"bench/torch/overlay.py: torch.optim.SGD of PyTorch {torch.__version__} and Glissade {trace['version']}",
               "relative differences are those of the full numbers, of which the losses here show nine digits"]
    write_table(output / "overlay.csv", heading, COLUMNS, rows)
    told = tell(summary, arguments.limit)
    write_table(output / "overlay-summary.csv", heading[:1] + told, summary[0], [line.values() for line in summary])
    print("\n".join(told))
    draw(arguments, rows)
    return 0 if all(line[f"max_relative_difference_{FIRST}"] <= arguments.limit for line in summary) else 1


if __name__ == "__main__":
    sys.exit(main())
