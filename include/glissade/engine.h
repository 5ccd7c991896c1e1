/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: the machine's side. It holds the chosen instruction set, the threads and their CPUs, and the
 * settings taken from options and environment. Made once, immutable afterwards, shared by any number of
 * optimizers and calling threads. Steps of several optimizers that use the team at the same time take turns.
 *
 * Precedence of a setting: option of the call, option of the engine, environment variable, default. The
 * environment is read once, when the engine is made; every variable is listed by glissade_variable_get.
 *
 * Fork: in a child process every engine, old or new, runs on the calling thread alone, with the same results.
 * If the library is loaded only after an OpenMP-using parent forked, this cannot be detected: set
 * GLISSADE_THREADS=1 there.
 *
 * OpenMP: the team is an OpenMP team, whose threads belong to the OpenMP runtime that the library is linked with. With
 * OMP_PROC_BIND set to anything but false, or OMP_PLACES set, the library leaves thread placement to OpenMP. Threads
 * that OpenMP creates during a call start with the default floating-point control word; those that exist keep theirs.
 *
 * The CPUs that may be used are those of the affinity mask of the thread that makes the engine, at that time. A step
 * called from a thread whose mask is narrower still uses them all; GLISSADE_PIN_NEVER leaves every mask alone.
 */
#ifndef GLISSADE_ENGINE_H
#define GLISSADE_ENGINE_H

#include "glissade/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_engine glissade_engine;

/* ---- instruction sets ---- */

typedef enum glissade_isa {
    GLISSADE_ISA_AUTO = 0,   /* the best that the CPU and the operating system allow */
    GLISSADE_ISA_SCALAR = 1, /* the reference: one element at a time */
    GLISSADE_ISA_AVX2 = 2,   /* with FMA and F16C */
    GLISSADE_ISA_AVX512 = 3, /* F, BW, DQ and VL */
    GLISSADE_ISA_NEON = 4    /* AArch64 */
} glissade_isa;

/* "scalar", "avx2", ...; NULL for a value that names none. */
GLISSADE_API
const char *glissade_isa_name(glissade_isa isa);

/* Whether this build holds kernels for it, and whether this machine can run them (implies built). */
GLISSADE_API
bool glissade_isa_built(glissade_isa isa);
GLISSADE_API
bool glissade_isa_available(glissade_isa isa);

/* ---- options ---- */

/* For the fields below that say so: take the environment's value, or else the default. */
#define GLISSADE_UNSET UINT32_MAX

typedef enum glissade_pin {
    GLISSADE_PIN_UNSET = 0, /* environment, or else automatic */
    GLISSADE_PIN_AUTO = 1,  /* bind team threads in steps large enough to repay it (about 3 us a thread) */
    GLISSADE_PIN_NEVER = 2, /* never touch a thread's affinity */
    GLISSADE_PIN_ALWAYS = 3 /* bind in every step that uses the team */
} glissade_pin;

/*
 * Receives one-line reports when `verbose` asks for them: 1 = engine creation, 2 = also groups, 3 = also
 * every step. Called on the calling thread only, never from inside the parallel region; it must not call back
 * into the object.
 */
typedef void glissade_log_function(void *user, uint32_t level, const char *message);

typedef struct glissade_engine_options {
    size_t size;         /* sizeof(glissade_engine_options) */
    uint32_t threads;    /* 1 to the number of allowed CPUs (PUs), or GLISSADE_UNSET */
    glissade_isa isa;    /* AUTO: the environment's, or else the best */
    glissade_pin pin;    /* see above */
    uint32_t tile;       /* elements a kernel is handed at once: 256 to 2^30, a multiple of 256, or UNSET */
    uint32_t streams;    /* pages walked in turn on large data: 1 (straight) to 16, 0: find out, or UNSET */
    uint32_t huge_pages; /* 1: ask for huge pages for the library's large arrays; 0: do not; or UNSET */
    uint32_t keep_subnormals; /* 1: stored state may hold subnormals; 0: they are flushed to zero; or UNSET */
    uint32_t verbose;         /* 0 to 3, how much goes to `log`; or GLISSADE_UNSET */
    bool oversubscribe;       /* allow `threads` above the allowed CPUs; all threads are then unpinned */
    glissade_log_function *log; /* or NULL */
    void *log_user;             /* passed to `log` */
} glissade_engine_options;

/* Writes every default into the first `size` bytes; call it with size = sizeof *options. */
GLISSADE_API
void glissade_engine_options_init(glissade_engine_options *options, size_t size);

/* ---- lifecycle ---- */

