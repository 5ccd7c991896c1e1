/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading, from the inside: a plan of everything that a file brings is made and checked, the file's bytes are read and
 * checked, arrays that lack are provided, and then only is anything of the optimizer's changed, by what cannot fail.
 */
#ifndef GLS_LOAD_H
#define GLS_LOAD_H

#include "convert.h"
#include "file/read.h"
#include "parts.h"

/* A part of an array that the file brings, or zeros in its place. */
typedef struct gls_transfer {
    gls_array array;
    gls_part part;       /* with the units of 8-bit codes */
    size_t entry, units; /* of the file; entry SIZE_MAX: zeros for the whole array */
    bool same;           /* the number format is the optimizer's */
    void *home;          /* where in the array its bytes are read to at once; NULL: they wait elsewhere */
    gls_stored from;     /* once it is read */
} gls_transfer;

/* What a file brings of a tensor. */
typedef struct gls_arrival {
    const char *name; /* in the file */
    bool has_state;   /* the file says something of it */
    bool has_parameter;
    bool has_momentum; /* or what else its first array of state is */
    bool has_master;
    bool holds; /* its residual counts, */
    bool held;  /* as it did before */
    uint64_t steps, updates;
    double numbers[GLS_NUMBERS_MAX], gradient_rms;
    uint32_t stream;
    size_t step, rest;   /* entries; SIZE_MAX: none */
    size_t first, count; /* of its transfers; there is room for one an array, and one more */
} gls_arrival;

/* What it brings of a group, and what to go back to. */
typedef struct gls_group_arrival {
    size_t first;   /* of its tensors, among all */
    bool has_state; /* of any of them */
    size_t place;   /* in the file's groups; SIZE_MAX: it has none */
    void *options;  /* hyperparameters to be, */
    void *saved;    /* as the file has them (without groups in it: as they are), */
    void *before;   /* and as they are */
    double average_weight, average_saved, average_before;
    uint32_t stream;
    bool evaluates;
    uint32_t states, states_saved; /* arrays of state under those hyperparameters */
    bool defers;
    uint32_t wanted;        /* bit by bit, arrays that its tensors bring */
    uint32_t holding_count; /* before */
    bool had_storage, had_deferrals;
} gls_group_arrival;

typedef enum gls_use { GLS_USE_NONE, GLS_USE_KNOWN, GLS_USE_READ } gls_use;

typedef struct gls_loading {
    glissade_optimizer *optimizer;
    const glissade_file *file;
    const gls_header *header;
    glissade_load_options options;
    bool native; /* the file has what glissade/state.h puts into the metadata */
    uint64_t seed, group_count;
    gls_names names;
    const gls_name *
        *in_file; /* tensors by their names in the file, sorted; places are those in names.items */
    gls_name *in_file_items;
    gls_arrival *tensors; /* in the order of names.items */
    gls_group_arrival *groups;
    gls_transfer *transfers;
    unsigned char *uses; /* gls_use of each entry of the file */
    void **data;         /* where each is once it is read, or is to be read to */
    char *text;          /* room for a name or a key, */
    size_t text_room;    /* of so many bytes */
    gls_arena staged;
    glissade_load_report report;
} gls_loading;

/* The group and the tensor of a name; the group as it would be with other hyperparameters (which must outlive it). */
gls_group *gls_loading_group(const gls_loading *loading, size_t tensor);
gls_group gls_loading_shadow(const gls_group *group, void *options);

/* Refuses the file: "FILE: ...". */
__attribute__((format(printf, 3, 4))) glissade_status
gls_loading_fail(const gls_loading *loading, glissade_status status, const char *format, ...);

/* ---- load_names.c ---- */

/* What each tensor is called in the file, and room for everything that depends on their number. Returns OK, NULL_ARGUMENT,
 * INVALID_OPTION, DUPLICATE_TENSOR, OUT_OF_MEMORY. */
glissade_status gls_loading_name(gls_loading *loading);

/* Entry of the file called "state.", the tensor's name, "." and two words, or by the tensor's name alone if the first is
 * empty; SIZE_MAX: there is none. */
size_t gls_loading_find(const gls_loading *loading, size_t tensor, const char *first, const char *second);

/* ---- load_metadata.c ---- */

/* Reads the metadata: counts of tensors, hyperparameters of groups. Returns OK, INVALID_FILE, MISMATCH,
 * INVALID_HYPERPARAMETER, INVALID_COMBINATION, OUT_OF_MEMORY. */
glissade_status gls_loading_read_metadata(gls_loading *loading);

/* ---- load_arrays.c ---- */

/* Finds the arrays and checks their shapes and formats. Returns OK or MISMATCH. */
glissade_status gls_loading_find_arrays(gls_loading *loading);

/* ---- load_check.c ---- */

/* Whether anything of the file is left over. Returns OK or MISMATCH. */
glissade_status gls_loading_check_extra(gls_loading *loading);

/* Whether all is there that a tensor needs, with its counts known. Returns OK or MISMATCH. */
glissade_status gls_loading_check_complete(gls_loading *loading);

/* Takes over the counts that are arrays in the file, once it is read. Returns OK or MISMATCH. */
glissade_status gls_loading_read_counts(gls_loading *loading);

/* What depends on hyperparameters, counts and arrays together. Returns OK, MISMATCH or INVALID_COMBINATION. */
glissade_status gls_loading_check_together(gls_loading *loading);

/* ---- load_home.c ---- */

/* Finds arrays that bytes of the file may go to before all is checked; and makes them what they were, if it fails. */
void gls_loading_house(gls_loading *loading);
void gls_loading_evict(gls_loading *loading);

/* ---- load_commit.c ---- */

/* Provides what lacks and takes everything over, or returns OUT_OF_MEMORY (or TOO_LARGE) with all as it was. */
glissade_status gls_loading_commit(gls_loading *loading);

#endif
