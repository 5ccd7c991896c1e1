#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the first inputs of the fuzz targets: tests/fuzz/seeds.py FOLDER makes FOLDER/TARGET/*. The fuzzers go on from
there; what is kept of both is in corpus/ (tests/fuzz/run FOLDER minimise)."""

import pathlib
import random
import struct
import sys


def tensor(name, dtype, shape, begin, end):
    return f'"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}'


def headers():
    """JSON, size of the data."""
    sums = ('"glissade.checksum.chunk":"4096","glissade.checksum.data":"%s",'
            '"glissade.checksum.header":"0000000000000000"')
    yield "{}", 0
    yield '{"__metadata__":{}}  \n', 0
    yield '{"__metadata__":{"format":"pt"},' + tensor("a.b", "F32", "[2,3]", 0, 24) + "}", 24
    yield "{" + tensor("b", "BF16", "[2]", 8, 12) + ", " + tensor("a", "I64", "[]", 0, 8) + " }", 12
    yield "{" + tensor("z", "F4", "[4]", 0, 2) + "," + tensor("e", "U8", "[0,7]", 2, 2) + "}", 2
    yield "{" + tensor("big", "F32", "[4294967296,4294967296]", 0, 4) + "}", 4
    yield '{"__metadata__":{' + sums % ("0123456789abcdef" * 2) + "}," + tensor("x", "U8", "[4097]", 0, 4097) + "}", 4097
    yield '{"__metadata__":{' + sums % "" + "}}", 0
    yield "{" + tensor("\\u00e9\\ud83d\\ude00\\n\\\"", "U8", "[1]", 0, 1) + "}", 1
    yield "{" + tensor("é😀", "C64", "[1]", 0, 8) + "}", 8
    yield "{" + tensor("x", "F6_E2M3", "[4]", 0, 3) + "," + tensor("x", "F64", "[1]", 3, 11) + "}", 11
    for bad in ("-1", "1.0", "1e3", "01", "18446744073709551616", "null"):
        yield "{" + tensor("x", "U8", f"[{bad}]", 0, 1) + "}", 1
    yield '{"\\ud800":{}}', 0
    yield '{"x":[[[[[{{{', 0


def calls():
    """Sequences for api.c: a group of each rule, two steps, save, damage of each kind, load; its opcodes and their bytes."""
    r = random.Random(1)
    add, label, step, put, save, load, damage, behind = 0, 2, 3, 4, 5, 6, 7, 10
    for rule in range(20):
        sequence = [add, 0, rule, 0, rule & 1, 1]
        for _ in range(2):
            sequence += [r.randrange(9), r.randrange(4), r.randrange(256), r.randrange(7)]
        if rule % 3 == 0:
            sequence += [label, 0] + [0, 0] + [1, 0] + [2, 0]
        sequence += [step, 0, step, r.randrange(16), put, 0, 0, r.randrange(8), 2]
        for kind in range(4):
            sequence += [save, 0, r.choice([0, 4, 8]), damage, 0, kind] + [r.randrange(256) for _ in range(6)] + [load, 0, r.randrange(64)]
        yield bytes(sequence + [behind, 1, 0, 0, load, 1, 1, step, 0])


def structs():
    """Inputs for options.c: each call with structs of today's size, all zeros or small numbers."""
    r = random.Random(2)
    for call in range(6):
        yield bytes([call] + [0] * 100)
        yield bytes([call] + [r.choice([0, 0, 0, 1, 2, 8, 200, 255]) for _ in range(160)])


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in ("header", "options", "api"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for i, (text, size) in enumerate(headers()):
        data = text.encode()
        (folder / "header" / f"seed-{i:02}").write_bytes(struct.pack("<Q", size) + data)
        if size < 100:
            (folder / "header" / f"file-{i:02}").write_bytes(struct.pack("<Q", len(data)) + data + bytes(size))
    for name, inputs in (("options", structs()), ("api", calls())):
        for i, data in enumerate(inputs):
            (folder / name / f"seed-{i:02}").write_bytes(data)


if __name__ == "__main__":
    main()
