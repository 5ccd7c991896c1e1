/* SPDX-License-Identifier: Apache-2.0 */
/* See stress_saves.h. Each caller has a path of its own; all share an engine, whose team copies, checks and writes. */
#include "stress_saves.h"

#include "files.h"
#include "stepper.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { CALLERS = 4, WATCHERS = 2, BYTES = 5000000 };

typedef struct caller {
    const folder *home;
    glissade_engine *engine;
    unsigned rounds, number;
    bool passed;
} caller;

typedef struct watch {
    glissade_save *save;
    bool cancel;
    glissade_status status;
} watch;

/* Looks on until the end, or ends it. */
static void *watch_save(void *argument) {
    watch *it = argument;
    glissade_save_progress progress = {.size = sizeof progress};
    if (it->cancel)
        glissade_save_cancel(it->save);
    do
        REQUIRE(!glissade_save_get_progress(it->save, &progress), "progress");
    while (!progress.done && progress.bytes < progress.total / 2);
    it->status = glissade_save_wait(it->save, NULL);
    return NULL;
}

static bool save_aside(stepper *it, const char *path, bool cancel, bool lend) {
    pthread_t threads[WATCHERS];
    watch watches[WATCHERS];
    stepper_text text;
    glissade_save *save;
    glissade_save_options options = stepper_options(it, &text);
    const uint64_t step = it->step;
    options.borrow = lend;
    options.keep_copy = cancel || lend;
    REQUIRE(!glissade_optimizer_save_start(it->optimizer, path, &options, &save), "%s",
            glissade_optimizer_message(it->optimizer));
    for (int i = 0; i < WATCHERS; i++) {
        watches[i] = (watch){.save = save, .cancel = cancel && i == 0};
        REQUIRE(!pthread_create(&threads[i], NULL, watch_save, &watches[i]), "no thread");
    }
    if (!lend)
        stepper_step(it);
    for (int i = 0; i < WATCHERS; i++)
        pthread_join(threads[i], NULL);
    const glissade_status status = watches[0].status;
    glissade_save_destroy(&save);
    if (watches[1].status != status || (status && !(cancel && status == GLISSADE_STATUS_CANCELLED)))
        return false;
    return status || !stepper_difference(it, path, step);
}

static void *save_and_load(void *argument) {
    caller *of = argument;
    char path[300], name[32];
    stepper it, copy;
    snprintf(name, sizeof name, "state-%u", of->number);
    snprintf(path, sizeof path, "%s", folder_at(of->home, name));
    stepper_create(&it, of->engine, BYTES);
    stepper_create(&copy, of->engine, BYTES);
    of->passed = true;
    for (unsigned round = 0; round < of->rounds; round++) {
        stepper_text text;
        stepper_step(&it);
        of->passed = save_aside(&it, path, round % 3 == 1, round % 2) && of->passed;
        const glissade_save_options options = stepper_options(&it, &text);
        of->passed = !glissade_optimizer_save(it.optimizer, path, &options, NULL) && of->passed;
        of->passed = !stepper_load(&copy, path) && copy.step == it.step && of->passed;
    }
    stepper_destroy(&it);
    stepper_destroy(&copy);
    return NULL;
}

bool stress_saves(unsigned rounds) {
    pthread_t threads[CALLERS];
    caller callers[CALLERS];
    folder home;
    bool passed = true;
    folder_create(&home, FOLDER_MEMORY);
    glissade_engine *engine = scenario_engine(2);
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (caller){.home = &home, .engine = engine, .rounds = rounds, .number = i};
        REQUIRE(!pthread_create(&threads[i], NULL, save_and_load, &callers[i]), "no thread");
    }
    for (unsigned i = 0; i < CALLERS; i++) {
        pthread_join(threads[i], NULL);
        passed &= callers[i].passed;
    }
    glissade_engine_destroy(&engine);
    passed &= folder_temporaries(&home) == 0;
    folder_destroy(&home);
    return passed;
}
