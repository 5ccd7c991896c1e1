#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The `glissade` command from outside: exit codes, one-line errors, JSON, data files good and bad. Prints TAP.
# Needs nothing beyond a POSIX shell, awk and gzip, and must not need Fashion-MNIST: it writes its own idx files.
#
# Usage: run.sh PATH-OF-GLISSADE

# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"

# is_json DESCRIPTION: stdout holds one JSON object and nothing else. A small parser: strings become "s", the
# other scalars "v", then objects and arrays of scalars fold until one object is left.
is_json() {
    awk '
        { text = text $0 "\n" }
        END {
            gsub(/"([^"\\\n]|\\["\\\/bfnrt]|\\u[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F])*"/, "s", text)
            gsub(/-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?|true|false|null/, "v", text)
            gsub(/[ \n]/, "", text)
            do {
                before = text
                gsub(/\[([svao](,[svao])*)?\]/, "a", text)
                gsub(/\{(s:[svao](,s:[svao])*)?\}/, "o", text)
            } while (text != before)
            exit text != "o"
        }' "$out"
    ok $? "$1"
}

# ---- data files ----

# good_folder NAME: a folder of 40 training and 20 test images.
good_folder() {
    mkdir "$folder/$1"
    cp "$folder"/original/* "$folder/$1"
}

data_folder original

# damaged NAME FILE TEXT DESCRIPTION: trains on folder NAME, whose FILE has been damaged, and expects a message
# that names the file and holds TEXT.
damaged() {
    fails 2 "$3" "$4" train --epochs 1 --data "$folder/$1"
    grep -qF -e "$folder/$1/$2" "$err"
    ok $? "  and its message names the file"
}

test_usage() {
    succeeds 'help' --help
    prints 'Usage: glissade COMMAND' 'help says how it is used'
    succeeds 'version' --version
    for command in info train bench; do
        succeeds "$command: help" "$command" --help
        prints "Usage: glissade $command" "$command: help names the command"
        succeeds "$command: version" "$command" --version
        prints 'glissade ' "$command: version is printed"
        fails 2 "'--nonsense'" "$command: an unknown option" "$command" --nonsense
        fails 2 "'-x'" "$command: an unknown short option" "$command" -x
        fails 2 "'word'" "$command: an unexpected argument" "$command" word
        fails 2 "takes no value" "$command: a flag with a value" "$command" --json=1
    done
    succeeds 'train --help says how the cores are shared' train --help
    prints 'Cores: ' '  in a paragraph of its own'
    fails 2 'no command' 'no command'
    fails 2 "'dance'" 'an unknown command' dance
    fails 2 "a?b" 'a line break in an argument does not break the message' "$(printf 'a\nb')"
}

test_numbers() {
    for value in '' x 0 -1 +1 ' 1' 1.5 1e3 0x10 1000001 99999999999999999999999; do
        fails 2 "'--batch-size' cannot be '$value'; it accepts" "train: batch size '$value'" \
            train --batch-size "$value"
    done
    for value in '' x nan inf -0.1 1 1.5 0x0.1 1e999 0.5x; do
        fails 2 "'--momentum' cannot be '$value'; it accepts" "train: momentum '$value'" train --momentum "$value"
    done
    fails 2 'needs a value' 'train: an option without its value' train --seed
    fails 2 "'--target' cannot be '1.1'" 'train: a target above 1' train --target 1.1
    fails 2 "'--learning-rate' cannot be '-1'" 'train: a negative learning rate' train --learning-rate -1
    fails 2 "'--repetitions' cannot be '0'" 'bench: no repetitions' bench --repetitions 0
    fails 2 "exclude" 'train: --debias with --no-debias' train --debias --no-debias
    fails 2 "exclude" 'train: --data with --synthetic' train --data . --synthetic
    fails 2 "'--data' cannot be ''" 'train: an empty folder name' train --data ''
    fails 2 "'--variables' cannot be 'yaml'" 'info: an unknown format' info --variables yaml
}

test_info() {
    succeeds 'info' info
    prints 'chosen' 'info shows the chosen instruction set'
    prints 'GLISSADE_THREADS' 'info lists the variables'
    succeeds 'info --json' info --json
    is_json 'info --json prints one JSON document'
    succeeds 'info --variables markdown' info --variables markdown
    # shellcheck disable=SC2016 # Markdown's backquotes
    prints '| `GLISSADE_THREADS` |' 'the Markdown table has the variables'
    GLISSADE_THREADS=many
    export GLISSADE_THREADS
    fails 2 'GLISSADE_THREADS' 'a variable with a value that cannot be used' info
    succeeds 'the table of variables needs no usable environment' info --variables markdown
    GLISSADE_THREADS=1000000
    fails 2 '1000000' 'more threads than there are' info
    GLISSADE_THREADS=1
    succeeds 'info with one thread' info
    prints 'GLISSADE_THREADS = 1 (environment)' 'info shows where a setting came from'
    unset GLISSADE_THREADS
    GLISSADE_THREAD=1
    export GLISSADE_THREAD
    fails 2 'GLISSADE_THREAD' 'a variable that does not exist' info
    unset GLISSADE_THREAD
    fails 2 '1000000' 'train: more threads than there are' train --threads 1000000 --data "$folder/original"
}

test_training() {
    succeeds 'train on idx files' train --epochs 2 --data "$folder/original"
    prints 'cores: ' 'train says how the cores are shared'
    [ ! -s "$err" ]
    ok $? 'train draws no progress bar in a pipe'
    good_folder plain
    gunzip "$folder"/plain/*.gz
    succeeds 'train on idx files that are not compressed' train --epochs 1 --data "$folder/plain"
    succeeds 'train --json' train --epochs 2 --json --data "$folder/original"
    is_json 'train --json prints one JSON document'
    prints '"data": "idx"' 'the document says that the data are read'
    grep -v -e seconds -e step_share "$out" >"$folder/first"
    run train --epochs 2 --json --data "$folder/original"
    grep -v -e seconds -e step_share "$out" >"$folder/second"
    cmp -s "$folder/first" "$folder/second"
    ok $? 'the same seed gives the same numbers'
    run train --epochs 2 --seed 2 --json --data "$folder/original"
    grep -v -e seconds -e step_share -e '"seed"' "$out" >"$folder/second"
    grep -v '"seed"' "$folder/first" | cmp -s - "$folder/second"
    [ $? -eq 1 ]
    ok $? 'another seed gives other numbers'
    succeeds 'train --quiet' train --epochs 1 --quiet --data "$folder/original"
    [ "$(wc -l <"$out")" -eq 1 ] && [ ! -s "$err" ]
    ok $? 'train --quiet prints one line'
    for rule in '--momentum 0' '--no-debias' '--nesterov' '--dampening 0' '--no-debias --nesterov --dampening 0' \
        '--weight-decay 0.001' '--learning-rate 0' '--batch-size 1' '--batch-size 1000' '--threads 1'; do
        # shellcheck disable=SC2086 # the rule is several arguments
        succeeds "train $rule" train --epochs 1 $rule --data "$folder/original"
    done
    fails 2 'debias' 'train: debiasing without momentum' train --debias --momentum 0 --data "$folder/original"
    fails 2 'esterov' 'train: Nesterov without momentum' train --nesterov --momentum 0 --data "$folder/original"
    run train --epochs 1 --quiet --target 1 --learning-rate 0 --data "$folder/original"
    [ "$code" -eq 1 ] && grep -q '^glissade: train: no epoch reached the target' "$err"
    ok $? 'a target that is missed'
    succeeds 'a target that is met' train --epochs 1 --target 0.0 --data "$folder/original"
    run train --epochs 2 --quiet --learning-rate 1e30 --data "$folder/original"
    [ "$code" -eq 1 ] && grep -q '^glissade: train: the loss is no longer finite' "$err"
    ok $? 'a loss that is no longer finite'
    if [ -w /dev/full ]; then
        "$glissade" info >/dev/full 2>"$err"
        [ $? -eq 1 ] && grep -q '^glissade: cannot write' "$err"
        ok $? 'output that cannot be written'
    fi
}

# learns DESCRIPTION ARGUMENT...: the loss falls while the synthetic set is trained on.
learns() {
    description=$1
    shift
    run train --synthetic --threads 1 --epochs 2 --json "$@"
    [ "$code" -eq 0 ] && awk '
        /"train_loss"/ { sub(",", "", $2); loss = $2; if (!seen++) before = loss }
        END { exit !(seen == 2 && loss < 0.9 * before) }' "$out"
    ok $? "$description"
}

test_optimizers() {
    fails 2 "'--optimizer' cannot be 'newton'; it accepts sgd, adam," 'train: an optimizer that there is not' \
        train --optimizer newton
    # The message names them all.
    optimizers=$(sed -e 's/.* it accepts //' -e 's/,//g' -e 's/ or / /' "$err")
    for optimizer in $optimizers; do
        learns "train --optimizer $optimizer" --optimizer "$optimizer"
        prints "\"optimizer\": \"$optimizer\"" '  and the document names it'
        learns "train --optimizer $optimizer --bf16" --optimizer "$optimizer" --bf16 --clip 1
    done
    [ "$(echo "$optimizers" | wc -w)" -ge 21 ]
    ok $? 'there are 21 optimizers'
    for state in bf16 bf16-stochastic q8; do
        for optimizer in sgd adam schedule-free-adamw adafactor rprop asgd; do
            learns "train --optimizer $optimizer --state $state" --optimizer $optimizer --state $state
        done
    done
    for schedule in linear constant cosine one-cycle wsd; do
        learns "train --schedule $schedule" --schedule $schedule --warm-up 20
        run train --epochs 1 --schedule $schedule --optimizer adam --data "$folder/original"
        prints 'rule: Adam, learning rate ' '  and the heading says what is done'
    done
    learns 'train --optimizer adam with its numbers' --optimizer adam --momentum 0.8 --beta2 0.99 --eps 1e-6 \
        --weight-decay 0.001 --batch-size 100
    succeeds 'train --clip, --bf16 and --state' train --epochs 1 --clip 0.5 --bf16 --state q8 \
        --data "$folder/original"
    prints 'clipped to the norm 0.5; bf16 parameters with a split master, bf16 gradients; state q8' \
        '  and the heading says so'
}

test_optimizer_options() {
    fails 2 "'--schedule' cannot be 'step'; it accepts linear, constant, cosine, one-cycle or wsd" \
        'train: a schedule that there is not' train --schedule step
    fails 2 "'--state' cannot be 'f16'; it accepts full, bf16, bf16-stochastic or q8" \
        'train: a format of state that there is not' train --state f16
    for value in '' x -1 nan inf 1e999; do
        fails 2 "'--clip' cannot be '$value'; it accepts" "train: clip '$value'" train --clip "$value"
        fails 2 "'--eps' cannot be '$value'; it accepts" "train: eps '$value'" train --eps "$value"
    done
    fails 2 "'--beta2' cannot be '1'" 'train: a beta2 of 1' train --optimizer adam --beta2 1
    fails 2 "'--warm-up' cannot be '0.5'" 'train: a warm-up of half a step' train --warm-up 0.5
    fails 2 'takes no value' 'train: --bf16 with a value' train --bf16=1
    fails 2 'needs a value' 'train: --optimizer without one' train --optimizer
    for option in '--nesterov' '--debias' '--no-debias' '--dampening 0.5'; do
        # shellcheck disable=SC2086 # an option and its value
        fails 2 "'${option%% *}' cannot be used with '--optimizer adam'" "train: $option is sgd's" \
            train --optimizer adam $option
    done
    fails 2 "'--momentum' cannot be used with '--optimizer adagrad'" 'train: momentum where there is none' \
        train --optimizer adagrad --momentum 0.9
    fails 2 "'--beta2' cannot be used with '--optimizer sgd'" 'train: beta2 where there is none' \
        train --beta2 0.9
    fails 2 "'--eps' cannot be used with '--optimizer lion'" 'train: eps where there is none' \
        train --optimizer lion --eps 0
    fails 2 'beta is 0' 'train: a momentum that the library refuses' \
        train --optimizer schedule-free-sgd --momentum 0 --data "$folder/original"
    run train --epochs 2 --quiet --learning-rate 1e30 --optimizer lamb --bf16 --data "$folder/original"
    [ "$code" -eq 1 ] && grep -q '^glissade: train: the loss is no longer finite' "$err"
    ok $? 'a loss that is no longer finite, in bf16'
    numbers='train --epochs 2 --json --optimizer adamw --bf16 --state bf16-stochastic'
    # shellcheck disable=SC2086 # the arguments of a command
    run $numbers --data "$folder/original"
    grep -v -e seconds -e step_share "$out" >"$folder/first"
    # shellcheck disable=SC2086
    run $numbers --data "$folder/original"
    grep -v -e seconds -e step_share "$out" | cmp -s - "$folder/first"
    ok $? 'stochastic rounding gives the same numbers with the same seed'
}

test_synthetic() {
    XDG_DATA_DIRS=$folder/nowhere
    export XDG_DATA_DIRS
    succeeds 'the synthetic set replaces data that are not installed' train --epochs 1
    prints 'data: synthetic' 'stdout says so'
    grep -q 'synthetic' "$err"
    ok $? 'stderr says so'
    succeeds 'the same with --json' train --epochs 1 --json
    is_json 'one JSON document'
    prints '"data": "synthetic"' 'the document says so'
    succeeds '--synthetic reaches the target' train --synthetic --epochs 5 --quiet --target 0.85
    mkdir -p "$folder/share/datasets/fashion-mnist"
    XDG_DATA_DIRS=$folder/nowhere:$folder/share
    cp "$folder"/original/train-* "$folder/share/datasets/fashion-mnist"
    fails 2 't10k-images-idx3-ubyte.gz' 'an installed set that lacks a file is not replaced' train --epochs 1
    cp "$folder"/original/t10k-* "$folder/share/datasets/fashion-mnist"
    succeeds 'an installed set is found' train --epochs 1
    unset XDG_DATA_DIRS
}

test_damaged_files() {
    damaged missing train-images-idx3-ubyte.gz 'No such file' 'a folder that does not exist'

    good_folder truncated
    head -c 300 "$folder/original/train-images-idx3-ubyte.gz" >"$folder/truncated/train-images-idx3-ubyte.gz"
    damaged truncated train-images-idx3-ubyte.gz 'truncated' 'a truncated gzip file'

    good_folder checksum
    size=$(wc -c <"$folder/original/train-images-idx3-ubyte.gz")
    head -c $((size - 8)) "$folder/original/train-images-idx3-ubyte.gz" >"$folder/checksum/train-images-idx3-ubyte.gz"
    damaged checksum train-images-idx3-ubyte.gz 'truncated' 'a gzip file without its checksum'

    good_folder corrupted
    { head -c $((size - 8)) "$folder/original/train-images-idx3-ubyte.gz" && printf 'abcdefgh'; } \
        >"$folder/corrupted/train-images-idx3-ubyte.gz"
    damaged corrupted train-images-idx3-ubyte.gz 'damaged gzip data' 'a gzip file with a wrong checksum'

    good_folder short
    images 40 | head -c 20000 | gzip -1 >"$folder/short/train-images-idx3-ubyte.gz"
    damaged short train-images-idx3-ubyte.gz '20000 bytes when decompressed, expected 31376' 'too few pixels'

    good_folder headless
    header 3 40 | gzip -1 >"$folder/headless/train-images-idx3-ubyte.gz"
    damaged headless train-images-idx3-ubyte.gz 'expected 16' 'half a header'

    good_folder empty
    : >"$folder/empty/t10k-labels-idx1-ubyte.gz"
    damaged empty t10k-labels-idx1-ubyte.gz '0 bytes, expected 4' 'an empty file'

    good_folder trailing
    { labels 40 && printf 'xyz'; } | gzip -1 >"$folder/trailing/train-labels-idx1-ubyte.gz"
    damaged trailing train-labels-idx1-ubyte.gz '3 trailing bytes' 'trailing bytes'

    good_folder foreign
    echo 'not an idx file at all' >"$folder/foreign/train-images-idx3-ubyte.gz"
    damaged foreign train-images-idx3-ubyte.gz 'magic number 0x6e6f7420, expected 0x00000803' 'a foreign file'

    good_folder swapped
    cp "$folder/original/train-labels-idx1-ubyte.gz" "$folder/swapped/train-images-idx3-ubyte.gz"
    damaged swapped train-images-idx3-ubyte.gz 'magic number 0x00000801' 'labels in place of images'

    good_folder shape
    { header 3 40 32 32 && images 60; } | gzip -1 >"$folder/shape/train-images-idx3-ubyte.gz"
    damaged shape train-images-idx3-ubyte.gz 'images of 32 x 32 pixels, expected 28 x 28' 'another shape'

    good_folder none
    header 3 0 28 28 | gzip -1 >"$folder/none/train-images-idx3-ubyte.gz"
    damaged none train-images-idx3-ubyte.gz '0 items' 'no images'

    good_folder huge
    printf '\000\000\010\003\377\377\377\377\000\000\000\034\000\000\000\034' | gzip -1 \
        >"$folder/huge/train-images-idx3-ubyte.gz"
    damaged huge train-images-idx3-ubyte.gz '4294967295 items' 'more images than anyone has'

    good_folder counts
    labels 39 | gzip -1 >"$folder/counts/train-labels-idx1-ubyte.gz"
    damaged counts train-labels-idx1-ubyte.gz '39 labels, expected 40' 'fewer labels than images'

    good_folder label
    { header 1 20 && printf '\000\001\002\003\004\005\006\007\010\011\012\000\000\000\000\000\000\000\000\000'; } |
        gzip -1 >"$folder/label/t10k-labels-idx1-ubyte.gz"
    damaged label t10k-labels-idx1-ubyte.gz 'label 10 at index 10, expected 0 to 9' 'a label above 9'

    good_folder directory
    rm "$folder/directory/train-images-idx3-ubyte.gz"
    mkdir "$folder/directory/train-images-idx3-ubyte.gz"
    damaged directory train-images-idx3-ubyte.gz 'Is a directory' 'a folder in place of a file'
}

test_bench() {
    succeeds 'bench --quick' bench --quick --repetitions 3
    prints 'debias term' 'bench prints the cost of the debias term'
    [ ! -s "$err" ]
    ok $? 'bench draws no progress bar in a pipe'
    succeeds 'bench --quick --json' bench --quick --repetitions 2 --json
    is_json 'bench --json prints one JSON document'
    prints '"of_floor"' 'the document has the share of the roofline'
}

echo 'TAP version 13'
test_usage
test_numbers
test_info
test_training
test_optimizers
test_optimizer_options
test_synthetic
test_damaged_files
test_bench
echo "1..$number"
