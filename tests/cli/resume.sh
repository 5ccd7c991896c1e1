#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# `glissade train --save` and `--resume` from outside: a run that was saved in the middle, interrupted or killed ends with
# the bits of one that was not, under every optimizer, on other threads and instruction sets; and what is refused.
# Prints TAP. Needs Python, as Meson does, to look into JSON.
#
# Usage: resume.sh PATH-OF-GLISSADE

# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"

# Paths in what follows are without spaces, wherever the scratch folder is.
glissade=$(cd "$(dirname "$glissade")" && pwd)/$(basename "$glissade")
cd "$folder" || exit 1
data_folder data
# Five steps an epoch.
numbers="train --quiet --batch-size 8 --data data"

# numbered NAME STEP: the file that --keep made of that step.
numbered() {
    printf '%s/%s-%020d.st' "$folder" "$1" "$2"
}

# same FILE FILE DESCRIPTION: parameters, state and where the run is are the same; only times may differ.
same() {
    run state diff --ignore train.sums --ignore train.result "$1" "$2"
    [ "$code" -eq 0 ]
    ok $? "$3"
}

# The instruction sets that this machine has, and another number of threads than the library would take.
sets() {
    "$glissade" info --json >"$out"
    python3 -c 'import json, sys
print(*[i["name"] for i in json.load(open(sys.argv[1]))["isas"] if i["available"]])' "$out"
}
available=$(sets)
most=$("$glissade" info --json | sed -n '/"threads": {/,/}/s/.*"count": \([0-9]*\),.*/\1/p')
other_threads=$((most > 1 ? 1 : most))

# continues ARGUMENT...: a run of three epochs, saved at its ninth step and at the end, and one that goes on from the ninth
# step, in the middle of the second epoch, on other threads and with the scalar kernels.
continues() {
    rm -f "$folder"/whole*.st "$folder/rest.st"
    # shellcheck disable=SC2086 # several arguments
    run $numbers --epochs 3 "$@" --save "$folder/whole.st" --save-every 9 --keep 2
    # shellcheck disable=SC2086
    GLISSADE_ISA=scalar run $numbers --epochs 3 "$@" --resume "$(numbered whole 9)" --save "$folder/rest.st" \
        --threads "$other_threads"
    same "$folder/whole.st" "$folder/rest.st" "resumed: $*"
}

test_every_optimizer() {
    fails 2 "accepts sgd, adam," 'the list of optimizers' train --optimizer newton
    optimizers=$(sed -e 's/.* it accepts //' -e 's/,//g' -e 's/ or / /' "$err")
    for optimizer in $optimizers; do
        # rprop takes all images at once: its run has three steps, and none is in the middle of an epoch.
        batch=$([ "$optimizer" = rprop ] && echo '--batch-size 8')
        # shellcheck disable=SC2086
        continues --optimizer "$optimizer" $batch
        # shellcheck disable=SC2086
        continues --optimizer "$optimizer" $batch --bf16 --clip 1 --schedule cosine
        # shellcheck disable=SC2086
        continues --optimizer "$optimizer" $batch --state q8 --schedule wsd --warm-up 4
        # shellcheck disable=SC2086
        continues --optimizer "$optimizer" $batch --bf16 --state bf16-stochastic --schedule one-cycle
    done
    continues --momentum 0
    continues --nesterov --weight-decay 0.01 --seed 7
    continues --no-debias --dampening 0 --state bf16
}

