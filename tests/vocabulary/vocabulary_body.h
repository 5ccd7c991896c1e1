/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries every operation of the vocabulary that was included before, and defines
 * vocabulary_test_<VOCABULARY_ISA>. Knows no instruction set. Everything here is static: what is compiled
 * with the flags of an instruction set must not be linked into other code.
 */
#include <stdarg.h>
#include <stdio.h>

#include "guarded.h"
#include "values.h"
#include "vocabulary.h"

/* Where the first failure is told, and how many there were. */
typedef struct findings {
    char *message;
    size_t room;
    int count;
} findings;

__attribute__((format(printf, 2, 3))) static void found(findings *f, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (f->count++ == 0)
        vsnprintf(f->message, f->room, format, arguments);
    va_end(arguments);
}

/* ---- operations lane by lane ---- */

/* Pads the end, so that operands can be read a vector at a time. */
static uint32_t operands[3][OPERANDS_ROOM + VF_LANES];

static vf operand(int which, size_t i) {
    float x[VF_LANES];
    memcpy(x, &operands[which][i], sizeof x);
    return vf_load(x);
}

typedef vf try_function(vf a, vf b, vf c);

#define TRY(name, expression)                                                                                \
    static vf try_##name(vf a, vf b, vf c) {                                                                 \
        (void)a, (void)b, (void)c;                                                                           \
        return expression;                                                                                   \
    }
TRY(add, vf_add(a, b))
TRY(sub, vf_sub(a, b))
TRY(mul, vf_mul(a, b))
TRY(div, vf_div(a, b))
TRY(sqrt, vf_sqrt(a))
TRY(fma, vf_fma(a, b, c))
TRY(abs, vf_abs(a))
TRY(xor, vf_xor(a, b))

/* The other choice is ~c, made by exclusive or with a value of which every bit is set. */
static vf try_less_select(vf a, vf b, vf c) {
    return vf_select(vf_less(a, b), c, vf_xor(c, vf_set1(value_of_bits(0xFFFFFFFFu))));
}

static vf try_nan_select(vf a, vf b, vf c) {
    (void)b;
    return vf_select(vf_nan(a), c, vf_xor(c, vf_set1(value_of_bits(0xFFFFFFFFu))));
}

TRY(min, vf_min(a, b))
TRY(max, vf_max(a, b))

/* Integers come and go as the bits of floats. */
#define TRY_INTEGER(name, expression)                                                                        \
    static vf try_##name(vf a_bits, vf b_bits, vf c_bits) {                                                  \
        const vu a = vf_bits(a_bits), b = vf_bits(b_bits), c = vf_bits(c_bits);                              \
        (void)a, (void)b, (void)c;                                                                           \
        return vf_of_bits(expression);                                                                       \
    }

static vu product(vu a, int upper) {
    vu high;
    const vu low = vu_mul(a, VOCABULARY_FACTOR, &high);
    return upper ? high : low;
}

TRY_INTEGER(int_to_float, vf_bits(vf_from_int(vu_sub(vu_right(a, 8), vu_set1(1u << 23)))))
TRY_INTEGER(float_to_int,
            vf_to_int(vf_mul(vf_of_bits(vu_and(a, vu_set1(0xBFFFFFFFu))), vf_set1(VOCABULARY_SCALING))))
TRY_INTEGER(int_add, vu_add(a, b))
TRY_INTEGER(int_sub, vu_sub(a, b))
TRY_INTEGER(and, vu_and(a, b))
TRY_INTEGER(or, vu_or(a, b))
TRY_INTEGER(int_xor, vu_xor(a, b))
TRY_INTEGER(int_max, vu_max(a, b))
TRY_INTEGER(product_low, product(a, 0))
TRY_INTEGER(product_high, product(a, 1))
TRY_INTEGER(left_1, vu_left(a, 1))
TRY_INTEGER(left_23, vu_left(a, 23))
TRY_INTEGER(right_3, vu_right(a, 3))
TRY_INTEGER(right_16, vu_right(a, 16))
TRY_INTEGER(right_31, vu_right(a, 31))
TRY_INTEGER(positive, vu_positive(a))
TRY_INTEGER(where, vu_where(vf_less(a_bits, b_bits), c))
TRY_INTEGER(unless, vu_unless(vf_less(a_bits, b_bits), c))
TRY_INTEGER(int_select, vu_select(vf_less(a_bits, b_bits), c, vu_xor(c, vu_set1(0xFFFFFFFFu))))

