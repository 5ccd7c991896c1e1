#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the table of docs/optimizers.md anew: trains by every optimizer on Fashion-MNIST, with the defaults of
# `glissade train` on one thread, and prints a row of Markdown each: test accuracy in percent, in float and with --bf16
# the mean over the seeds, of the other two columns that of the first seed alone. It takes about a minute an optimizer on
# an idle core, and ten times that for rprop.
#
# Usage: optimizers.sh GLISSADE [OPTIMIZER]...        default: all; SEEDS="1 2 3" in the environment
set -eu
glissade=$1
shift
seeds=${SEEDS:-1 2 3}
if [ $# -eq 0 ]; then
    # The message names them all.
    names=$("$glissade" train --optimizer '?' 2>&1 | sed -e 's/.* it accepts //' -e 's/,//g' -e 's/ or / /') || :
    # shellcheck disable=SC2086 # a list of names
    set -- $names
fi

# accuracy SEEDS ARGUMENT...: mean over the seeds of the test accuracy after the last epoch.
accuracy() {
    chosen=$1
    shift
    for seed in $chosen; do
        "$glissade" train --threads 1 --quiet --seed "$seed" "$@"
    done | awk '/^test accuracy/ { sum += $3; ++count } END { printf "%.2f", sum / count }'
}

rate() {
    "$glissade" train --epochs 1 --synthetic --threads 1 --json --optimizer "$1" 2>/dev/null |
        sed -n 's/.*"learning_rate": \([^,]*\),*$/\1/p'
}

# shellcheck disable=SC2016 # Markdown's backquotes
echo '| optimizer | learning rate | float | `--bf16` | `--clip 1` | `--state q8` |'
echo '|---|---|---|---|---|---|'
for name in "$@"; do
    echo "| $name | $(rate "$name") | $(accuracy "$seeds" --optimizer "$name") |" \
        "$(accuracy "$seeds" --optimizer "$name" --bf16) |" \
        "$(accuracy "${seeds%% *}" --optimizer "$name" --clip 1) |" \
        "$(accuracy "${seeds%% *}" --optimizer "$name" --state q8) |"
done
