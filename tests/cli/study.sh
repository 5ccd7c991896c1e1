#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# `glissade study` from outside: what it refuses, and that studies which were killed, interrupted, cut short or
# carried out in another order end with the same tables as others. Prints TAP. Needs neither Fashion-MNIST nor
# gnuplot, in whose place stands a program that draws the same whatever it is asked.
#
# Usage: study.sh PATH-OF-GLISSADE

# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"

if ! command -v gnuplot >/dev/null; then
    mkdir "$folder/bin"
    printf '#!/bin/sh\necho "<svg/>"\n' >"$folder/bin/gnuplot"
    chmod +x "$folder/bin/gnuplot"
    PATH=$folder/bin:$PATH
fi

study=deferral # the quickest of those with runs
started=       # the process of a study in the background

# quick OUTPUT ARGUMENT...: the arguments of a quick study into folder OUTPUT, on two workers unless told.
quick() {
    output=$folder/$1
    shift
    run study "$study" --quick --synthetic --workers 2 --output "$output" "$@"
}

# start OUTPUT ARGUMENT...: the same in the background, with stderr in $err.
start() {
    output=$folder/$1
    shift
    "$glissade" study "$study" --quick --synthetic --workers 2 --output "$output" "$@" >"$out" 2>"$err" </dev/null &
    started=$!
}

# stop SIGNAL: ends the study in the background; its exit code is in $code.
stop() {
    kill -s "$1" "$started" 2>/dev/null
    wait "$started" 2>/dev/null
    code=$?
}

# lines FILE: how many.
lines() {
    wc -l <"$1" | tr -d ' '
}

# grown OUTPUT LINES: waits until runs.csv has more lines.
grown() {
    tries=0
    while [ "$(lines "$folder/$1/runs.csv" 2>/dev/null || echo 0)" -le "$2" ] && [ $tries -lt 600 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
}

# clean: the last command said nothing on stderr.
clean() {
    [ ! -s "$err" ]
}

# bare: the last command wrote its tables without gnuplot: exit code 2, and a note of one line.
bare() {
    [ "$code" -eq 2 ] && [ "$(lines "$err")" -eq 1 ] && grep -q 'note: gnuplot is not installed' "$err"
}

# one_line TEXT: stderr is one line of the command's that holds TEXT.
one_line() {
    [ "$(lines "$err")" -eq 1 ] && grep -q '^glissade: ' "$err" && grep -qF -e "$1" "$err"
}

# same_tables FOLDER: every table is there that a study without interruption has, of the same bytes; the runs are the
# same in whatever order.
same_tables() {
    [ "$(find "$folder/base" -name '*.csv' | wc -l)" -eq "$(find "$folder/$1" -name '*.csv' | wc -l)" ] || return 1
    for table in "$folder"/base/*.csv; do
        case $table in
        */runs.csv)
            sort "$table" >"$folder/sorted-base"
            sort "$folder/$1/runs.csv" | cmp -s - "$folder/sorted-base" || return 1
            ;;
        *) cmp -s "$table" "$folder/$1/${table##*/}" || return 1 ;;
        esac
    done
}

# partial NAME LINES: a folder with the finished study's runs but for the last LINES.
partial() {
    rm -rf "${folder:?}/$1"
    mkdir "$folder/$1"
    head -n $(($(lines "$folder/base/runs.csv") - $2)) "$folder/base/runs.csv" >"$folder/$1/runs.csv"
}

test_usage() {
    succeeds 'study --help' study --help
    for name in averages convergence batch deferral; do
        prints "  $name" "study --help lists $name"
    done
    succeeds 'study --version' study --version
    fails 2 'no study named' 'no study' study
    fails 2 "no study 'dance'" 'an unknown study' study dance
    fails 2 "no study '--quick'" 'an option without a study' study --quick
    for name in averages convergence batch deferral; do
        succeeds "study $name --help" study $name --help
        prints "Usage: glissade study $name" "study $name --help names the study"
        prints '--force' "study $name --help lists the options"
        prints 'the exit code is 2' "study $name --help says what comes of having no gnuplot"
        fails 2 "study $name: option '--nonsense'" "study $name: an unknown option" study $name --nonsense
        fails 2 "'word'" "study $name: an unexpected argument" study $name word
        for value in '' x -1 1.5 99999999999999999999999; do
            fails 2 "study $name: option '--seed' cannot be '$value'; it accepts" "study $name: seed '$value'" \
                study $name --seed "$value"
        done
    done
    for value in '' x 0 -1 257 1.5; do
        fails 2 "'--workers' cannot be '$value'; it accepts a whole number from 1 to 256" "workers '$value'" \
            study $study --workers "$value"
    done
}

