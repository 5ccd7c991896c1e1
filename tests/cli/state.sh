#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# `glissade state` from outside: what it shows, what it notices, what it compares, what it writes. Prints TAP. Makes its
# files by `glissade train` and by hand. Needs Python, as Meson does, to look into JSON.
#
# Usage: state.sh PATH-OF-GLISSADE

# shellcheck source=tests/cli/support.sh
. "$(dirname "$0")/support.sh"

saved=$folder/run.st # parameters and state of Adam

# tells CODE TEXT DESCRIPTION ARGUMENT...: exit code, and TEXT on stdout.
tells() {
    expected=$1
    text=$2
    description=$3
    shift 3
    run "$@"
    [ "$code" -eq "$expected" ] && grep -qF -e "$text" "$out"
    ok $? "$description"
}

make_files() {
    data_folder data
    succeeds 'train --save' train --data "$folder/data" --optimizer adam --batch-size 8 --epochs 2 --save "$saved"
    # As other programs write: no checksums, data right behind the header.
    printf '\000\000\200\077\000\000\000\100\000\000\100\100\001\000\377' |
        tensor_file plain.st '{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"I8","shape":[3],"data_offsets":[12,15]},"__metadata__":{"format":"pt"}}'
}

test_usage() {
    succeeds 'state: help' state --help
    prints 'Usage: glissade state COMMAND' '  and how it is used'
    succeeds 'state: version' state --version
    fails 2 'no command' 'state: no command' state
    fails 2 "'dance'" 'state: an unknown command' state dance
    for command in show verify diff convert; do
        succeeds "state $command: help" state $command --help
        prints "Usage: glissade state $command [OPTION]... " '  and how it is used'
        prints 'Exit codes: 0 ' '  and the exit codes'
        fails 2 "'--nonsense'" "state $command: an unknown option" state $command --nonsense "$saved"
        fails 2 'nothing was given' "state $command: no file" state $command
        fails 2 'takes no value' "state $command: a flag with a value" state $command --json=1 "$saved"
    done
    fails 2 'one was given' 'state diff: one file' state diff "$saved"
    fails 2 "unexpected argument 'c'" 'state diff: three files' state diff a b c
    fails 2 "unexpected argument 'b'" 'state show: two files' state show a b
    for option in '--dtype f8' '--dtype-for x' '--rename w' '--rename =w' '--rename w='; do
        # shellcheck disable=SC2086 # an option and its value
        fails 2 "'${option%% *}'" "state convert $option" state convert $option "$folder/plain.st" "$folder/none"
    done
    fails 2 "no tensor 'nothing'" 'a tensor to be renamed that there is not' \
        state convert --rename nothing=w "$folder/plain.st" "$folder/none"
    [ ! -e "$folder/none" ]
    ok $? 'nothing was written'
}

test_show() {
    succeeds 'show' state show "$saved"
    prints 'group 0: adam, 4 tensors, 10 steps' 'its group, its steps'
    prints '0.999                    0x1.ff7ced916872bp-1' 'its hyperparameters in both notations'
    prints 'layer0.weight, F32 [784, 256]' 'its tensors'
    prints 'state.layer1.bias.exp_avg_sq, F32 [10]' 'its state'
    prints 'train.optimizer = adam' 'its metadata'
    succeeds 'show --json' state show --json "$saved"
    json 'd["bytes"] > d["header_bytes"] and d["header_bytes"] % 4096 == 0 and d["checksums"] and d["format"] == "1"' \
        '  sizes, checksums and version'
    json 'd["groups"][0]["rule"] == "adam" and d["groups"][0]["tensors"] == 4' '  the group'
    json 'd["groups"][0]["hyperparameters"]["beta2"] == {"value": 0.999, "hex": (0.999).hex()}' '  its numbers'
    json 'd["steps"] == {"least": 10, "most": 10} == d["groups"][0]["steps"]' '  the steps'
    json 'sum(t["bytes"] for t in d["tensors"]) + d["header_bytes"] == d["bytes"]' '  the tensors'
    json 'not [key for key in d["metadata"] if "checksum" in key] and d["metadata"]["train.step"] == "10"' \
        '  the metadata'
    python3 -m json.tool "$out" >/dev/null 2>"$err"
    ok $? '  which json.tool takes'
    succeeds 'show of a file of another program' state show "$folder/plain.st"
    prints 'checksums: none' '  says that it has no checksums'
    prints 'no metadata of optimizer state; no step counts' '  and no state'
    header='{"state.0.step":{"dtype":"F32","shape":[],"data_offsets":[0,4]}'
    header="$header,"'"state.1.step":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}'
    printf '\000\000\200\077\000\000\000\100' | tensor_file torch.st "$header"
    tells 0 '1 to 2 steps' 'step counts that are arrays' state show "$folder/torch.st"
}