/*
 * Makes an engine. `options` may be NULL for all defaults; `error` may be NULL.
 *
 * Threads, when nobody sets them: one per physical core that the caller's affinity mask and cpuset allow, no
 * more than the cgroup's CPU quota (v1 or v2, rounded down, at least 1); on hybrid processors the cores of
 * the fastest kind.
 *
 * Returns OK, NULL_ARGUMENT (engine), INVALID_SIZE, INVALID_OPTION, INVALID_THREADS, UNSUPPORTED_ISA,
 * INVALID_ENVIRONMENT, UNKNOWN_VARIABLE, TOPOLOGY, OUT_OF_MEMORY. A variable that cannot be used fails here, even where
 * an option overrides it, with INVALID_THREADS or UNSUPPORTED_ISA if its value is well-formed but not possible on this
 * machine. On failure *engine is NULL. Thread-safe.
 */
GLISSADE_API
glissade_status glissade_engine_create(const glissade_engine_options *options, glissade_engine **engine,
                                       glissade_error *error) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Gives up the caller's reference and sets *engine to NULL; NULL and a NULL handle are accepted. Optimizers
 * hold references of their own, so an engine may be destroyed before them: it goes away with the last.
 */
GLISSADE_API
void glissade_engine_destroy(glissade_engine **engine);

/* ---- inspection ---- */

/* Where a setting came from. */
typedef enum glissade_origin {
    GLISSADE_ORIGIN_DEFAULT = 0,
    GLISSADE_ORIGIN_ENVIRONMENT = 1,
    GLISSADE_ORIGIN_OPTION = 2
} glissade_origin;

typedef struct glissade_engine_info {
    size_t size; /* set by the caller to sizeof(glissade_engine_info) */
    glissade_isa isa;
    uint32_t threads;
    uint32_t pus, cores, packages, nodes; /* that this process may use */
    double cpu_quota;                     /* CPUs that the cgroup grants; 0: no limit */
    glissade_pin pin;                     /* AUTO, NEVER or ALWAYS */
    bool pinnable; /* false: threads are oversubscribed, or OpenMP was told to place them */
    bool oversubscribed;
    bool forked;      /* this process is a fork's child: steps run on the calling thread */
    uint32_t tile;    /* elements */
    uint32_t streams; /* pages walked in turn when a step is large; 0: found out by trying */
    bool huge_pages;
    bool keep_subnormals;
    uint32_t verbose;
    const char *threads_reason; /* one line: why the thread count is what it is */
} glissade_engine_info;

/* Returns OK, NULL_ARGUMENT, INVALID_SIZE. Thread-safe. */
GLISSADE_API
glissade_status glissade_engine_get_info(const glissade_engine *engine,
                                         glissade_engine_info *info) GLISSADE_WARN_UNUSED_RESULT;

/* One hardware thread (PU) that the process may use, in topological order. */
typedef struct glissade_pu_info {
    size_t size;                  /* set by the caller to sizeof(glissade_pu_info) */
    uint32_t os_index;            /* as the operating system numbers it */
    uint32_t core, package, node; /* logical core and package; NUMA node as the operating system numbers it */
    uint32_t cache;               /* which last-level cache, counted from 0 */
    uint32_t kind;                /* 0: the slowest kind of core; higher is faster */
    int32_t thread;               /* the team thread planned for it, or -1 */
} glissade_pu_info;

/* index: 0 to pus - 1. Returns OK, NULL_ARGUMENT, INVALID_SIZE, NOT_FOUND. Thread-safe. */
GLISSADE_API
glissade_status glissade_engine_get_pu(const glissade_engine *engine, uint32_t index,
                                       glissade_pu_info *info) GLISSADE_WARN_UNUSED_RESULT;

/* ---- environment ---- */

typedef struct glissade_variable_info {
    size_t size;          /* set by the caller to sizeof(glissade_variable_info) */
    const char *name;     /* "GLISSADE_THREADS" */
    const char *accepted; /* what it accepts, in words */
    const char *fallback; /* the default, in words */
    const char *help;     /* one sentence */
} glissade_variable_info;

/* The environment variables that the library reads: how many, and what each is. Thread-safe. */
GLISSADE_API
uint32_t glissade_variable_count(void);

/* index: 0 to count - 1. Returns OK, NULL_ARGUMENT, INVALID_SIZE, NOT_FOUND. */
GLISSADE_API
glissade_status glissade_variable_get(uint32_t index,
                                      glissade_variable_info *info) GLISSADE_WARN_UNUSED_RESULT;

/*
 * The setting behind variable `index` as this engine uses it: its value in words and where that came from.
 * Returns OK, NULL_ARGUMENT, NOT_FOUND. Thread-safe.
 */
GLISSADE_API
glissade_status glissade_engine_get_setting(const glissade_engine *engine, uint32_t index, const char **value,
                                            glissade_origin *origin) GLISSADE_WARN_UNUSED_RESULT;

#ifdef __cplusplus
}
#endif

#endif