static const struct operation {
    const char *name;
    try_function *run;
    expected_function *expected;
    int any_nan; /* the result is arithmetic: which NaN it is does not count */
} operations[] = {
    {"add", try_add, expected_add, 1},
    {"sub", try_sub, expected_sub, 1},
    {"mul", try_mul, expected_mul, 1},
    {"div", try_div, expected_div, 1},
    {"sqrt", try_sqrt, expected_sqrt, 1},
    {"fma", try_fma, expected_fma, 1},
    {"abs", try_abs, expected_abs, 0},
    {"xor", try_xor, expected_xor, 0},
    {"less and select", try_less_select, expected_less_select, 0},
    {"nan and select", try_nan_select, expected_nan_select, 0},
    {"min", try_min, expected_min, 0},
    {"max", try_max, expected_max, 0},
    {"integer to float", try_int_to_float, expected_int_to_float, 0},
    {"float to integer", try_float_to_int, expected_float_to_int, 0},
    {"integer add", try_int_add, expected_int_add, 0},
    {"integer sub", try_int_sub, expected_int_sub, 0},
    {"and", try_and, expected_and, 0},
    {"or", try_or, expected_or, 0},
    {"integer xor", try_int_xor, expected_xor, 0},
    {"integer max", try_int_max, expected_int_max, 0},
    {"product, lower half", try_product_low, expected_product_low, 0},
    {"product, upper half", try_product_high, expected_product_high, 0},
    {"left by 1", try_left_1, expected_left_1, 0},
    {"left by 23", try_left_23, expected_left_23, 0},
    {"right by 3", try_right_3, expected_right_3, 0},
    {"right by 16", try_right_16, expected_right_16, 0},
    {"right by 31", try_right_31, expected_right_31, 0},
    {"positive", try_positive, expected_positive, 0},
    {"where", try_where, expected_where, 0},
    {"unless", try_unless, expected_unless, 0},
    {"less and integer select", try_int_select, expected_less_select, 0},
};

static uint32_t comparable(const struct operation *o, uint32_t bits) {
    return o->any_nan ? value_canonical(bits) : bits;
}

static void try_operation(const struct operation *o, size_t count, findings *f) {
    for (size_t i = 0; i < count; i += VF_LANES) {
        float result[VF_LANES];
        vf_store(result, o->run(operand(0, i), operand(1, i), operand(2, i)));
        for (size_t lane = 0; lane < VF_LANES && i + lane < count; lane++) {
            const uint32_t a = operands[0][i + lane], b = operands[1][i + lane], c = operands[2][i + lane];
            uint32_t got;
            memcpy(&got, &result[lane], sizeof got);
            const uint32_t wanted = o->expected(a, b, c);
            if (comparable(o, got) != comparable(o, wanted)) {
                found(f, "%s of 0x%08x, 0x%08x, 0x%08x in lane %zu is 0x%08x, should be 0x%08x", o->name, a,
                      b, c, lane, got, wanted);
                return;
            }
        }
    }
}

static void try_set1(size_t count, findings *f) {
    for (size_t i = 0; i < count; i++) {
        uint32_t got[VF_LANES];
        float result[VF_LANES];
        vf_store(result, vf_set1(value_of_bits(operands[0][i])));
        memcpy(got, result, sizeof got);
        for (size_t lane = 0; lane < VF_LANES; lane++)
            if (got[lane] != operands[0][i]) {
                found(f, "set1 of 0x%08x in lane %zu is 0x%08x", operands[0][i], lane, got[lane]);
                return;
            }
    }
}

static void try_xor_lanes(size_t count, findings *f) {
    for (size_t i = 0; i + VF_LANES <= count; i++) {
        uint32_t wanted = 0;
        for (size_t lane = 0; lane < VF_LANES; lane++)
            wanted ^= operands[1][i + lane];
        const uint32_t got = vf_xor_lanes(operand(1, i));
        if (got != wanted) {
            found(f, "xor_lanes from operand %zu on is 0x%08x, should be 0x%08x", i, got, wanted);
            return;
        }
    }
}

/* How many of the first lanes: of every operand with the next, so that masks of all kinds come by. */
static void try_count(size_t count, findings *f) {
    for (size_t i = 0; i + VF_LANES <= count; i++) {
        const vf_mask mask = vf_less(operand(0, i), operand(1, i));
        size_t wanted = 0;
        for (size_t lanes = 0; lanes <= VF_LANES; lanes++) {
            const size_t got = vf_count(mask, lanes);
            if (got != wanted) {
                found(f, "count of %zu lanes from operand %zu on is %zu, should be %zu", lanes, i, got,
                      wanted);
                return;
            }
            if (lanes < VF_LANES)
                wanted += expected_less(operands[0][i + lanes], operands[1][i + lanes]);
        }
    }
}

/* Onto sums that are off by a last bit if the square is rounded before it is added. */
static void try_add_squares(size_t count, findings *f) {
    for (size_t i = 0; i + VF_LANES <= count; i++) {
        double room[VF_LANES + 1], *sums = room + i % 2;
        uint64_t wanted[VF_LANES];
        for (size_t lane = 0; lane < VF_LANES; lane++) {
            sums[lane] = expected_sum(operands[1][i + lane]);
            wanted[lane] = expected_add_square(sums[lane], operands[0][i + lane]);
        }
        vf_add_squares(sums, operand(0, i));
        for (size_t lane = 0; lane < VF_LANES; lane++)
            if (expected_double_bits(sums[lane]) != wanted[lane]) {
                found(f, "square of 0x%08x added in lane %zu is %a, should be 0x%016llx",
                      operands[0][i + lane], lane, sums[lane], (unsigned long long)wanted[lane]);
                return;
            }
    }
}