test_every_step() {
    rm -f "$folder"/whole*.st
    arguments="$numbers --epochs 3 --optimizer schedule-free-adamw --bf16"
    # shellcheck disable=SC2086
    succeeds 'a run saved at every step' $arguments --save "$folder/whole.st" --save-every 1 --keep 100
    resumed=0
    for file in "$folder"/whole-*.st; do
        # shellcheck disable=SC2086
        run $arguments --resume "$file" --save "$folder/rest.st" --force
        same "$folder/whole.st" "$folder/rest.st" "  resumed from $(basename "$file" .st | sed 's/.*-0*//')"
        resumed=$((resumed + 1))
    done
    # One that becomes due while another is written comes a step later, or is overtaken by the next.
    [ $resumed -ge 3 ] && cmp -s "$(numbered whole 15)" "$folder/whole.st"
    ok $? 'the latest is the last'
    # shellcheck disable=SC2086
    succeeds 'a run that is done' $arguments --resume "$folder/whole.st"
    [ "$(wc -l <"$out")" -eq 1 ]
    ok $? '  has nothing left to do'
    # shellcheck disable=SC2086
    run $arguments --save "$folder/whole.st" --resume "$folder/whole.st" --save-every 1 --keep 2 --threads 1 --epochs 3
    [ "$(find "$folder" -name 'whole-*.st' | wc -l)" -eq 2 ]
    ok $? '--keep removes older files'
    for set in $available; do
        # shellcheck disable=SC2086
        GLISSADE_ISA=$set run $arguments --save "$folder/set.st" --force
        same "$folder/whole.st" "$folder/set.st" "the whole run on $set"
    done
}

test_reports() {
    rm -f "$folder"/report.st
    succeeds 'train --save' train --batch-size 8 --epochs 2 --data "$folder/data" --save "$folder/report.st" --save-every 2
    tail -n 1 "$out" | grep -q '^saved [1-9][0-9]* times to .*report.st: [0-9,]* bytes'
    ok $? 'the last line says what was saved'
    run train --batch-size 8 --epochs 2 --data "$folder/data" --save "$folder/report.st" --resume "$folder/report.st"
    prints "resumed from $folder/report.st after step 10 of 10" 'the heading says what was resumed'
    succeeds 'the same as JSON' train --batch-size 8 --epochs 2 --json --data "$folder/data" --resume "$folder/report.st"
    json 'd["resumed_at"] == 10 and d["saves"] is None and len(d["epochs"]) == 2' '  with all epochs'
    cp "$out" "$folder/resumed.json"
    succeeds 'a whole run as JSON' train --batch-size 8 --epochs 2 --json --data "$folder/data" \
        --save "$folder/report.st" --force
    json 'd["saves"]["bytes"] > 0 and d["saves"]["count"] >= 1 and d["resumed_at"] is None' '  with what it saved'
    for file in "$out" "$folder/resumed.json"; do
        grep -e train_loss -e accuracy "$file" >"$file.numbers"
    done
    cmp -s "$out.numbers" "$folder/resumed.json.numbers"
    ok $? '  and the same numbers'
    [ "$(stat -c %a "$folder/report.st")" = 600 ]
    ok $? 'the file is its owner'"'"'s alone'
}

