/* SPDX-License-Identifier: Apache-2.0 */
/* Tries the loads and stores of bytes, halfwords and half precision. Part of vocabulary_body.h. */

/* What a load makes of an element, given its bits as an unsigned number; what a store makes of a lane. */
typedef uint32_t loaded_function(uint32_t element);
typedef uint32_t stored_function(uint32_t lane);

static uint32_t as_is(uint32_t x) {
    return x;
}

static uint32_t from_i8(uint32_t x) {
    return x < 0x80 ? x : x | 0xFFFFFF00u;
}

static uint32_t from_i16(uint32_t x) {
    return x < 0x8000 ? x : x | 0xFFFF0000u;
}

static uint32_t from_f16(uint32_t x) {
    return expected_f16_widened((uint16_t)x);
}

static uint32_t upper_half(uint32_t x) {
    return x / 0x10000;
}

static uint32_t to_f16(uint32_t x) {
    return expected_f16_narrowed(x);
}

/* `left` elements, or a whole vector. */
typedef vf narrow_load(const void *x, int left);
typedef void narrow_store(void *x, vf v, int left);

#define NARROW_LOAD(name, type, load, to_float)                                                              \
    static vf narrow_load_##name(const void *x, int left) {                                                  \
        return to_float(left == WHOLE ? load((const type *)x) : load##_part((const type *)x, (size_t)left)); \
    }
#define NARROW_STORE(name, type, store, from_float)                                                          \
    static void narrow_store_##name(void *x, vf v, int left) {                                               \
        if (left == WHOLE)                                                                                   \
            store((type *)x, from_float(v));                                                                 \
        else                                                                                                 \
            store##_part((type *)x, from_float(v), (size_t)left);                                            \
    }
NARROW_LOAD(u8, uint8_t, vu_load_u8, vf_of_bits)
NARROW_LOAD(i8, int8_t, vu_load_i8, vf_of_bits)
NARROW_LOAD(u16, uint16_t, vu_load_u16, vf_of_bits)
NARROW_LOAD(i16, int16_t, vu_load_i16, vf_of_bits)
NARROW_LOAD(f16, uint16_t, vf_load_f16, )
NARROW_STORE(u8, uint8_t, vu_store_u8, vf_bits)
NARROW_STORE(u16, uint16_t, vu_store_u16, vf_bits)
NARROW_STORE(high, uint16_t, vu_store_high, vf_bits)
NARROW_STORE(f16, uint16_t, vf_store_f16, )

static const struct narrow {
    const char *name;
    size_t bytes; /* of an element */
    narrow_load *load;
    loaded_function *loaded;
    narrow_store *store;
    stored_function *stored;
} narrows[] = {
    {"u8", 1, narrow_load_u8, as_is, narrow_store_u8, as_is},
    {"i8", 1, narrow_load_i8, from_i8, NULL, NULL},
    {"u16", 2, narrow_load_u16, as_is, narrow_store_u16, as_is},
    {"i16", 2, narrow_load_i16, from_i16, NULL, NULL},
    {"high", 2, NULL, NULL, narrow_store_high, upper_half},
    {"f16", 2, narrow_load_f16, from_f16, narrow_store_f16, to_f16},
};

typedef struct narrow_transfer {
    const struct narrow *narrow;
    char *x;
    int left;
    float lanes[VF_LANES];
} narrow_transfer;

static void load_narrow(void *context) {
    narrow_transfer *t = context;
    vf_store(t->lanes, t->narrow->load(t->x, t->left));
}

static void store_narrow(void *context) {
    narrow_transfer *t = context;
    t->narrow->store(t->x, vf_load(t->lanes), t->left);
}

/* Element i, little-endian. */
static uint32_t narrow_element(const narrow_transfer *t, size_t i) {
    uint32_t element = 0;
    memcpy(&element, t->x + i * t->narrow->bytes, t->narrow->bytes);
    return element;
}

static void try_narrow_load(narrow_transfer *t, size_t n, const char *where, findings *f) {
    if (!guarded_run(load_narrow, t, NULL))
        found(f, "load of %zu of %d %s %s touched memory outside", n, VF_LANES, t->narrow->name, where);
    for (size_t i = 0; i < VF_LANES; i++) {
        const uint32_t wanted = i < n ? t->narrow->loaded(narrow_element(t, i)) : 0;
        if (!same_bits(&t->lanes[i], wanted))
            found(f, "load of %zu of %d %s %s: lane %zu is 0x%08x, should be 0x%08x", n, VF_LANES,
                  t->narrow->name, where, i, value_bits(t->lanes[i]), wanted);
    }
}

