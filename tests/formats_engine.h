/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors in number formats, for tests of the library as a whole: their arrays, with marks around them, their
 * descriptors, and what they hold in full. Conversions are made here a second time, one element at a time in double.
 * Knows no test framework.
 */
#ifndef FORMATS_ENGINE_H
#define FORMATS_ENGINE_H

#include "rules_list.h"
#include "scenario.h"
#include "values.h"

/* ---- formats ---- */

/* A tensor's formats. */
typedef struct layout {
    glissade_dtype parameter, gradient, copy; /* a copy in F32: none */
    glissade_master master;
    glissade_state_format state; /* of all arrays, but those that the rule keeps full, and of short tensors */
} layout;

/* What a parameter can be: floats, the same with a copy, halves, halves with a master, double. */
enum { FORMS = 9, FORM_F64 = 8 };
layout layout_of_form(int form);
const char *layout_text(const layout *it);

/* A float as a half, and back; F32 and F64 for what needs no conversion. */
uint16_t half_of(glissade_dtype dtype, float x);
float float_of_half(glissade_dtype dtype, uint16_t half);
/* Rounded to a format and back. */
float rounded_to(glissade_dtype dtype, float x);
/* A float as two halves, and back. */
void halves_split(float x, uint16_t *high, int16_t *low);
float halves_join(uint16_t high, int16_t low);

size_t dtype_bytes(glissade_dtype dtype);
/* Element i of an array, which need not be aligned, and n of them from floats. */
double array_read(glissade_dtype dtype, const void *array, size_t i);
void array_write(glissade_dtype dtype, void *array, const float *from, size_t n);

/* ---- tensors ---- */

/* One tensor's arrays, all in memory of the test's; those below `parameter` and `gradient` are used if `own`. */
typedef struct held {
    layout layout;
    size_t length, columns, offset;
    bool own;
    glissade_state_format state_format[GLISSADE_STATES];
    void *parameter, *gradient, *copy, *master, *state[GLISSADE_STATES];
    float *average;
    char *memory;
} held;

/* Arrays start so many elements after a multiple of 64 bytes; they hold zeros. */
void held_create(held *it, const layout *formats, size_t length, size_t offset, bool own);
void held_destroy(held *it);
/* Whether nothing was written around the arrays. */
bool held_intact(const held *it);
glissade_tensor held_descriptor(const held *it);

/* ---- groups of them ---- */

enum { FLEET_MOST = 8 };

typedef struct fleet {
    size_t count;
    held tensors[FLEET_MOST];
    const rule *rule;
    rule_options options;
    glissade_optimizer *optimizer; /* of its own */
    uint32_t group;
} fleet;

/* Tensors without a group, so that parameters can be written first. */
void fleet_create(fleet *it, const layout *formats, const size_t *lengths, size_t count, size_t offset,
                  bool own);
/* Adds them to an optimizer of the engine's. A state that the rule keeps full is asked for in full; false, and
 * nothing is added, if the rule refuses the formats. */
bool fleet_add(fleet *it, glissade_engine *engine, const rule *by, const rule_options *options);
void fleet_destroy(fleet *it);

glissade_tensor_info fleet_info(const fleet *it, size_t tensor);
void fleet_step(fleet *it, const glissade_step_options *options);

/* Gradients and, before the group is added, parameters: scenario_value of `seed`, rounded to the format. With a master
 * of the test's own the parameter keeps the float in full. */
void fleet_fill_parameters(fleet *it, uint64_t seed);
void fleet_fill_gradients(fleet *it, uint64_t seed);

/* Elements of a state: the tensor's, but for a matrix under adafactor. */
size_t fleet_state_length(const fleet *it, const glissade_tensor_info *info);

/* A parameter's element in full: of the master if there is one. */
double fleet_parameter(const glissade_tensor_info *info, size_t i);

/* ---- rules ---- */

/* Rules and ways to use them: every line of rules.def, and of SGD. */
typedef struct variant {
    const rule *rule;
    const char *name, *values; /* that differ from the defaults */
} variant;

size_t variants_count(void);
variant variant_at(size_t index);
rule_options variant_options(const variant *it);

#endif