# refused TEXT DESCRIPTION ARGUMENT...: exit code 2, one line with TEXT, and no folder is made.
refused() {
    text=$1
    description=$2
    shift 2
    fails 2 "$text" "$description" study "$study" --output "$folder/refused" "$@"
    [ ! -e "$folder/refused" ]
    ok $? '  and nothing is made'
}

test_refusals() {
    refused 'exclude each other' '--data with --synthetic' --data . --synthetic
    refused 'exclude each other' '--force with --tables' --force --tables
    refused "option '--data' cannot be ''" 'an empty data folder' --data ''
    refused 'nowhere/train-images-idx3-ubyte.gz' 'a data folder that does not exist' --quick --data "$folder/nowhere"
    data_folder small
    refused 'has 40 training images, and the study needs 1000' 'a data set that is too small' \
        --quick --data "$folder/small"
    refused 'has 12000 training images, and the study needs 20000; --quick' 'the full study on the synthetic set' \
        --synthetic
    refused 'no runs' '--tables where there are no runs' --quick --tables
    fails 2 "'--output' cannot be ''" 'an empty output folder' study $study --quick --synthetic --output ''
    echo mine >"$folder/file"
    fails 2 "$folder/file" 'a file in place of the output folder' study $study --quick --synthetic \
        --output "$folder/file"
    fails 2 "$folder/file" 'an output folder below a file' study $study --quick --synthetic --output "$folder/file/below"
    [ "$(cat "$folder/file")" = mine ]
    ok $? '  and the file is as it was'
    fails 2 '/proc/nowhere' 'an output folder that cannot be made' study $study --quick --synthetic \
        --output /proc/nowhere
    GLISSADE_THREADS=many
    export GLISSADE_THREADS
    refused 'GLISSADE_THREADS' 'a variable that cannot be used' --quick --synthetic
    unset GLISSADE_THREADS
}

test_base() {
    quick base
    [ "$code" -eq 0 ] && clean
    ok $? "$study: the quick study, with no progress bar in a pipe"
    prints "tables and figures are in '$folder/base'" '  and it says where its tables are'
    cp -R "$folder/base" "$folder/again"
    quick again --quiet
    [ "$code" -eq 0 ] && clean && [ ! -s "$out" ] && same_tables again && cmp -s "$folder/base/runs.csv" "$folder/again/runs.csv"
    ok $? 'a finished study has nothing to do, and with --quiet nothing to say'
    quick again --tables
    [ "$code" -eq 0 ] && same_tables again
    ok $? '--tables makes the same tables'
    run study $study --quick --tables --output "$folder/again"
    [ "$code" -eq 0 ] && same_tables again
    ok $? '--tables needs no data'
    fails 2 'another experiment' '--tables with other data' study $study --quick --tables --data "$folder/small" \
        --output "$folder/again"
}

# reordered NAME: its tables from runs in the opposite order are the same.
reordered() {
    mkdir "$folder/$1-reordered"
    awk 'NR <= 4 { print; next } { line[NR] = $0 } END { for (i = NR; i > 4; --i) print line[i] }' \
        "$folder/$1/runs.csv" >"$folder/$1-reordered/runs.csv"
    quick "$1-reordered" --tables
    [ "$code" -eq 0 ]
    status=$?
    for table in "$folder/$1"/*.csv; do
        case $table in
        */runs.csv) ;;
        *) cmp -s "$table" "$folder/$1-reordered/${table##*/}" || status=1 ;;
        esac
    done
    ok $status "$study: the tables do not depend on the order of the runs"
}

test_others() {
    reordered base
    for study in convergence batch; do
        quick $study
        [ "$code" -eq 0 ] && clean
        ok $? "$study: the quick study"
        reordered $study
    done
    fails 2 'another experiment' 'the runs of another study' study deferral --quick --synthetic \
        --output "$folder/batch"
    study=deferral
}