# A file of 60 tensors, the names of two being such that a terminal would obey them and a careless program open them.
test_names() {
    header='{"a\u001b[2J\u202e\u009b\n\\":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
    header="$header,"'"../../escaped":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}'
    for i in $(seq 10 67); do
        header="$header,\"t$i\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[$((i - 8)),$((i - 7))]}"
    done
    images 1 | head -c 60 | tensor_file names.st "$header}"
    succeeds 'show of strange names' state show "$folder/names.st"
    prints 'a\x1b[2J\u202e\u009b\n\\, U8 [1]' '  escapes them'
    [ "$(tr -d '\n -~' <"$out" | wc -c)" -eq 0 ]
    ok $? '  and prints nothing else'
    prints 'and 36 more; --tensors lists them all' '  and leaves out what is long'
    tells 0 't67, U8' 'show --tensors does not' state show --tensors "$folder/names.st"
    succeeds 'show --json of strange names' state show --json "$folder/names.st"
    json 'd["tensors"][0]["name"] == "a\x1b[2J\u202e\x9b\n\\" and len(d["tensors"]) == 60' '  has them as they are'
    [ "$(tr -d '\n -~' <"$out" | wc -c)" -eq 0 ]
    ok $? '  in ASCII'
    mkdir -p "$folder/deep/deeper"
    succeeds 'convert of strange names' state convert "$folder/names.st" "$folder/deep/deeper/out.st"
    [ "$(cd "$folder/deep" && find . -type f)" = ./deeper/out.st ] && [ ! -e "$folder/escaped" ]
    ok $? '  writes one file'
    printf 'x' | tensor_file ''"$(printf 'esc\033[2J.st')" '{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    tells 0 'esc\x1b[2J.st' 'a strange path' state show "$folder/$(printf 'esc\033[2J.st')"
}

test_verify() {
    tells 0 ': verified: ' 'verify' state verify "$saved"
    tells 0 ': not verified: no checksums' 'verify without checksums' state verify "$folder/plain.st"
    tells 3 ': not verified: no checksums' 'the same with --strict' state verify --strict "$folder/plain.st" "$saved"
    tells 0 ': verified: ' 'verify --strict' state verify --strict "$saved"
    succeeds 'verify --json' state verify --json "$saved" "$folder/plain.st"
    json '[f["verdict"] for f in d["files"]] == ["verified", "not verified"] and d["exit_code"] == 0' '  of two files'
    size=$(wc -c <"$saved")
    for offset in 0 3 8 9 100 4095 4096 $((size / 2)) $((size - 1)); do
        cp "$saved" "$folder/flipped.st"
        flip "$folder/flipped.st" "$offset"
        tells 1 ': damaged: ' "a flipped bit at $offset" state verify "$folder/flipped.st"
    done
    for length in 0 1 7 8 9 4095 4096 4097 $((size - 1)); do
        head -c "$length" "$saved" >"$folder/cut.st"
        tells 1 ': damaged: ' "cut to $length bytes" state verify "$folder/cut.st"
    done
    { cat "$saved" && printf 'x'; } >"$folder/long.st"
    tells 1 ': damaged: ' 'a byte too many' state verify "$folder/long.st"
    echo 'not a tensor file at all' >"$folder/foreign.st"
    tells 1 ': damaged: ' 'a foreign file' state verify "$folder/foreign.st"
    tells 1 ': verified: ' 'a whole file beside a damaged one' state verify "$folder/long.st" "$saved" "$folder/none"
    run state verify --json "$folder/long.st" "$saved" "$folder/none"
    json '[f["verdict"] for f in d["files"]] == ["damaged", "verified", "unreadable"] and d["exit_code"] == 1' \
        '  as JSON'
    json 'd["files"][0]["message"] and d["files"][2]["status"] == "GLISSADE_STATUS_IO"' '  with the reasons'
}

test_unreadable() {
    ln -s run.st "$folder/link.st"
    mkfifo "$folder/fifo.st"
    for name in none.st link.st fifo.st data no-folder/x.st run.st/x.st; do
        tells 2 ': unreadable: ' "verify $name" state verify "$folder/$name"
        for command in show convert; do
            fails 2 "$name" "$command $name" state $command "$folder/$name" ${command#show} 2>/dev/null
        done
    done
    fails 2 'none.st' 'diff with a file that is not there' state diff "$saved" "$folder/none.st"
    fails 2 'long.st' 'diff with a damaged file' state diff "$saved" "$folder/long.st"
    fails 1 'long.st' 'show of a damaged file' state show "$folder/long.st"
    if [ "$(id -u)" -eq 0 ]; then
        number=$((number + 1))
        echo "ok $number - a file without permission # SKIP root may read all"
    else
        cp "$saved" "$folder/locked.st" && chmod 0 "$folder/locked.st"
        tells 2 'ermission denied' 'a file without permission' state verify "$folder/locked.st"
    fi
    fails 2 'option threads is 65535' 'threads that cannot be had' state verify --threads 65535 "$saved"
}

test_diff() {
    cp "$saved" "$folder/same.st"
    tells 0 'no difference: 16 tensors' 'diff of copies' state diff "$saved" "$folder/same.st"
    succeeds 'the same as JSON' state diff --json "$saved" "$folder/same.st"
    json 'd["same"] and d["compared"] == 16 and d["different"] == [] == d["metadata"]' '  says so'
    # 1, 2, 3 against 1, 2 + an ulp, NaN.
    printf '\000\000\200\077\001\000\000\100\000\000\300\177\001\000\377' |
        tensor_file other.st '{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"I8","shape":[3],"data_offsets":[12,15]},"__metadata__":{"format":"np"}}'
    tells 1 'w: 2 of 3 elements differ, 3 of 12 bytes, the first at 4; at most by 2.384185791015625e-07 (element 1) and by 1 ulp (element 1); 1 with NaN' \
        'diff of numbers' state diff "$folder/plain.st" "$folder/other.st"
    prints 'metadata format: pt in A, np in B' '  and of metadata'
    tells 1 '1 tensors and 0 lines of metadata differ' 'diff --ignore' state diff --ignore form "$folder/plain.st" "$folder/other.st"
    run state diff --json "$folder/plain.st" "$folder/other.st"
    json 'd["different"][0]["largest_difference"] == 2 ** -22 and d["different"][0]["largest_ulp"] == 1' '  as JSON'
    json '[d["different"][0][k] for k in ("name", "differing_elements", "differing_bytes", "with_nan")] == ["w", 2, 3, 1]' \
        '  with what it counted'
    printf '\000\000\200\077\000\000\000\100abcd' |
        tensor_file shaped.st '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"c":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}'
    tells 1 'w: F32 [3] in A, F32 [2] in B' 'diff of shapes' state diff "$folder/plain.st" "$folder/shaped.st"
    prints 'b: only in A, I8 [3]' '  what is only in the one'
    prints 'c: only in B, F32 [1]' '  what is only in the other'
    prints 'metadata format: only in A, pt' '  and a line'
    run state diff --json "$folder/plain.st" "$folder/shaped.st"
    json '(d["only_in_a"], d["only_in_b"], d["another_type"][0]["shape"]) == (["b"], ["c"], [[3], [2]])' '  as JSON'
}

test_convert() {
    run state convert "$folder/plain.st" "$folder/sums.st"
    [ "$code" -eq 0 ] && grep -q 'note: .*plain.st. has no checksums and could not be verified' "$err"
    ok $? 'convert says that it could not verify'
    tells 0 ': verified: ' '  and adds checksums' state verify "$folder/sums.st"
    tells 0 'no difference' '  and changes nothing' state diff "$folder/plain.st" "$folder/sums.st"
    fails 2 "exists; --force replaces it" 'convert does not overwrite' state convert "$saved" "$folder/sums.st"
    tells 0 'no difference' '  and did not' state diff "$folder/plain.st" "$folder/sums.st"
    succeeds 'convert --force does' state convert --force "$saved" "$folder/sums.st"
    tells 0 'no difference' '  and did' state diff "$saved" "$folder/sums.st"
    succeeds 'onto itself' state convert --force "$folder/sums.st" "$folder/sums.st"
    tells 0 'no difference' '  changes nothing' state diff "$saved" "$folder/sums.st"
    succeeds 'convert --no-checksums' state convert --no-checksums --json "$saved" "$folder/bare.st"
    json 'd["verified"] and not d["checksums"] and d["tensors"] == 16' '  as JSON'
    tells 3 'not verified' '  has none' state verify --strict "$folder/bare.st"
    tells 0 'no difference' '  and the same content' state diff "$saved" "$folder/bare.st"
    fails 1 'long.st' 'convert of a damaged file' state convert "$folder/long.st" "$folder/none.st"
    cp "$saved" "$folder/flipped.st" && flip "$folder/flipped.st" 5000
    fails 1 'flipped.st' 'convert of damaged data' state convert "$folder/flipped.st" "$folder/none.st"
    fails 2 'link.st' 'convert to a link' state convert "$saved" "$folder/link.st"
    fails 1 'link.st' 'convert to a link with --force' state convert --force "$saved" "$folder/link.st"
    [ -L "$folder/link.st" ] && [ ! -e "$folder/none.st" ]
    ok $? 'and none of them wrote anything'
}

test_selection() {
    succeeds 'convert --only' state convert --only layer "$saved" "$folder/weights.st"
    succeeds 'show the selection' state show --json "$folder/weights.st"
    json 'len(d["tensors"]) == 4 and d["groups"] == [] and d["format"] is None' '  weights, and no groups'
    json 'd["metadata"]["train.optimizer"] == "adam"' '  and metadata that are not the library'"'"'s'
    succeeds 'convert --without' state convert --without state.layer1 --without layer1 "$saved" "$folder/first.st"
    run state show --json "$folder/first.st"
    json 'len(d["tensors"]) == 8 and not [k for k in d["metadata"] if "layer1" in k]' '  leaves out a layer'
    json 'd["groups"][0]["tensors"] == 2' '  and its counts'
    succeeds 'convert --rename' state convert --rename layer0.weight=layer1.weight --rename layer1.weight=input \
        "$saved" "$folder/renamed.st"
    run state show --json "$folder/renamed.st"
    json 'not [t for t in d["tensors"] if "layer0.weight" in t["name"]] and d["groups"][0]["tensors"] == 4' '  renames'
    json '{"input", "state.input.exp_avg", "layer1.weight"} < {t["name"] for t in d["tensors"]}' '  tensors and state'
    json 'd["metadata"]["glissade.tensor.input.steps"] == "10"' '  and metadata'
    json '[t["shape"] for t in d["tensors"] if t["name"] == "layer1.weight"] == [[784, 256]]' '  all at once'
    succeeds 'and back' state convert --rename layer1.weight=layer0.weight --rename input=layer1.weight \
        "$folder/renamed.st" "$folder/back.st"
    tells 0 'no difference' '  to the same' state diff "$saved" "$folder/back.st"
    fails 2 'layer0.bias' 'two tensors of one name' state convert --rename layer1.bias=layer0.bias "$saved" "$folder/none.st"
}

test_dtype() {
    # 1 + 2^-8 + 2^-40 is above the tie between 1 and 1 + 2^-7, but a float of it is the tie; then 1e300, 2^-30, NaN.
    printf '\000\000\000\001\000\020\360\077\234\165\000\210\074\344\067\176\000\000\000\000\000\000\020\076\001\000\000\000\000\000\360\177' |
        tensor_file double.st '{"w":{"dtype":"F64","shape":[4],"data_offsets":[0,32]}}'
    succeeds 'double to bf16' state convert --dtype bf16 "$folder/double.st" "$folder/half.st"
    [ "$(tail -c 8 "$folder/half.st" | od -An -tx2 | tr -d '\n')" = ' 3f81 7f80 3080 7fc0' ]
    ok $? '  is rounded once'
    succeeds 'double to f16' state convert --dtype f16 "$folder/double.st" "$folder/f16.st"
    [ "$(tail -c 8 "$folder/f16.st" | od -An -tx2 | tr -d '\n')" = ' 3c04 7c00 0000 7e00' ]
    ok $? '  with infinity and zero'
    succeeds 'bf16 to double' state convert --dtype f64 "$folder/half.st" "$folder/wide.st"
    succeeds '  and back' state convert --dtype bf16 "$folder/wide.st" "$folder/narrow.st"
    tells 0 'no difference' '  is the same' state diff "$folder/half.st" "$folder/narrow.st"
    succeeds 'convert --dtype of state' state convert --dtype bf16 "$saved" "$folder/halved.st"
    run state show --json "$folder/halved.st"
    json '{t["dtype"] for t in d["tensors"] if not t["name"].endswith(".step")} == {"BF16"}' '  converts arrays'
    json '{t["dtype"] for t in d["tensors"] if t["name"].endswith(".step")} == {"F32"}' '  but no step counts'
    succeeds 'convert --dtype-for' state convert --dtype f16 --dtype-for state. "$saved" "$folder/part.st"
    run state show --json "$folder/part.st"
    json '{t["dtype"] for t in d["tensors"] if t["name"].startswith("layer")} == {"F32"}' '  leaves parameters alone'
    succeeds 'a run with split masters' train --data "$folder/data" --bf16 --state q8 --epochs 1 --save "$folder/split.st"
    succeeds 'is converted' state convert --dtype f32 "$folder/split.st" "$folder/unsplit.st"
    tells 0 'no difference' '  not at all: the halves belong together' state diff "$folder/split.st" "$folder/unsplit.st"
    succeeds 'without its state' state convert --dtype f32 --without state. "$folder/split.st" "$folder/upper.st"
    run state show --json "$folder/upper.st"
    json '{t["dtype"] for t in d["tensors"]} == {"F32"}' '  the upper halves are'
}

echo 'TAP version 13'
make_files
test_usage
test_show
test_names
test_verify
test_unreadable
test_diff
test_convert
test_selection
test_dtype
echo "1..$number"
