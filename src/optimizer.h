/* SPDX-License-Identifier: Apache-2.0 */
/* The optimizer's inside: groups, tensors, the interface that update rules implement, entering and leaving a
 * call. */
#ifndef GLS_OPTIMIZER_H
#define GLS_OPTIMIZER_H

#include "alloc.h"
#include "deferral.h"
#include "engine.h"
#include "glissade/optimizer.h"
#include "glissade/sgd.h"
#include "guest.h"
#include "intervals.h"
#include "place.h"
#include "storage.h"
#include "tuner.h"

typedef struct gls_group gls_group;

typedef struct gls_tensor {
    void *p, *g,
        *m;        /* parameter; gradient or NULL while absent; first state or NULL if there never was one */
    size_t n;      /* elements */
    uint64_t t, k; /* steps with a gradient; updates of the state */
    uint64_t listed;  /* the last step that listed it, by the optimizer's count of steps: finds duplicates */
    uint64_t counted; /* the last step that moved its counts on */
} gls_tensor;

/* What a step asks of every rule. */
typedef struct gls_request {
    double gradient_scale; /* gradients are this many times too large, accumulated steps included */
    double clip;           /* factor that clipping by norm gives */
    double clip_value;     /* largest magnitude of a gradient; 0: any */
    double clip_tensor;    /* largest norm of a tensor's gradient; 0: any */
    bool zero_gradients;
    const glissade_engine *engine;
} gls_request;

/* What is special about the tensors that a call is prepared for. */
typedef struct gls_subject {
    uint64_t t, k; /* steps and updates of the state so far */
    uint32_t tensor;
    uint32_t phase;                /* of the rule's passes, this one */
    bool deferred;                 /* with a residual */
    bool wide;                     /* of double */
    bool zero;                     /* the kernel zeroes the gradient */
    bool scaled;                   /* the gradient comes scaled already, as clipping by value leaves it */
    double clip;                   /* factor that clipping gives */
    bool factored;                 /* its first state is averages of rows and columns */
    const double *numbers, *norms; /* the tensor's own, as the rule has them; or NULL */
} gls_subject;

typedef struct gls_sgd_call {
    gls_sgd_kernel *kernel;
    union {
        gls_sgd_scalars narrow;
        gls_sgd_scalars_f64 wide;
    };
} gls_sgd_call;

typedef struct gls_rule_call {
    gls_rule_kernel *kernel;
    gls_measure_kernel *measure; /* instead, in a pass that gathers sums */
    gls_scalars scalars;
} gls_rule_call;

/* A kernel chosen and its scalars rounded. */
typedef struct gls_call {
    union {
        gls_sgd_call sgd;
        gls_rule_call rule;
    };
    const gls_kernels *kernels; /* of the tensor's element type */
} gls_call;

/* What a run gathers besides updating. */
enum { GLS_CHANNELS = 2, GLS_NORM_GRADIENT = GLS_CHANNELS, GLS_NORM_ROWS, GLS_NORMS };
typedef struct gls_gather {
    const gls_residual *residual; /* NULL: none defers */
    double *sums[GLS_CHANNELS];   /* for each unit, where the pass measures */
} gls_gather;

/* What one of a rule's passes over a tensor does. */
typedef struct gls_phase {
    bool reads_gradient, reads_states, writes_states, writes_parameter, measures;
} gls_phase;

/* An update rule. */
typedef struct gls_algorithm {
    const char *name;
    size_t options_size;               /* of group->options; 0: the group has sgd's */
    const struct gls_rule_table *rule; /* of the adaptive family (rule.h); NULL: sgd */
    uint32_t phases; /* passes of a step, each beginning when the one before has ended for all tensors */
    gls_phase phase[2];
    uint32_t unsigned_states; /* bit by bit, which arrays of state hold nothing below zero */
    uint32_t plain_states;    /* which are kept as they are computed, whatever format is asked for */
    uint32_t most_states;     /* arrays of state that its hyperparameters can ask for */
    bool starts_afresh;       /* its first update does not read the state */
    bool own_numbers;         /* it keeps numbers of each tensor */
    bool own_norms;           /* its scalars depend on norms of the tensor */
    /* How many arrays of state the group's tensors need under its present hyperparameters. */
    uint32_t (*states)(const gls_group *group);
    /* What it defers; NULL: nothing, ever. */
    gls_threshold (*threshold)(const gls_group *group);
    /* Why its tensors must not hold a residual under the present hyperparameters; NULL if they may. */
    const char *(*refuses_residual)(const gls_group *group);
    /* Chooses and rounds. */
    void (*prepare)(const gls_group *group, const gls_request *request, const gls_subject *subject,
                    gls_call *call);
    /* Updates n elements; how many of them acted. */
    size_t (*run)(const gls_call *call, const gls_operands *arrays, const gls_gather *gather, size_t n,
                  const gls_walk *walk);
    /* How much a step weighs in the averages of rows and columns, in the tensor's t-th; and the least that the mean of
     * rows counts as. NULL: the rule factors nothing. */
    double (*factor_weight)(const gls_group *group, uint64_t t);
    double (*factor_floor)(const gls_group *group);
    /* Moves a tensor's numbers on, after a step that was its t-th; NULL without own_numbers. */
    void (*advance)(const gls_group *group, uint64_t t, double *numbers);
    double *(*learning_rate)(gls_group *group);

    /* What files need, behind all that a step reads. */
    const struct gls_field *fields;          /* hyperparameters besides the table's; ends with a NULL name */
    const char *state_names[GLS_STATES_MAX]; /* as torch.optim calls the arrays of state */
    const char *rest_name; /* what torch.optim calls 1 - the first of a tensor's numbers; NULL: nothing */
    bool has_points;       /* parameters hold one point or the other (schedule_free.h) */
    /* Whether the group may have such hyperparameters. */
    glissade_status (*check)(const gls_group *group, const void *options, glissade_error *error);
    /* Whether a step is the same whatever its number; NULL: never. */
    bool (*is_timeless)(const gls_group *group);
    /* Why arrays cannot be had from torch.optim under the present hyperparameters; NULL, or NULL returned: they can. */
    const char *(*refuses_torch)(const gls_group *group);
} gls_algorithm;