# damaged TEXT DESCRIPTION: folder "damaged" is refused with TEXT, with and without --tables, and left as it is.
damaged() {
    cp "$folder/damaged/runs.csv" "$folder/before"
    quick damaged
    [ "$code" -eq 2 ] && [ ! -s "$out" ] && one_line "$1"
    ok $? "$2"
    quick damaged --tables
    [ "$code" -eq 2 ] && [ ! -s "$out" ] && one_line "$1" && cmp -s "$folder/before" "$folder/damaged/runs.csv" &&
        [ "$(find "$folder/damaged" -type f | wc -l)" -eq 1 ]
    ok $? '  for --tables as well, and nothing is changed'
}

test_damage() {
    file=$folder/damaged/runs.csv
    partial damaged 0
    awk 'NR == 9 { sub(/0/, "1") } { print }' "$folder/base/runs.csv" >"$file"
    damaged 'is damaged in line 9' 'a flipped digit'
    awk 'NR == 9 { sub(/,[^,]*/, "") } { print }' "$folder/base/runs.csv" >"$file"
    damaged 'is damaged in line 9' 'a missing field'
    awk 'NR == 9 { $0 = substr($0, 1, length($0) - 1) "x" } { print }' "$folder/base/runs.csv" >"$file"
    damaged 'is damaged in line 9' 'a wrong checksum'
    awk 'NR == 9 { print "" } { print }' "$folder/base/runs.csv" >"$file"
    damaged 'is damaged in line 9' 'an empty line'
    { head -n 8 "$folder/base/runs.csv" && printf 'a\000b\n' && tail -n +9 "$folder/base/runs.csv"; } >"$file"
    damaged 'is damaged in line 9' 'a zero byte'
    { head -n 9 "$folder/base/runs.csv" && tail -n +9 "$folder/base/runs.csv"; } >"$file"
    damaged 'in line 10 a run that it has already' 'a run twice'
    awk '{ printf "%s\r\n", $0 }' "$folder/base/runs.csv" >"$file"
    damaged 'CR LF' 'line ends of another system'
    awk 'NR == 4 { sub(/,check/, "") } { print }' "$folder/base/runs.csv" >"$file"
    damaged 'damaged heading' 'a missing column'
    awk 'NR != 2' "$folder/base/runs.csv" >"$file"
    damaged 'damaged heading' 'half a heading'
    gzip -c "$folder/base/runs.csv" >"$file"
    damaged "no file of a study's runs" 'binary junk'
    quick damaged --force
    [ "$code" -eq 2 ] && cmp -s "$folder/before" "$file"
    ok $? '  which --force does not overwrite either'
    cp "$folder/base/runs.csv" "$file"
    for option in --seed=2 --workers=1; do
        [ $option = --workers=1 ] && sed -i 's/, quick;/, full;/' "$file"
        quick damaged $option
        [ "$code" -eq 2 ] && one_line 'another experiment'
        ok $? "the runs of another experiment ($option)"
    done
}

test_cut() {
    size=$(wc -c <"$folder/base/runs.csv")
    last=$(tail -n 1 "$folder/base/runs.csv" | wc -c)
    for less in 1 5 9 10 100 $((last - 1)) "$last" $((last + 1)) $((last + 300)); do
        partial cut 0
        head -c $((size - less)) "$folder/base/runs.csv" >"$folder/cut/runs.csv"
        quick cut
        [ "$code" -eq 0 ] && same_tables cut
        ok $? "cut off $less bytes before its end, it ends with the same tables"
    done
    partial cut 1
    printf 'small-mlp,pl' >>"$folder/cut/runs.csv"
    cp "$folder/cut/runs.csv" "$folder/before"
    quick cut --tables
    [ "$code" -eq 0 ] && one_line 'left out' && cmp -s "$folder/cut/runs.csv" "$folder/before"
    ok $? '--tables leaves an unfinished line out, and in its place'
}