static void try_lanes(findings *f) {
    float result[VF_LANES];
    vf_store(result, vf_of_bits(vu_lanes()));
    for (uint32_t lane = 0; lane < VF_LANES; lane++)
        if (value_bits(result[lane]) != lane)
            found(f, "lanes in lane %u is %u", lane, value_bits(result[lane]));
}

static void try_max_lanes(size_t count, findings *f) {
    for (size_t i = 0; i + VF_LANES <= count; i++) {
        uint32_t wanted = 0;
        for (size_t lane = 0; lane < VF_LANES; lane++)
            wanted = operands[1][i + lane] > wanted ? operands[1][i + lane] : wanted;
        const uint32_t got = vu_max_lanes(vf_bits(operand(1, i)));
        if (got != wanted) {
            found(f, "max_lanes from operand %zu on is 0x%08x, should be 0x%08x", i, got, wanted);
            return;
        }
    }
}

/* ---- memory ---- */

enum { WHOLE = -1 }; /* in place of a number of lanes: the whole vector, by vf_load and vf_store */

typedef struct transfer {
    float *x;
    int left;
    float lanes[VF_LANES]; /* what was loaded, or is to be stored */
} transfer;

static void load(void *context) {
    transfer *t = context;
    vf_store(t->lanes, t->left == WHOLE ? vf_load(t->x) : vf_load_part(t->x, (size_t)t->left));
}

static void store(void *context) {
    transfer *t = context;
    if (t->left == WHOLE)
        vf_store(t->x, vf_load(t->lanes));
    else
        vf_store_part(t->x, vf_load(t->lanes), (size_t)t->left);
}

static int same_bits(const float *lane, uint32_t bits) {
    return memcmp(lane, &bits, sizeof bits) == 0;
}

/* Loads and stores one transfer at one place, both sides guarded or marked. */
static void try_transfer(const guarded *memory, int place, int left, findings *f) {
    const size_t n = left == WHOLE ? VF_LANES : (size_t)left;
    transfer t = {.x = guarded_place(memory, place, n), .left = left};
    const char *where = guarded_place_text(place);

    values_fill(t.x, n, FILL_BITS, (uint64_t)place, n);
    guarded_mark(memory, t.x, n);
    if (!guarded_run(load, &t, NULL))
        found(f, "load of %zu of %d elements %s touched memory outside", n, VF_LANES, where);
    for (size_t i = 0; i < VF_LANES; i++)
        if (!same_bits(&t.lanes[i], i < n ? value_at(FILL_BITS, (uint64_t)place, n + i) : 0))
            found(f, "load of %zu of %d elements %s: lane %zu is wrong", n, VF_LANES, where, i);

    values_fill(t.lanes, VF_LANES, FILL_BITS, 77, n);
    if (!guarded_run(store, &t, NULL))
        found(f, "store of %zu of %d elements %s touched memory outside", n, VF_LANES, where);
    for (size_t i = 0; i < n; i++)
        if (!same_bits(&t.x[i], value_at(FILL_BITS, 77, n + i)))
            found(f, "store of %zu of %d elements %s: element %zu is wrong", n, VF_LANES, where, i);
    if (!guarded_marks_intact(memory, t.x, n))
        found(f, "store of %zu of %d elements %s wrote outside", n, VF_LANES, where);
}

static void try_memory(int at_end, findings *f) {
    guarded memory;
    if (!guarded_open(&memory, VF_LANES)) {
        found(f, "no guarded memory");
        return;
    }
    for (int place = 0; place < GUARDED_PLACES; place++)
        for (int left = WHOLE; left < VF_LANES; left++)
            try_transfer(&memory, place == GUARDED_AT_END ? at_end : place, left, f);
    guarded_close(&memory);
}

#include "vocabulary_narrow.h"

/* ---- all ---- */

static int test_all(char *message, size_t room, int at_end) {
    findings f = {message, room, 0};
    const size_t count = expected_operands(operands[0], operands[1], operands[2]);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        try_operation(&operations[i], count, &f);
    try_set1(count, &f);
    try_xor_lanes(count, &f);
    try_count(count, &f);
    try_add_squares(count, &f);
    try_lanes(&f);
    try_max_lanes(count, &f);
    try_memory(at_end, &f);
    try_narrow_memory(&f);
    return f.count;
}

#define JOINED(a, b) a##b
#define NAMED(a, b)  JOINED(a, b)
int NAMED(vocabulary_test_, VOCABULARY_ISA)(char *message, size_t room, int at_end) {
    return test_all(message, room, at_end);
}