/* What norms are made of and what they are, by tensor. */
typedef struct gls_norms {
    gls_sums *channels[GLS_CHANNELS];
    double *room[GLS_CHANNELS]; /* where the channels' sums lie */
    double (*values)
        [GLS_NORMS]; /* square roots of the channels' sums, the gradient's norm as it came in, the mean of a factored tensor's rows */
} gls_norms;

/* Arrays of the library's, of one kind. */
typedef struct gls_holding {
    gls_array array;
    gls_arena arena;
} gls_holding;

struct gls_group {
    uint32_t number;
    uint32_t count; /* of tensors */
    size_t present; /* elements of the tensors whose gradient is present */
    const gls_algorithm *algorithm;
    gls_tensor *tensors;
    gls_plan plan;
    gls_storage *storage;    /* one a tensor; NULL: all are floats with at most one state */
    gls_deferral *deferrals; /* one a tensor; NULL if no tensor ever had a residual */
    double *deferral_sums;   /* where the deferrals' sums lie */
    double *factor_sums;     /* where those of rows and columns lie */
    gls_norms *norms;        /* NULL: never asked for */
    double average_weight;   /* how much a step's parameters weigh in their average; 0: there is none */
    bool evaluates;          /* its parameters hold a point that cannot be stepped (schedule_free.h) */
    bool written;            /* of the library's arrays any can have been, otherwise than by a step */
    gls_holding *holdings;
    uint32_t holding_count;
    uint32_t stream; /* its number in the counters of stochastic rounding */
    union {
        glissade_sgd_options sgd;
        void *options; /* of a rule of the family */
    };
    struct gls_labels *labels; /* of its tensors in files (state/labels.h); NULL: none were set */
};

struct glissade_optimizer {
    glissade_engine *engine;
    atomic_uint inside; /* 0, or the fork generation of the process in which a call is in flight */
    uint32_t group_count, next_number;
    gls_group **groups; /* ascending by number */
    gls_intervals arrays;
    gls_rotation rotation;
    gls_tuner tuner;
    uint64_t steps;          /* calls of glissade_optimizer_step so far */
    uint64_t seed;           /* of stochastic rounding */
    struct gls_spare *spare; /* memory kept for saves (state/spare.h); NULL: none ever was */
    uint32_t next_stream;
    glissade_error error;
};

/*
 * Every call on an optimizer enters first and leaves last. Entering fails with NULL_ARGUMENT, BUSY or FORKED
 * and then there is nothing to leave. In between the default floating-point control holds.
 */
glissade_status gls_optimizer_enter(glissade_optimizer *optimizer, gls_guest *guest);
glissade_status gls_optimizer_leave(glissade_optimizer *optimizer, const gls_guest *guest,
                                    glissade_status status);

/* A public call's whole body: enter, do, leave. */
#define GLS_OPTIMIZER_CALL(optimizer, body)                                                                  \
    gls_guest guest;                                                                                         \
    const glissade_status entered = gls_optimizer_enter(optimizer, &guest);                                  \
    return entered ? entered : gls_optimizer_leave(optimizer, &guest, body)

/* Finds by number or reference; NULL, with the message written, if there is none. */
gls_group *gls_optimizer_group(glissade_optimizer *optimizer, uint32_t number);
gls_tensor *gls_optimizer_tensor(glissade_optimizer *optimizer, glissade_tensor_ref ref);

/* A group's hyperparameters, and their bytes. */
static inline void *gls_group_options(gls_group *group) {
    return group->algorithm->options_size ? group->options : &group->sgd;
}

static inline size_t gls_options_bytes(const gls_algorithm *algorithm) {
    return algorithm->options_size ? algorithm->options_size : sizeof(glissade_sgd_options);
}

