#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which tensor files are accepted: this library's reader beside the safetensors package.

    pip install safetensors
    ninja -C build tests/interop_accept
    tests/interop/safetensors_acceptance.py build/tests/interop_accept [FILES [SEED [FOLDER]]]

Makes FILES files (default 20,000): valid ones, ones with a value replaced by a hostile one, ones with bytes changed or
cut off, and ones written by hand; and takes those of FOLDER, inputs of tests/fuzz/header.c. Asks both and prints how often they agree, and every class of disagreement. Of files
that both accept it compares the tables: names, dtypes, shapes, bytes, metadata. Exits with 1 if the library accepts what
the package refuses, if tables differ, or if it refuses what the package accepts and none of the stricter rules in
glissade/file.h tells why; those rules are written down here a second time, in stricter(). Not part of the ordinary tests,
which need no Python packages; run it when the reader or the package changes.
"""

import collections
import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

import safetensors

BITS = {"F64": 64, "I64": 64, "U64": 64, "C64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16,
        "U16": 16, "I8": 8, "U8": 8, "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8,
        "F8_E5M2FNUZ": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4}
FIELDS = ("dtype", "shape", "data_offsets")
NAMES = ["a", "weight", "layer.0.weight", "", " ", "é", "😀", "\n", '"', "\\", "a/b", "../x", "__metadata", "\x7f", "\u2028",
         "state.x.exp_avg", "\x01", "\ufffe", "very" * 40]
NUMBERS = ["-1", "-0", "1.0", "0.0", "1e0", "1E2", "1e-1", "1e400", "01", "00", "+1", ".5", "5.", "0x10", "null", "true", '"1"',
           "[1]", "{}", "NaN", "Infinity", "", "9223372036854775807", "9223372036854775808", "18446744073709551615",
           "18446744073709551616", "4294967296", "2305843009213693952", "0", "1", "2", "3", "7", "99999999999999999999999"]
VALUES = ["null", "true", "1", "-1", "1.5", '""', '"U8"', '"F32"', '"u8"', '"U4"', '"F128"', "[]", "{}", "[1]", "[0,0]", "[0,1]",
          "[0,0,0]", "[[0],[1]]", '{"a":"b"}', '{"U8":null}', '{"U8":[]}', '["U8",[1],[0,1]]', '["U8",[0],[0,0]]',
          '["U8",[0],[0,0],0]', "[" * 200 + "]" * 200, '{"x":' * 130 + "1" + "}" * 130, '"\\ud800"', '"\\u0000"',
          '"F8_E4M3FNUZ"', '"\\u00558"']
BY_HAND = [b"", b"{", b"{}", b" {}", b"\t{}", b"{}\n", b"{} \t\r\n", b"{}\0", b"{}{}", b"\xef\xbb\xbf{}", b"[]", b"null", b'""',
           b"{,}", b"{\"\":{}}", b"{ }", b"{/**/}", b"{\"__metadata__\":null}", b"{\"__metadata__\":{}}",
           b"{\"__metadata__\":{},\"__metadata__\":{}}", b"{\"__metadata__\":null,\"__metadata__\":null}",
           b"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", b"{\"__metadata__\":{\"a\":null}}", b"{\"__metadata__\":[]}",
           b"{\"__metadata__\":[[\"a\",\"b\"]]}", b"{\"__metadata__\":{\"a\":1}}", b"{\"__metadata_\\u005f\":{\"a\":\"\\u0000\"}}",
           b"{\"a\\u0000\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", b"{\"\xc0\x80\":{}}", b"{\"\xed\xa0\x80\":{}}",
           b"{\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"more\":null}}",
           b"{\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"dtype\":\"U8\"}}",
           b"{\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
           b"{\"x\":[\"U8\",[0],[0,0]]}", b"{\"x\":{\"dtype\":{\"U8\":null},\"shape\":[0],\"data_offsets\":[0,0]}}",
           b"{\"x\":{\"dtype\":\"U8\",\"shape\":[18446744073709551615,0],\"data_offsets\":[0,0]}}",
           b"{\"x\":{\"dtype\":\"U8\",\"shape\":[0,18446744073709551615,18446744073709551615],\"data_offsets\":[0,0]}}",
           b"{\"x\":{\"dtype\":\"U8\",\"shape\":[18446744073709551615,18446744073709551615,0],\"data_offsets\":[0,0]}}",
           b"{\"x\":{\"dtype\":\"U8\",\"shape\":[2305843009213693952,0],\"data_offsets\":[0,0]}}",
           b"{\"x\":{\"dtype\":\"F4\",\"shape\":[0],\"data_offsets\":[0,0]}}",
           b"{\"glissade.checksum.chunk\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
           b"{\"__metadata__\":{\"glissade.checksum.chunk\":\"4096\"}}", b"{\"__metadata__\":{\"glissade.checksum.x\":\"\"}}",
           b"{\"__metadata__\":{\"glissade.checksum.chunk\":\"4096\",\"glissade.checksum.data\":\"\","
           b"\"glissade.checksum.header\":\"0123456789abcdef\"}}"]


def quote(r, text):
    """A text as JSON, in one of the ways to write it."""
    if r.random() < 0.1:
        return '"' + "".join("\\u%04x" % u for u in struct.unpack(f"<{len(text.encode('utf-16-le')) // 2}H",
                                                                  text.encode("utf-16-le"))) + '"'
    return json.dumps(text, ensure_ascii=r.random() < 0.5)


def space(r):
    return r.choice(["", "", "", "", " ", "\n", "\t \r\n"]) if r.random() < 0.2 else ""


def tensors(r):
    """Some tensors that fill their file: name, dtype, shape, begin, end; and how long that is."""
    made, at = [], 0
    for name in r.sample(NAMES, r.randint(0, 5)):
        dtype = r.choice(list(BITS))
        shape = [r.choice([0, 1, 1, 2, 3, 4, 8]) for _ in range(r.choice([0, 1, 1, 2, 2, 3, 4]))]
        if r.random() < 0.02:
            shape += [1] * r.choice([60, 64, 65, 100])
        if r.random() < 0.02:
            shape += [0] + [r.choice([2**32, 2**60, 2**64 - 1])]
        bits = BITS[dtype]
        for d in shape:
            bits *= d
        made.append([name, f'"{dtype}"', [str(d) for d in shape], str(at), str(at + bits // 8)])
        at += bits // 8
    r.shuffle(made)
    return made, at


def spoil(r, made):
    """Replaces one thing."""
    tensor = r.choice(made)
    what = r.randrange(6)
    number = r.choice(NUMBERS)
    if what == 0:
        tensor[1] = r.choice(VALUES)
    elif what == 1 and tensor[2]:
        tensor[2][r.randrange(len(tensor[2]))] = number
    elif what == 2:
        tensor[r.choice([3, 4])] = number
    elif what == 3:
        place = r.choice([3, 4])
        tensor[place] = str(max(0, int(tensor[place]) + r.choice([-1, 1, 4, -4])))
    elif what == 4:
        made.append(list(r.choice(made)))
    else:
        tensor[2].insert(0, number)


def write(r, made, hostile):
    items = []
    for name, dtype, shape, begin, end in made:
        fields = [("dtype", dtype), ("shape", "[" + ("," + space(r)).join(shape) + "]"), ("data_offsets", f"[{begin},{end}]")]
        if r.random() < 0.3:
            r.shuffle(fields)
        if hostile and r.random() < 0.1:
            what = r.randrange(4)
            if what == 0:
                fields.pop(r.randrange(len(fields)))
            elif what == 1:
                fields.append(r.choice(fields))
            elif what == 2:
                fields.append(("more", r.choice(VALUES)))
            else:
                fields[r.randrange(len(fields))] = (r.choice(FIELDS), r.choice(VALUES))
        body = ",".join(quote(r, k) + space(r) + ":" + space(r) + v for k, v in fields)
        items.append(quote(r, name) + ":" + space(r) + (r.choice(VALUES) if hostile and r.random() < 0.03 else "{" + body + "}"))
    if r.random() < 0.4:
        lines = [quote(r, k) + ":" + quote(r, r.choice(NAMES)) for k in r.sample(NAMES, r.randint(0, 3))]
        if hostile and r.random() < 0.1 and lines:
            lines.append(r.choice([r.choice(lines), '"a":' + r.choice(VALUES)]))
        items.insert(r.randint(0, len(items)), '"__metadata__":{' + ",".join(lines) + "}")
        if hostile and r.random() < 0.05:
            items.append(f'"__metadata__":{r.choice(VALUES)}')
    text = "{" + space(r) + ",".join(i + space(r) for i in items) + "}" + r.choice(["", " ", "  \n"])
    return ((space(r) if hostile and r.random() < 0.05 else "") + text).encode()


def change(r, text):
    """Changes bytes."""
    text = bytearray(text)
    for _ in range(r.choice([1, 1, 1, 2, 4])):
        at = r.randrange(len(text) + 1)
        what = r.randrange(5)
        if what == 0 and at < len(text):
            text[at] ^= 1 << r.randrange(8)
        elif what == 1:
            text[at:at] = bytes([r.choice(b'{}[]",:\\ 019-.e\0\n\x80\xff') if r.random() < 0.8 else r.randrange(256)])
        elif what == 2:
            del text[at:at + r.choice([1, 1, 2, 8])]
        elif what == 3:
            text[at:at] = text[r.randrange(len(text) + 1):][:r.choice([1, 4, 16, 64])]
        elif at < len(text):
            text[at] = r.choice(b'0123456789{}[]",:\\ abuU')
    return bytes(text)


def make(r, index):
    """A file."""
    if index < len(BY_HAND):
        return struct.pack("<Q", len(BY_HAND[index])) + BY_HAND[index]
    made, size = tensors(r)
    kind = r.random()
    if kind >= 0.25 and made and r.random() < 0.7:
        spoil(r, made)
    text = write(r, made, kind >= 0.25)
    if kind >= 0.6:
        text = change(r, text)
    length = len(text)
    if kind >= 0.95:
        length = max(0, min(2**64 - 1, r.choice([length - 1, length + 1, 0, 1, 2, 2**64 - 1, 2**63, 10**8, 10**8 + 1])))
    whole = struct.pack("<Q", length) + text + bytes(size)
    if 0.9 <= kind < 0.95:
        whole = whole[:r.randrange(len(whole) + 1)] if r.random() < 0.5 else whole + bytes(r.randint(1, 9))
    return whole


def found(folder):
    """Files from inputs of the fuzz target: a size and JSON; and as they are."""
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        yield data
        if len(data) >= 8:
            yield struct.pack("<Q", len(data) - 8) + data[8:] + bytes(min(struct.unpack("<Q", data[:8])[0], 100000))


def stricter(whole):
    """Names of the documented rules by which the library refuses this file, which the package accepts."""
    text = whole[8:8 + struct.unpack("<Q", whole[:8])[0]].decode()
    rules = set()
    strings = []

    def pairs(items):
        strings.extend(k for k, _ in items)
        return items if isinstance(items, Map) else Map(items)

    class Map(list):
        pass

    top = json.loads(text, object_pairs_hook=pairs)
    if not text.startswith("{"):
        rules.add("does not begin with '{'")
    if len({k for k, _ in top}) < len(top):
        rules.add("a name twice")
    for name, value in top:
        if name == "__metadata__":
            if value is None:
                rules.add("__metadata__ is null")
                continue
            if len({k for k, _ in value}) < len(value):
                rules.add("a name twice")
            strings.extend(v for _, v in value)
            if any(k.startswith("glissade.checksum.") for k, _ in value):
                rules.add("checksums")
            continue
        if not isinstance(value, Map):
            rules.add("a tensor as a list")
            continue
        fields = dict(value)
        if set(fields) - set(FIELDS):
            rules.add("fields that the format does not have")
        if not isinstance(fields["dtype"], str):
            rules.add("a dtype as an object")
        if len(fields["shape"]) > 64:
            rules.add("more than 64 dimensions")
    if any("\0" in s for s in strings):
        rules.add("a zero byte")
    return rules


def table_of(answer):
    """What interop_accept has printed: {name: (dtype, offset, bytes, shape)}, {key: value}."""
    left, _, right = answer.partition(" |")
    words, lines = left.split()[1:], right.split()

    def text(word):
        return bytes.fromhex(word[1:]).decode()

    found = {text(words[i]): (words[i + 1], int(words[i + 2]), int(words[i + 3]), json.loads(words[i + 4]))
             for i in range(0, len(words), 5)}
    return found, {text(lines[i]): text(lines[i + 1]) for i in range(0, len(lines), 2)}


def difference(answer, theirs, path, whole):
    """What the tables disagree on; None if they agree."""
    ours, lines = table_of(answer)
    if set(ours) != {name for name, _ in theirs}:
        return "names"
    for name, info in theirs:
        dtype, offset, size, shape = ours[name]
        if dtype != info["dtype"] or shape != info["shape"] or whole[offset:offset + size] != info["data"]:
            return f"tensor {name!r}"
    with safetensors.safe_open(path, framework="np") as file:
        if (file.metadata() or {}) != lines:
            return "metadata"
    return None


def main():
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    r = random.Random(seed)
    files = list(found(sys.argv[4])) if len(sys.argv) > 4 else []
    files += [make(r, index) for index in range(count)]
    counts, wrong = collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                                                   text=True) as reader:
        path = os.path.join(folder, "it.safetensors")
        for whole in files:
            with open(path, "wb") as file:
                file.write(whole)
            print(path, file=reader.stdin, flush=True)
            answer = reader.stdout.readline().rstrip("\n")
            try:
                theirs = safetensors.deserialize(whole)
            except safetensors.SafetensorError as error:
                theirs, reason = None, str(error)
            rules = stricter(whole) if theirs is not None else set()
            if answer.startswith("accept"):
                if theirs is None:
                    wrong.append(("accepted what the package refuses: " + reason, whole))
                elif rules - {"checksums"}:
                    wrong.append((f"accepted against a rule: {rules}", whole))
                elif difference(answer, theirs, path, whole):
                    wrong.append(("tables differ: " + difference(answer, theirs, path, whole), whole))
                counts["both accept"] += 1
            elif theirs is None:
                counts["both refuse"] += 1
            elif rules:
                counts["the library alone refuses: " + ", ".join(sorted(rules))] += 1
            else:
                counts["the library alone refuses: NO RULE"] += 1
                wrong.append((answer, whole))
        reader.stdin.close()
    print(f"safetensors {safetensors.__version__}, {len(files)} files, seed {seed}")
    for name, number in sorted(counts.items()):
        print(f"{number:8} {name}")
    classes = collections.defaultdict(list)
    for reason, whole in wrong:
        classes[re.sub(r'".*"|[0-9]+', "*", reason.replace(path, "FILE"))].append((reason, whole))
    for name, members in classes.items():
        reason, whole = min(members, key=lambda m: len(m[1]))
        print(f"{len(members):8} WRONG: {name}\n         such as: {reason}\n         {whole!r}"[:2000])
    print(f"{len(wrong)} wrong")
    return 1 if wrong or reader.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