test_refusals() {
    file=$folder/report.st
    good="train --batch-size 8 --epochs 2 --data data"
    for change in '--optimizer adam:optimizer is sgd' '--seed 2:seed is 1' '--batch-size 7:batch_size is 8' \
        '--epochs 3:epochs is 2' '--momentum 0.8:momentum is 0.9' '--bf16:bf16 is no' '--state q8:state is full' \
        '--learning-rate 0.1:learning_rate is 0.3' '--schedule cosine:schedule is linear' '--warm-up 3:warm_up is 0' \
        '--clip 1:clip is 0' '--nesterov:nesterov is no' '--weight-decay 1:weight_decay is 0'; do
        # shellcheck disable=SC2086
        fails 2 "'$file' belongs to another run: its ${change#*:}" "another ${change%%:*}" $good ${change%%:*} --resume "$file"
    done
    fails 2 'its data is 40 training and 20 test images' 'other data' train --batch-size 8 --epochs 2 --synthetic --resume "$file"
    # shellcheck disable=SC2086
    fails 2 'exists' 'a file that is there' $good --save "$file"
    # shellcheck disable=SC2086
    fails 2 'no such file' 'a file that is not there' $good --resume "$folder/none.st"
    # shellcheck disable=SC2086
    succeeds '  but with --resume-if-exists' $good --resume "$folder/none.st" --resume-if-exists --save "$folder/none.st"
    same "$file" "$folder/none.st" '  it is as if it were not there'
    for options in '--save-every 3' '--keep 3' '--force' '--resume-if-exists'; do
        # shellcheck disable=SC2086
        fails 2 'need' "train $options alone" $good $options
    done
    fails 2 "'--save' cannot be ''" 'no path' train --save ''
    fails 2 'No such file' 'a folder that is not there' train --save "$folder/nowhere/x.st"
    fails 2 'Not a directory' 'a file in place of a folder' train --save "$file/x.st"
    ln -sf report.st "$folder/link.st"
    mkfifo "$folder/fifo.st"
    for name in link.st fifo.st data; do
        fails 2 'no regular file' "saving to $name" train --save "$folder/$name" --force
        # shellcheck disable=SC2086
        fails 2 "$name" "resuming from $name" $good --resume "$folder/$name"
    done
    size=$(wc -c <"$file")
    for offset in 9 5000 $((size - 1)); do
        cp "$file" "$folder/flipped.st"
        flip "$folder/flipped.st" "$offset"
        # shellcheck disable=SC2086
        fails 2 'flipped.st' "a flipped bit at $offset" $good --resume "$folder/flipped.st"
    done
    head -c $((size - 1)) "$file" >"$folder/cut.st"
    # shellcheck disable=SC2086
    fails 2 'cut.st' 'a file that was cut' $good --resume "$folder/cut.st"
    succeeds 'weights alone' state convert --only layer "$file" "$folder/weights.st"
    # shellcheck disable=SC2086
    fails 2 '' '  are no run' $good --resume "$folder/weights.st"
    succeeds 'a file without checksums' state convert --no-checksums "$file" "$folder/bare.st"
    # shellcheck disable=SC2086
    run $good --resume "$folder/bare.st"
    [ "$code" -eq 0 ] && grep -q 'note: .*bare.st. has no checksums' "$err"
    ok $? '  is resumed with a note'
    printf 'abcd' | tensor_file foreign.st '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    # shellcheck disable=SC2086
    fails 2 'is no run of this command' 'a file of another program' $good --resume "$folder/foreign.st"
}

# tampered KEY VALUE DESCRIPTION: a run whose metadata have been changed by hand, without checksums, is refused.
tampered() {
    python3 -c 'import json, struct, sys
data = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + n])
header["__metadata__"][sys.argv[3]] = sys.argv[4]
text = json.dumps(header).encode()
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + data[8 + n:])' \
        "$folder/bare.st" "$folder/tampered.st" "$1" "$2"
    fails 2 'cannot be gone on from: its train.' "$3" train --batch-size 8 --epochs 2 --data "$folder/data" \
        --resume "$folder/tampered.st"
}

test_tampering() {
    for value in '' x -1 1 11 99999999999999999999; do
        tampered train.step "$value" "train.step '$value'"
    done
    tampered train.epoch 0 'epoch 0'
    tampered train.epoch 4 'an epoch past the end'
    tampered train.image 41 'an image past the end'
    tampered train.image 3 'an image inside a batch'
    tampered train.random '0 0 0 0' 'another random state'
    tampered train.product_threads many 'no number of threads'
    tampered train.result.1 'nan 0 0 0' 'a result that is no number'
    tampered train.sums '0x0p+0 0x0p+0' 'half the sums'
}

# ---- interrupted ----

# Long enough for signals to come in between; the schedule needs the end, so all parts must be of one run.
long="$numbers --threads 1 --epochs 1000 --optimizer adam --state q8"
# Where saving between is not the matter, each synchronised save being time.
once='--save-every 1000000'