/* What gradients are multiplied by, but for the sign of maximize: clip / gradient_scale; 1 where a stage has done it. */
static inline double gls_request_factor(const gls_request *request, const gls_subject *subject) {
    return subject->scaled ? 1 : subject->clip / request->gradient_scale;
}

/* ---- group.c ---- */

/* Checks descriptors, plans, allocates and places a group; `group` comes with algorithm and hyperparameters
 * set. */
glissade_status gls_group_add(glissade_optimizer *optimizer, gls_group *group, const glissade_tensor *tensors,
                              size_t count, uint32_t *number);
void gls_group_free(gls_group *group);

/* Sets a gradient that was checked, and keeps count of what is present. */
void gls_group_set_gradient(gls_group *group, uint32_t tensor, void *gradient);

/* Checks a gradient's address against its tensor. Returns OK, MISALIGNED or OVERLAP. */
glissade_status gls_group_check_gradient(glissade_optimizer *optimizer, const gls_group *group,
                                         uint32_t tensor, const void *gradient);

/* ---- state.c ---- */

/* Bit by bit, which arrays the group's tensors need under its present hyperparameters. */
uint32_t gls_group_needs(const gls_group *group);

/*
 * Gives every tensor that lacks one each of the needed arrays, of the library's; residuals count from then on. All or
 * nothing; returns OK or OUT_OF_MEMORY.
 */
glissade_status gls_group_provide_state(glissade_optimizer *optimizer, gls_group *group, uint32_t needs);

/* Takes back what was provided since the group had so many holdings. */
void gls_group_withdraw_state(glissade_optimizer *optimizer, gls_group *group, uint32_t holding_count);

/* The records of deferral, and of storage, made if there are none yet; NULL without memory. */
gls_deferral *gls_group_deferrals(gls_group *group);
gls_storage *gls_group_storage(gls_group *group);

/* Room for norms, made if there is none yet; false without memory. */
bool gls_group_norms(gls_group *group);

static inline bool gls_needs(uint32_t needs, gls_array array) {
    return needs >> array & 1;
}

/* Where the address of a tensor's array is kept; NULL if the tensor can have none. */
static inline void **gls_group_slot(const gls_group *group, uint32_t tensor, gls_array array) {
    gls_tensor *t = &group->tensors[tensor];
    gls_storage *storage = group->storage ? &group->storage[tensor] : NULL;
    switch (array) {
    case GLS_ARRAY_PARAMETER:
        return &t->p;
    case GLS_ARRAY_STATE:
        return &t->m;
    case GLS_ARRAY_GRADIENT:
        return &t->g;
    case GLS_ARRAY_RESIDUAL:
        return group->deferrals ? &group->deferrals[tensor].r : NULL;
    case GLS_ARRAY_MASTER:
        return storage ? &storage->master : NULL;
    case GLS_ARRAY_COPY:
        return storage ? &storage->copy : NULL;
    case GLS_ARRAY_AVERAGE:
        return storage ? &storage->average : NULL;
    default:
        return storage ? &storage->states[array - GLS_ARRAY_STATE - 1] : NULL;
    }
}

static inline void *gls_group_array(const gls_group *group, uint32_t tensor, gls_array array) {
    void **slot = gls_group_slot(group, tensor, array);
    return slot ? *slot : NULL;
}

static inline gls_format gls_group_format(const gls_group *group, uint32_t tensor, gls_array array) {
    return group->storage ? (gls_format)group->storage[tensor].formats[array] : GLS_F32;
}

static inline bool gls_group_is_wide(const gls_group *group, uint32_t tensor) {
    return gls_group_format(group, tensor, GLS_ARRAY_PARAMETER) == GLS_F64;
}

/* Elements of an array, and its bytes: a factored tensor's first state has as many as it has rows and columns. */
static inline size_t gls_group_length(const gls_group *group, uint32_t tensor, gls_array array) {
    const size_t n = group->tensors[tensor].n;
    if (array != GLS_ARRAY_STATE || !group->storage || !group->storage[tensor].factored)
        return n;
    return n / group->storage[tensor].columns + group->storage[tensor].columns;
}

static inline size_t gls_group_bytes(const gls_group *group, uint32_t tensor, gls_array array) {
    return gls_format_bytes(gls_group_format(group, tensor, array), gls_group_length(group, tensor, array));
}

/* Where a range of the tensor lies in an array: up to two runs of bytes. A factored state belongs to the tensor's
 * first element. */
static inline uint32_t gls_group_spans(const gls_group *group, uint32_t tensor, gls_array array,
                                       gls_range range, gls_span spans[2]) {
    const size_t n = group->tensors[tensor].n, length = gls_group_length(group, tensor, array);
    if (length != n)
        range = range.begin ? (gls_range){0, 0} : (gls_range){0, length};
    return range.begin < range.end
               ? gls_format_spans(gls_group_format(group, tensor, array), length, range, spans)
               : 0;
}

/* Where an element of an array lies, whose format gives each element bytes of its own. */
static inline void *gls_element(void *array, gls_format format, size_t i) {
    return (char *)array + i * gls_format_element(format);
}

#endif
