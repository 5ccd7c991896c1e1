/* SPDX-License-Identifier: Apache-2.0 */
/* Trials of writers (see trials.h). */
#include "trials.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 400 };

static const char *what_of(const writer *it, const ordeal *what, unsigned place) {
    static char text[200];
    snprintf(text, sizeof text, "%s, %s %u failing with %d%s%s", it->what, fault_call_name(what->call), place,
             what->error_number, what->for_good ? " for good" : "", what->direct ? " if direct" : "");
    return text;
}

static void prepare(const writer *it, uint64_t version) {
    if (it->prepare)
        it->prepare(it->context, version);
}

/* What there was before: version 1. */
static void write_old(const writer *it, const char *path) {
    glissade_error error;
    prepare(it, 1);
    const glissade_status status = it->write(it->context, path, 1, &error);
    prepare(it, 2);
    REQUIRE(!status, "%s: the old version: %s", it->what, error.message);
}

/* Now that nothing fails, the next version is written and nothing is left beside it. */
static void write_next(const writer *it, const char *path, const char *where) {
    glissade_error error;
    prepare(it, 3);
    const glissade_status status = it->write(it->context, path, 3, &error);
    REQUIRE(!status, "%s: the next write: %s", where, error.message);
    const char *difference = it->difference(it->context, path, 3);
    REQUIRE(!difference, "%s: the next version: %s", where, difference);
    REQUIRE(folder_temporaries(it->home) == 0, "%s: after the next write there is %s", where,
            folder_names(it->home));
}

static void check_outcome(const writer *it, const ordeal *what, glissade_status status,
                          const glissade_error *error, const char *path, const char *where) {
    const bool whole = status && strstr(error->message, "it is written and whole");
    const uint64_t version = !status || whole ? 2 : 1;
    REQUIRE(what->expected == EITHER || (what->expected == SUCCEEDS) == !status, "%s: %s: %s", where,
            glissade_status_name(status), error->message);
    if (status) {
        REQUIRE(status == GLISSADE_STATUS_IO && error->status == status, "%s: %s", where,
                glissade_status_name(status));
        REQUIRE(strstr(error->message, it->name), "%s: \"%s\" does not name the file", where, error->message);
        REQUIRE(!what->words || strstr(error->message, what->words), "%s: \"%s\" does not say \"%s\"", where,
                error->message, what->words);
    }
    const char *difference = it->difference(it->context, path, version);
    REQUIRE(!difference, "%s: version %d: %s", where, (int)version, difference);
}

static bool trial(const writer *it, const ordeal *what, unsigned place) {
    const fault planned = {.call = what->call,
                           .place = place,
                           .error_number = what->error_number,
                           .for_good = what->for_good,
                           .direct = what->direct};
    char path[300];
    const char *where = what_of(it, what, place);
    glissade_error error = {.status = GLISSADE_STATUS_OK};
    snprintf(path, sizeof path, "%s", folder_at(it->home, it->name));
    write_old(it, path);
    fault_begin(&planned);
    const glissade_status status = it->write(it->context, path, 2, &error);
    const bool failed = fault_end() > 0;
    const ordeal none = {.expected = SUCCEEDS};
    check_outcome(it, failed ? what : &none, status, &error, path, where);
    REQUIRE(descriptors_open() == it->home->descriptors, "%s: descriptors are left open", where);
    REQUIRE(fault_repeated_fsyncs() == 0, "%s: fsync is tried again", where);
    if (what->call == FAULT_FSYNC && status && !strstr(error.message, "it is written and whole"))
        REQUIRE(fault_calls_after(FAULT_RENAMEAT) == 0, "%s: what is not synchronised gets a name", where);
    /* Somebody else has the lock of a file that he is about to remove. */
    const bool may_leave =
        what->call == FAULT_UNLINKAT || what->call == FAULT_FLOCK || what->call == FAULT_ANY;
    REQUIRE(may_leave || folder_temporaries(it->home) == 0, "%s: there is %s", where, folder_names(it->home));
    write_next(it, path, where);
    return failed;
}

unsigned trial_each(const writer *it, const ordeal *what) {
    unsigned place = 0;
    while (trial(it, what, place++))
        REQUIRE(place < MOST, "%s does not end", what_of(it, what, place));
    return place - 1;
}

unsigned trial_memory(const writer *it) {
    char path[300];
    snprintf(path, sizeof path, "%s", folder_at(it->home, it->name));
    for (size_t place = 0; place < MOST; place++) {
        char where[200];
        glissade_error error;
        snprintf(where, sizeof where, "%s, allocation %zu", it->what, place);
        write_old(it, path);
        fault_allocation(place);
        const glissade_status status = it->write(it->context, path, 2, &error);
        const bool failed = fault_allocations_end() > place;
        REQUIRE(status == (failed ? GLISSADE_STATUS_OUT_OF_MEMORY : GLISSADE_STATUS_OK), "%s: %s", where,
                glissade_status_name(status));
        REQUIRE(!failed || strstr(error.message, "memory"), "%s: \"%s\"", where, error.message);
        const char *difference = it->difference(it->context, path, failed ? 1 : 2);
        REQUIRE(!difference, "%s: %s", where, difference);
        REQUIRE(descriptors_open() == it->home->descriptors, "%s: descriptors are left open", where);
        REQUIRE(folder_temporaries(it->home) == 0, "%s: there is %s", where, folder_names(it->home));
        write_next(it, path, where);
        if (!failed)
            return (unsigned)place;
    }
    REQUIRE(false, "%s never succeeds", it->what);
    return 0;
}