# wait_for FILE: until it is there, or half a minute has gone.
wait_for() {
    tries=0
    while [ ! -e "$1" ] && [ $tries -lt 600 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
}

test_signals() {
    # shellcheck disable=SC2086
    succeeds 'a long run' $long --save "$folder/long.st" $once
    for signal in INT TERM HUP; do
        rm -f "$folder/part.st"
        # In the background a shell without job control lets SIGINT be ignored, and so then does the command.
        # shellcheck disable=SC2086
        python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$glissade" $long --save "$folder/part.st" --save-every 1 >"$out" 2>"$err" &
        process=$!
        wait_for "$folder/part.st"
        kill -s $signal $process
        wait $process
        code=$?
        [ $code -gt 128 ] && [ "$(kill -l $code)" = $signal ]
        ok $? "SIG$signal ends the run as it ends others"
        [ "$(wc -l <"$err")" -eq 1 ] &&
            grep -q "^glissade: train: interrupted after step [0-9]* of 5000; all is saved, and '--resume .*part.st' goes on" "$err"
        ok $? '  with a line that says how to go on'
        # shellcheck disable=SC2086
        succeeds '  which is so' $long --resume "$folder/part.st" --save "$folder/part.st" $once
        same "$folder/long.st" "$folder/part.st" '  to the same bits'
    done
}

test_kills() {
    rm -f "$folder/part.st"
    # So long that twenty parts of it do not come to its end.
    long="$numbers --threads 1 --epochs 2000 --optimizer adam --state q8"
    # shellcheck disable=SC2086
    succeeds 'a longer run' $long --save "$folder/long.st" --force $once
    killed=0
    unloadable=0
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        keep=$([ $((i % 2)) -eq 0 ] && echo '--keep 3')
        # shellcheck disable=SC2086
        "$glissade" $long --save "$folder/part.st" --resume "$folder/part.st" --resume-if-exists --save-every 1 $keep \
            >"$out" 2>"$err" </dev/null &
        process=$!
        [ $i -eq 1 ] && wait_for "$folder/part.st"
        sleep "$(printf '0.%02d' $((7 + i * 37 % 13)))"
        kill -9 $process 2>/dev/null && killed=$((killed + 1))
        wait $process 2>/dev/null
        run state verify --strict "$folder/part.st"
        [ "$code" -eq 0 ] || unloadable=$((unloadable + 1))
        [ -s "$err" ] && unloadable=$((unloadable + 1))
    done
    echo "# $killed runs were killed, $unloadable files could not be used"
    [ $killed -ge 10 ] && [ $unloadable -eq 0 ]
    ok $? 'kill -9 while saving leaves a whole file'
    run state show --json "$folder/part.st"
    json '0 < int(d["metadata"]["train.step"]) <= 10000' '  which has got on'
    # shellcheck disable=SC2086
    succeeds '  and can be gone on from' $long --save "$folder/part.st" --resume "$folder/part.st" $once
    same "$folder/long.st" "$folder/part.st" '  to the bits of a run that was never killed'
    [ -z "$(find "$folder" -name '.glissade-*')" ]
    ok $? '  and nothing is left behind'
    succeeds '  the numbered files are whole, too' state verify --strict "$folder"/part-*.st
    # A kill between a file and the removal of the oldest leaves one more for the next save.
    [ "$(find "$folder" -name 'part-*.st' | wc -l)" -le 4 ]
    ok $? '  and no more than were to be kept'
}

test_full_disk() {
    # A limit on the size of files does what a full disk does, for anybody.
    # shellcheck disable=SC2086
    (
        trap '' XFSZ
        ulimit -f 100
        exec "$glissade" $numbers --epochs 2 --save "$folder/full.st"
    ) >"$out" 2>"$err"
    code=$?
    [ $code -eq 1 ] && grep -q 'glissade: train: step [0-9]* could not be saved: ' "$err" && [ ! -e "$folder/full.st" ]
    ok $? 'a save that fails is told, and decides the exit code'
    grep -q 'test accuracy' "$out"
    ok $? '  but does not end the run'
}

echo 'TAP version 13'
test_every_optimizer
test_every_step
test_reports
test_refusals
test_tampering
test_signals
test_kills
test_full_disk
echo "1..$number"