static void try_narrow_store(narrow_transfer *t, size_t n, const char *where, findings *f) {
    if (!guarded_run(store_narrow, t, NULL))
        found(f, "store of %zu of %d %s %s touched memory outside", n, VF_LANES, t->narrow->name, where);
    const uint32_t mask = t->narrow->bytes == 1 ? 0xFF : 0xFFFF;
    for (size_t i = 0; i < n; i++) {
        const uint32_t wanted = t->narrow->stored(value_bits(t->lanes[i])) & mask;
        if (narrow_element(t, i) != wanted)
            found(f, "store of 0x%08x as %s %s: 0x%04x, should be 0x%04x", value_bits(t->lanes[i]),
                  t->narrow->name, where, narrow_element(t, i), wanted);
    }
}

/* Against one guard, against the other, and in between, where bytes around it must stay. */
static void try_narrow_transfer(const guarded *memory, narrow_transfer *t, int place, uint64_t seed,
                                findings *f) {
    const size_t n = t->left == WHOLE ? VF_LANES : (size_t)t->left, bytes = n * t->narrow->bytes;
    char *begin = (char *)memory->begin, *end = (char *)memory->end;
    t->x = place == GUARDED_AT_END     ? end - bytes
           : place == GUARDED_AT_START ? begin
                                       : begin + 64 + (size_t)place * t->narrow->bytes;
    memset(begin, 0xA5, (size_t)(end - begin));
    for (size_t i = 0; i < bytes; i++)
        t->x[i] = (char)value_at(FILL_BITS, seed, i);
    if (t->narrow->load)
        try_narrow_load(t, n, guarded_place_text(place), f);
    values_fill(t->lanes, VF_LANES, FILL_MIXED, seed, 1);
    if (t->narrow->store)
        try_narrow_store(t, n, guarded_place_text(place), f);
    for (const char *x = begin; x < end; x++)
        if ((x < t->x || x >= t->x + bytes) && (unsigned char)*x != 0xA5)
            found(f, "store of %zu of %d %s %s wrote outside", n, VF_LANES, t->narrow->name,
                  guarded_place_text(place));
}

/* Every half there is, there and back, and its neighbours among the floats. */
static void try_f16(findings *f) {
    for (uint32_t half = 0; half < 0x10000; half += VF_LANES) {
        uint16_t x[VF_LANES], back[VF_LANES];
        float lanes[VF_LANES];
        for (uint32_t i = 0; i < VF_LANES; i++)
            x[i] = (uint16_t)(half + i);
        vf_store(lanes, vf_load_f16(x));
        for (uint32_t i = 0; i < VF_LANES; i++)
            if (!same_bits(&lanes[i], expected_f16_widened(x[i]))) {
                found(f, "f16 0x%04x is 0x%08x", x[i], value_bits(lanes[i]));
                return;
            }
        for (int off = -0x1001; off <= 0x1001; off += off == -1 || off == 0 ? 1 : 0x1000) {
            for (uint32_t i = 0; i < VF_LANES; i++)
                lanes[i] = value_of_bits(expected_f16_widened(x[i]) + (uint32_t)off);
            vf_store_f16(back, vf_load(lanes));
            for (uint32_t i = 0; i < VF_LANES; i++)
                if (back[i] != expected_f16_narrowed(value_bits(lanes[i]))) {
                    found(f, "f16 of 0x%08x is 0x%04x", value_bits(lanes[i]), back[i]);
                    return;
                }
        }
    }
}

static void try_narrow_memory(findings *f) {
    guarded memory;
    if (!guarded_open(&memory, VF_LANES)) {
        found(f, "no guarded memory");
        return;
    }
    uint64_t seed = 0;
    for (size_t i = 0; i < sizeof narrows / sizeof *narrows; i++)
        for (int place = 0; place < GUARDED_PLACES; place++)
            for (int left = WHOLE; left < VF_LANES; left++, seed++)
                try_narrow_transfer(&memory, &(narrow_transfer){.narrow = &narrows[i], .left = left}, place,
                                    seed, f);
    try_f16(f);
    guarded_close(&memory);
}
