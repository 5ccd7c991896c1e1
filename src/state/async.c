/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving while steps go on: the state is copied by the team, and a thread writes the copy. The alternative, to copy each
 * tile before a step changes it, would spare the stall but put a test and a copy into the step, and a save would hold
 * the step's bandwidth until it is through; the copy moves twice the state's bytes once, about a step's worth.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "fork.h"
#include "options.h"
#include "save.h"
#include "spare.h"

enum {
    PIECE = 1024 * 1024, /* copied by one thread at once */
    LINE = 64,           /* what the copies of arrays start at multiples of */
    NICENESS = 10        /* by how much the writing thread steps back */
};

struct glissade_save {
    gls_writing writing;
    gls_arena copy;
    gls_spare *spare; /* where the copy's memory goes afterwards; NULL: it is freed */
    double begun;     /* gls_seconds */
    double stall_seconds, copy_seconds;
    uint32_t generation; /* the process that has the thread (fork.h) */
    pthread_t thread;
    pthread_mutex_t turn; /* over what follows */
    pthread_cond_t ended;
    bool done;
    double seconds;
    glissade_error error;
};

static const gls_layout progress_layout = {"glissade_save_progress", {sizeof(glissade_save_progress)}};

/* ---- the copy ---- */

/* Sources that are copied, end to end: the copy of source[i] starts at at[i]. */
struct copying {
    gls_source *sources;
    size_t *at;
    size_t count, bytes;
    char *base;
    _Atomic size_t next;
};

static size_t source_of(const struct copying *copying, size_t byte) {
    size_t low = 0, high = copying->count - 1;
    while (low < high) {
        const size_t middle = low + (high - low + 1) / 2;
        if (copying->at[middle] <= byte)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static void copy_shard(void *context, uint32_t shard) {
    (void)shard;
    struct copying *copying = context;
    size_t begin;
    while ((begin = atomic_fetch_add(&copying->next, PIECE)) < copying->bytes) {
        const size_t end = copying->bytes - begin < PIECE ? copying->bytes : begin + PIECE;
        for (size_t i = source_of(copying, begin); i < copying->count && copying->at[i] < end; i++) {
            const gls_source *source = &copying->sources[i];
            const size_t length = (size_t)(source->end - source->begin), at = copying->at[i],
                         from = begin > at ? begin - at : 0, to = end - at < length ? end - at : length;
            if (from < to)
                memcpy(copying->base + at + from, (const char *)source->data + from, to - from);
        }
    }
}

/* Where each copy goes; the sources that stay the caller's are at the end of the list, out of the count. */
static void lay_out(struct copying *copying, const gls_writing *writing, bool borrow) {
    for (size_t i = 0; i < writing->source_count; i++) {
        if (borrow && writing->sources[i].callers)
            continue;
        copying->sources[copying->count] = writing->sources[i];
        copying->at[copying->count++] = copying->bytes;
        copying->bytes +=
            ((size_t)(writing->sources[i].end - writing->sources[i].begin) + LINE - 1) / LINE * LINE;
    }
}

static void point_to_copies(gls_writing *writing, const struct copying *copying, bool borrow) {
    for (size_t i = 0, copied = 0; i < writing->source_count; i++)
        if (!borrow || !writing->sources[i].callers)
            writing->sources[i].data = copying->base + copying->at[copied++];
}

static glissade_status copy_state(glissade_optimizer *optimizer, glissade_save *save, bool borrow) {
    const size_t count = save->writing.source_count;
    struct copying copying = {.sources = gls_alloc(count, sizeof *copying.sources),
                              .at = gls_alloc(count, sizeof *copying.at)};
    glissade_status status = GLISSADE_STATUS_OK;
    if (copying.sources && copying.at)
        lay_out(&copying, &save->writing, borrow);
    const bool huge = gls_engine_setting(optimizer->engine, GLS_HUGEPAGES);
    if (!copying.sources || !copying.at ||
        !(save->spare ? gls_spare_take(save->spare, &save->copy, copying.bytes, huge)
                      : gls_arena_create(&save->copy, copying.bytes, huge)))
        status = gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY,
                               "no memory for a copy of the state, %zu bytes", copying.bytes);
    copying.base = save->copy.base;
    if (!status && copying.bytes) {
        gls_engine_execute(optimizer->engine, copying.bytes, copy_shard, &copying);
        point_to_copies(&save->writing, &copying, borrow);
    }
    gls_free(copying.sources);
    gls_free(copying.at);
    return status;
}

/* The memory that the optimizer keeps for its saves, made when first asked for. */
static glissade_status share_spare(glissade_optimizer *optimizer, glissade_save *save) {
    if (!optimizer->spare && !(optimizer->spare = gls_spare_create()))
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for a save");
    gls_spare_hold(optimizer->spare);
    save->spare = optimizer->spare;
    return GLISSADE_STATUS_OK;
}

/* ---- the thread ---- */

static void *write_copy(void *context) {
    glissade_save *save = context;
    const id_t thread = (id_t)syscall(SYS_gettid);
    (void)setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + NICENESS);
    glissade_error error = {.status = GLISSADE_STATUS_OK};
    error.status = gls_writing_run(&save->writing, &error);
    gls_arena copy =
        save->copy; /* taken away first: a child that is forked meanwhile must not free it again */
    save->copy = (gls_arena){0};
    if (save->spare)
        gls_spare_give(save->spare, &copy);
    gls_arena_destroy(&copy);
    pthread_mutex_lock(&save->turn);
    save->error = error;
    save->seconds = gls_seconds() - save->begun;
    save->done = true;
    pthread_cond_broadcast(&save->ended);
    pthread_mutex_unlock(&save->turn);
    return NULL;
}

