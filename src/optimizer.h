/* SPDX-License-Identifier: Apache-2.0 */
/* The optimizer's inside: groups, tensors, the interface that update rules implement, entering and leaving a
 * call. */
#ifndef GLS_OPTIMIZER_H
#define GLS_OPTIMIZER_H

#include "alloc.h"
#include "deferral.h"
#include "engine.h"
#include "glissade/optimizer.h"
#include "guest.h"
#include "intervals.h"
#include "place.h"
#include "sgd.h"
#include "tuner.h"

typedef struct gls_group gls_group;

typedef struct gls_tensor {
    float *p, *g, *m; /* parameter; gradient or NULL while absent; momentum or NULL if there never was one */
    size_t n;         /* elements */
    uint64_t t, k;    /* steps with a gradient; updates of the momentum */
    uint64_t listed;  /* the last step that listed it, by the optimizer's count of steps: finds duplicates */
    uint64_t counted; /* the last step that moved its counts on */
} gls_tensor;

/* What a step asks of every rule. */
typedef struct gls_request {
    double gradient_scale;
    bool zero_gradients;
    const glissade_engine *engine;
} gls_request;

/* A kernel chosen and its scalars rounded, for one group and pair of counts. */
typedef struct gls_call {
    union {
        gls_sgd_call sgd;
    };
} gls_call;

/* An update rule. */
typedef struct gls_algorithm {
    const char *name;
    /* Whether the group's tensors need a momentum array under its present hyperparameters. */
    bool (*uses_momentum)(const gls_group *group);
    gls_threshold (*threshold)(const gls_group *group);
    /* Why its tensors must not hold a residual under the present hyperparameters; NULL if they may. */
    const char *(*refuses_residual)(const gls_group *group);
    /* Chooses and rounds for a tensor that has made t steps and k momentum updates so far. */
    void (*prepare)(const gls_group *group, const gls_request *request, uint64_t t, uint64_t k, bool deferred,
                    gls_call *call);
    /* Updates n elements; how many of them acted. residual NULL: the call was not prepared for one. */
    size_t (*run)(const gls_call *call, float *p, float *g, float *m, const gls_residual *residual, size_t n,
                  const gls_walk *walk);
    /* Bytes read plus written for one element of such a tensor. */
    uint32_t (*bytes_per_element)(const gls_group *group, const gls_request *request, uint64_t k,
                                  bool deferred);
    double *(*learning_rate)(gls_group *group);
} gls_algorithm;

struct gls_group {
    uint32_t number;
    uint32_t count; /* of tensors */
    size_t present; /* elements of the tensors whose gradient is present */
    const gls_algorithm *algorithm;
    gls_tensor *tensors;
    gls_plan plan;
    gls_deferral *deferrals;      /* one a tensor; NULL if no tensor ever had a residual */
    double *sums;                 /* where the deferrals' sums lie */
    gls_arena momenta, residuals; /* the library's arrays */
    union {
        glissade_sgd_options sgd;
    };
};

struct glissade_optimizer {
    glissade_engine *engine;
    atomic_uint inside; /* 0, or the fork generation of the process in which a call is in flight */
    uint32_t group_count, next_number;
    gls_group **groups; /* ascending by number */
    gls_intervals arrays;
    gls_rotation rotation;
    gls_tuner tuner;
    uint64_t steps; /* calls of glissade_optimizer_step so far */
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

/*
 * Gives every tensor that lacks one a momentum array, and a residual, of the library's, if the group needs
 * them; residuals count from then on. All or nothing; returns OK or OUT_OF_MEMORY.
 */
glissade_status gls_group_provide_state(glissade_optimizer *optimizer, gls_group *group, bool momentum,
                                        bool residual);

/* The records of deferral, made if there are none yet; NULL without memory. */
gls_deferral *gls_group_deferrals(gls_group *group);

/* A tensor's residual; NULL if it never had one. */
static inline float *gls_group_residual(const gls_group *group, uint32_t tensor) {
    return group->deferrals ? group->deferrals[tensor].r : NULL;
}

#endif