# The whole study, killed again and again at moments that nobody chose, on one to three workers.
test_killed() {
    moments=$(awk 'BEGIN { srand(); for (i = 0; i < 6; ++i) print 0.2 + 1.3 * rand() }')
    for moment in $moments; do
        workers=$((number % 3 + 1))
        start killed --workers $workers
        sleep "$moment"
        children=$(cat "/proc/$started/task/$started/children" 2>/dev/null)
        stop KILL
        [ "$code" -ne 2 ] && { [ ! -s "$err" ] || one_line 'the last line'; }
        ok $? "killed after $moment s on $workers workers, having taken up what the one before it left"
        tries=0
        for child in $children; do
            while grep -qs '^State:.[^ZX]' "/proc/$child/status" && [ $tries -lt 100 ]; do
                sleep 0.05
                tries=$((tries + 1))
            done
        done
        [ $tries -lt 100 ]
        ok $? '  and its runs are gone with it'
    done
    quick killed
    [ "$code" -eq 0 ] && same_tables killed
    ok $? 'killed many times, it ends with the same tables'
}

test_lost_run() {
    partial lost 4
    start lost --workers 1
    tries=0
    child=
    while [ -z "$child" ] && [ $tries -lt 1000 ]; do
        child=$(tr -d ' ' 2>/dev/null <"/proc/$started/task/$started/children")
        tries=$((tries + 1))
    done
    kill -s "$1" "$child"
    wait "$started"
    code=$?
    [ $code -eq 1 ] && grep -q "the run small-mlp .* seed [0-9]* was ended by signal $2\$" "$err" &&
        grep -q "1 of 4 runs failed; the same command tries them again" "$err" &&
        [ "$(lines "$err")" -eq 2 ]
    ok $? "a run ended by SIG$1 is named, and costs only itself"
    [ "$(lines "$folder/lost/runs.csv")" -eq $(($(lines "$folder/base/runs.csv") - 1)) ]
    ok $? '  the others have been done'
    quick lost
    [ "$code" -eq 0 ] && same_tables lost
    ok $? '  and the same command makes it good'
}

test_interrupted() {
    partial interrupted 40
    before=$(lines "$folder/interrupted/runs.csv")
    start interrupted --workers 1
    grown interrupted "$before"
    kill -s STOP "$started"
    for option in --quiet --force --tables; do
        run study $study --quick --synthetic --output "$folder/interrupted" $option 2>"$folder/ignored"
        [ "$code" -eq 2 ] && grep -q 'another study' "$err"
        ok $? "a folder that a study is at work on is refused ($option)"
    done
    kill -s CONT "$started"
    stop TERM
    [ "$code" -eq 143 ]
    ok $? 'SIGTERM ends a study as if it had not been caught'
    after=$(lines "$folder/interrupted/runs.csv")
    [ "$after" -gt "$before" ] && [ "$(tail -c 1 "$folder/interrupted/runs.csv" | wc -l)" -eq 1 ]
    ok $? '  and leaves whole lines'
    # Non-interactive shells start commands in the background with SIGINT ignored, and a study respects that.
    start interrupted
    grown interrupted "$after"
    kill -s INT "$started"
    sleep 0.3
    kill -s 0 "$started" 2>/dev/null
    ok $? 'SIGINT that is ignored stays ignored'
    stop HUP
    [ "$code" -eq 129 ] && one_line 'the same command goes on'
    ok $? 'SIGHUP ends a study in order, which says how to go on'
    if env --default-signal=INT true 2>/dev/null; then
        partial interrupted 30
        before=$(lines "$folder/interrupted/runs.csv")
        env --default-signal=INT "$glissade" study $study --quick --synthetic --output "$folder/interrupted" --force \
            >"$out" 2>"$err" </dev/null &
        started=$!
        tries=0
        while [ "$(lines "$folder/interrupted/runs.csv")" -ge "$before" ] && [ $tries -lt 600 ]; do
            sleep 0.05
            tries=$((tries + 1))
        done
        grown interrupted 4
        stop INT
        [ "$code" -eq 130 ] && one_line 'the same command without --force goes on'
        ok $? 'Ctrl-C after --force: going on is another command'
    fi
    quick interrupted
    [ "$code" -eq 0 ] && same_tables interrupted
    ok $? 'interrupted several times, it ends with the same tables'
}

