# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# What the tests of the command share: a scratch folder, TAP, running the command, and a small data set. To be read
# by scripts whose first argument is the command's path.

set -u
glissade=$1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
out=$folder/stdout
err=$folder/stderr
number=0

# ok CONDITION-STATUS DESCRIPTION: one line of TAP; what the command printed is shown on failure.
ok() {
    number=$((number + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $number - $2"
    else
        echo "not ok $number - $2"
        sed 's/^/# stdout: /' "$out" | head -n 20
        sed 's/^/# stderr: /' "$err" | head -n 20
    fi
}

run() {
    "$glissade" "$@" >"$out" 2>"$err" </dev/null
    code=$?
}

# succeeds DESCRIPTION ARGUMENT...: exit code 0.
succeeds() {
    description=$1
    shift
    run "$@"
    [ "$code" -eq 0 ]
    ok $? "$description"
}

# fails CODE TEXT DESCRIPTION ARGUMENT...: that exit code, nothing on stdout, one line on stderr that begins
# with "glissade: " and holds TEXT.
fails() {
    expected=$1
    text=$2
    description=$3
    shift 3
    run "$@"
    [ "$code" -eq "$expected" ] && [ ! -s "$out" ] && [ "$(wc -l <"$err")" -eq 1 ] &&
        grep -q '^glissade: ' "$err" && grep -qF -e "$text" "$err"
    ok $? "$description"
}

# prints TEXT DESCRIPTION: the last command printed TEXT on stdout.
prints() {
    grep -qF -e "$1" "$out"
    ok $? "$2"
}

# ---- data files ----

# header MAGIC-BYTE NUMBER...: an idx header of unsigned bytes, its lengths below 65,536.
# shellcheck disable=SC2059 # the format is an octal escape made from the number
header() {
    printf '\000\000\010'
    printf "\\$(printf '%03o' "$1")"
    shift
    for length in "$@"; do
        printf '\000\000'
        printf "\\$(printf '%03o' $((length / 256)))\\$(printf '%03o' $((length % 256)))"
    done
}

# labels COUNT, images COUNT: the contents of idx files; a label is its index modulo 10.
labels() {
    header 1 "$1"
    awk -v count="$1" 'BEGIN { for (i = 0; i < count; ++i) printf "%d", i % 10 }' |
        tr '0123456789' '\000\001\002\003\004\005\006\007\010\011'
}
images() {
    header 3 "$1" 28 28
    awk -v count="$1" 'BEGIN { for (i = 0; i < count * 784; ++i) printf "%c", 32 + (i * 7 + int(i / 784)) % 90 }'
}

# data_folder NAME: makes a folder of 40 training and 20 test images.
data_folder() {
    mkdir "$folder/$1"
    images 40 | gzip -1 >"$folder/$1/train-images-idx3-ubyte.gz"
    labels 40 | gzip -1 >"$folder/$1/train-labels-idx1-ubyte.gz"
    images 20 | gzip -1 >"$folder/$1/t10k-images-idx3-ubyte.gz"
    labels 20 | gzip -1 >"$folder/$1/t10k-labels-idx1-ubyte.gz"
}

# ---- JSON and tensor files ----

# json EXPRESSION DESCRIPTION: stdout is one JSON document `d` of which the Python expression is true.
json() {
    python3 -c 'import json, sys
def unique(pairs):
    assert len({key for key, value in pairs}) == len(pairs), "a key twice"
    return dict(pairs)
d = json.load(open(sys.argv[1], "rb"), object_pairs_hook=unique)
sys.exit(not eval(sys.argv[2]))' "$out" "$1" 2>>"$err"
    ok $? "$2"
}

# byte NUMBER: that byte.
# shellcheck disable=SC2059 # the format is an octal escape made from the number
byte() {
    printf "\\$(printf '%03o' "$1")"
}

# tensor_file NAME JSON: a file of that header, with what stdin has as its data.
tensor_file() {
    {
        byte $((${#2} % 256)) && byte $((${#2} / 256)) && printf '\000\000\000\000\000\000%s' "$2" && cat
    } >"$folder/$1"
}

# flip FILE OFFSET: changes the lowest bit of a byte of the file.
flip() {
    value=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
    value=$((value % 2 == 0 ? value + 1 : value - 1))
    byte $value | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