/* The thread takes no signals: those are the program's. */
static glissade_status launch(glissade_save *save, glissade_error *error) {
    pthread_attr_t attributes;
    sigset_t all;
    sigfillset(&all);
    int failure = pthread_attr_init(&attributes);
    if (!failure) {
        failure = pthread_attr_setsigmask_np(&attributes, &all);
        if (!failure)
            failure = pthread_create(&save->thread, &attributes, write_copy, save);
        pthread_attr_destroy(&attributes);
    }
    if (failure)
        return gls_error_set(error, GLISSADE_STATUS_UNSUPPORTED,
                             "the system gives no thread to write by (error %d)", failure);
    return GLISSADE_STATUS_OK;
}

static void release(glissade_save *save) {
    gls_writing_destroy(&save->writing);
    gls_arena_destroy(&save->copy);
    gls_spare_release(save->spare);
    gls_free(save);
}

static glissade_status start(glissade_optimizer *optimizer, const char *path,
                             const glissade_save_options *given, glissade_save **made) {
    const double begun = gls_seconds();
    if (!made)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_NULL_ARGUMENT, "save is NULL");
    glissade_save *save = gls_alloc(1, sizeof *save);
    if (!save)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for a save");
    glissade_save_options options;
    glissade_status status = gls_save_prepare(optimizer, path, given, &options, &save->writing);
    if (!status && options.keep_copy)
        status = share_spare(optimizer, save);
    const double copied = gls_seconds();
    if (!status)
        status = copy_state(optimizer, save, options.borrow);
    save->begun = begun;
    save->generation = gls_fork_generation();
    save->copy_seconds = gls_seconds() - copied;
    save->stall_seconds = gls_seconds() - begun;
    save->writing.bytes_per_second = options.bytes_per_second;
    pthread_mutex_init(&save->turn, NULL);
    pthread_cond_init(&save->ended, NULL);
    if (!status)
        status = launch(save, &optimizer->error);
    if (status)
        release(save);
    else
        *made = save;
    return status;
}

glissade_status glissade_optimizer_save_start(glissade_optimizer *optimizer, const char *path,
                                              const glissade_save_options *options, glissade_save **save) {
    if (save)
        *save = NULL;
    GLS_OPTIMIZER_CALL(optimizer, start(optimizer, path, options, save));
}

/* ---- what goes on ---- */

static bool is_elsewhere(const glissade_save *save) {
    return save->generation != gls_fork_generation();
}

glissade_status glissade_save_get_progress(glissade_save *save, glissade_save_progress *progress) {
    if (!save || !progress)
        return GLISSADE_STATUS_NULL_ARGUMENT;
    const gls_guest guest = gls_guest_enter();
    glissade_save_progress known = {.bytes = atomic_load(&save->writing.written),
                                    .total = save->writing.heading.bytes + save->writing.heading.data_bytes,
                                    .stall_seconds = save->stall_seconds,
                                    .copy_seconds = save->copy_seconds};
    if (!is_elsewhere(save)) { /* there its lock may be held by a thread that is not */
        pthread_mutex_lock(&save->turn);
        known.done = save->done;
        known.seconds = save->done ? save->seconds : gls_seconds() - save->begun;
        pthread_mutex_unlock(&save->turn);
    }
    gls_guest_leave(&guest);
    return gls_options_write(&progress_layout, progress, &known, NULL);
}

void glissade_save_cancel(glissade_save *save) {
    if (save)
        atomic_store(&save->writing.cancelled, true);
}

glissade_status glissade_save_wait(glissade_save *save, glissade_error *error) {
    gls_error_clear(error);
    if (!save)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "save is NULL");
    if (is_elsewhere(save))
        return gls_error_set(error, GLISSADE_STATUS_FORKED, "the save goes on in the parent process");
    pthread_mutex_lock(&save->turn);
    while (!save->done)
        pthread_cond_wait(&save->ended, &save->turn);
    const glissade_error became = save->error;
    pthread_mutex_unlock(&save->turn);
    if (error && became.status)
        *error = became;
    return became.status;
}

void glissade_save_destroy(glissade_save **save) {
    if (!save || !*save)
        return;
    const gls_guest guest = gls_guest_enter();
    if (!is_elsewhere(*save))
        pthread_join((*save)->thread, NULL);
    release(*save);
    *save = NULL;
    gls_guest_leave(&guest);
}