# With the signal ignored, a write beyond the limit is cut short and then refused, as on a full disk.
test_full_disk() {
    partial full 3
    cp "$folder/full/runs.csv" "$folder/before"
    blocks=$(($(wc -c <"$folder/full/runs.csv") / 1024 + 1))
    (
        trap '' XFSZ
        # In units of 512 bytes or of 1024, as the shell has it.
        ulimit -f $blocks
        [ "$(ulimit -f)" = "$blocks" ] || exit 9
        "$glissade" study $study --quick --synthetic --output "$folder/full" >"$out" 2>"$err" </dev/null
    )
    code=$?
    [ $code -eq 1 ] && one_line 'cannot write' && [ "$(tail -c 1 "$folder/full/runs.csv" | wc -l)" -eq 1 ]
    ok $? 'a file that cannot grow ends the study, with whole lines'
    quick full
    [ "$code" -eq 0 ] && same_tables full
    ok $? '  and with room again it ends with the same tables'
    mkdir "$folder/tiny"
    if unshare -m mount -t tmpfs -o size=8k tmpfs "$folder/tiny" 2>/dev/null; then
        # shellcheck disable=SC2016 # expanded by the inner shell
        unshare -m sh -c 'mount -t tmpfs -o size=8k tmpfs "$2" &&
            "$1" study deferral --quick --synthetic --output "$2/study"' sh "$glissade" "$folder/tiny" >"$out" 2>"$err"
        code=$?
        [ $code -eq 1 ] && one_line 'No space left'
        ok $? 'a disk that is full'
    fi
}

test_averages() {
    mkdir "$folder/empty"
    (
        # shellcheck disable=SC3045 # dash, bash and busybox have it
        ulimit -t 5
        "$glissade" study averages --output "$folder/averages" >"$out" 2>"$err"
    )
    code=$?
    [ $code -eq 0 ] && clean
    ok $? 'averages, in less than five seconds of processor time'
    fails 2 '--force replaces it' 'averages: tables that are there' study averages --output "$folder/averages"
    succeeds 'averages --force' study averages --output "$folder/averages" --force
    fails 2 "$folder/file" 'averages: a file in place of the folder' study averages --output "$folder/file"
    PATH=$folder/empty "$glissade" study averages --output "$folder/bare" >"$out" 2>"$err"
    code=$?
    bare
    ok $? 'without gnuplot averages says so, once, and ends with 2'
    status=0
    for table in "$folder"/averages/*.csv; do
        cmp -s "$table" "$folder/bare/${table##*/}" || status=1
    done
    ok $status '  and the tables are there'
    [ "$(find "$folder/bare" -type f | wc -l)" -eq "$(find "$folder/bare" -name '*.csv' | wc -l)" ]
    ok $? '  and nothing else'
    partial bare-study 0
    PATH=$folder/empty "$glissade" study $study --quick --synthetic --tables --output "$folder/bare-study" \
        >"$out" 2>"$err"
    code=$?
    bare && same_tables bare-study
    ok $? 'without gnuplot a study has its tables, too'
    prints "tables are in '$folder/bare-study'" '  and does not claim figures'
}

# On a terminal of 60 columns, if there is a program that pretends to be one.
test_progress() {
    script -qec true /dev/null >/dev/null 2>&1 || return
    partial progress 6
    TERM=xterm script -qec "stty cols 60; '$glissade' study $study --quick --synthetic --workers 1 --output '$folder/progress'" \
        /dev/null >"$out" 2>"$err" </dev/null
    grep -q "$study, round [0-9]*: [0-9]* of [0-9]* runs, [0-9]*:[0-9][0-9] left" "$out"
    ok $? 'on a terminal there is a progress bar with the time left'
    tr '\r' '\n' <"$out" | grep 'round' | sed 's/.\[K//g' | awk 'length($0) > 59 { bad = 1 } END { exit bad }'
    ok $? '  that stays on its line'
    partial progress 6
    TERM=xterm script -qec "'$glissade' study $study --quick --synthetic --quiet --output '$folder/progress'" /dev/null \
        >"$out" 2>"$err" </dev/null
    ! grep -q round "$out"
    ok $? '  but not with --quiet'
}

echo 'TAP version 13'
test_usage
test_refusals
test_base
test_damage
test_cut
test_killed
test_lost_run KILL 9
test_lost_run ABRT 6 # not SEGV, which a sanitizer would catch
test_interrupted
test_full_disk
test_averages
test_progress
test_others
echo "1..$number"
