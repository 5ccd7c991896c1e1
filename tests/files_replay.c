/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loss of power at every point of a few saves, by the models of replay.h: path and numbered files are always whole, never
 * older than the last save that was reported, and the next save finds its way. And that these tests can fail: of
 * recordings that lack a synchronisation the models make folders that are not so.
 */
#include "replay.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAVES = 6, LARGE = 8 * 1024 * 1024 + 5000 };

static folder recorded, home;
static replay_trace trace;
static size_t states, distinct;

static void setup(void) {
    scenario_clear_environment();
    folder_create(&recorded, FOLDER_MEMORY);
    folder_create(&home, FOLDER_MEMORY);
    states = distinct = 0;
}

static void teardown(void) {
    fprintf(stderr, "# %zu states, of them %zu different folders\n", states, distinct);
    replay_free(&trace);
    folder_destroy(&recorded);
    folder_destroy(&home);
}

TestSuite(files_replay, .init = setup, .fini = teardown, .timeout = 200);

typedef struct saver {
    sample like;
    glissade_engine *engine;
    glissade_file_options options;
    bool same_number; /* each save has number 1 */
    size_t shown;
} saver;

static void save(saver *it, const folder *where, uint64_t version) {
    glissade_file_options options = it->options;
    glissade_error error;
    options.number = !options.keep ? 0 : it->same_number ? 1 : version;
    sample_fill(&it->like, version);
    const glissade_status status =
        sample_write(&it->like, it->engine, folder_at(where, "model"), &options, &error);
    cr_assert_eq(status, GLISSADE_STATUS_OK, "%s", error.message);
}

static void record(saver *it) {
    replay_record(&trace);
    for (uint64_t version = 1; version <= SAVES; version++) {
        save(it, &recorded, version);
        replay_record_done(version);
    }
    replay_record_end();
}

/* ---- what must hold of every folder ---- */

static const char *check_numbers(saver *it, const folder *where, uint64_t saved) {
    for (uint64_t number = 1; number <= SAVES; number++) {
        char name[64];
        snprintf(name, sizeof name, "model-%020llu", (unsigned long long)number);
        const bool there = access(folder_at(where, name), F_OK) == 0;
        const uint64_t found = there ? sample_find(&it->like, folder_at(where, name)) : 0;
        if (it->same_number) {
            if (number == 1 && saved && found != saved && found != saved + 1)
                return "the number is not the last";
        } else if (there && found != number) {
            return "a numbered file is not whole";
        } else if (!there && number <= saved && number + it->options.keep > saved + 1) {
            return "a numbered file is lost";
        }
    }
    return NULL;
}

static const char *check(void *context, const folder *where, uint64_t saved) {
    saver *it = context;
    char path[300];
    snprintf(path, sizeof path, "%s", folder_at(where, "model"));
    if (access(path, F_OK) != 0) {
        if (saved)
            return "the path is lost";
    } else {
        const uint64_t found = sample_find(&it->like, path);
        if (found == UINT64_MAX)
            return "the path is torn";
        if (found != saved && found != saved + 1)
            return "the path is another version";
    }
    const char *wrong = it->options.keep ? check_numbers(it, where, saved) : NULL;
    if (wrong || it->shown++ % 64 != 0)
        return wrong;
    save(it, where, SAVES + 1);
    if (sample_find(&it->like, path) != SAVES + 1)
        return "the next save is not there";
    return folder_temporaries(where) ? "the next save leaves temporary files" : NULL;
}

static replay_result run(saver *it, replay_model kind, size_t block, size_t budget) {
    const replay_rules rules = {kind, block, budget, &home, it, check};
    const replay_result result = replay_run(&trace, &rules);
    states += result.states;
    distinct += result.distinct;
    return result;
}

/* Under both models, with blocks of a page and of a sector. */
static void holds(saver *it, size_t budget) {
    for (int kind = REPLAY_JOURNAL; kind <= REPLAY_ANY; kind++)
        for (size_t block = 512; block <= 4096; block *= 8) {
            const replay_result result = run(it, (replay_model)kind, block, budget);
            cr_assert_eq(result.bad, 0, "%zu of %zu folders; %s", result.bad, result.distinct, result.first);
        }
}

static void begin(saver *it, size_t bytes) {
    *it = (saver){.options = sample_options()};
    sample_mixed(&it->like, bytes, 0);
}

/* ---- recordings ---- */

Test(files_replay, path_alone) {
    saver it;
    begin(&it, 20000);
    record(&it);
    holds(&it, 4000);
    cr_assert_gt(states, 10000);
    sample_destroy(&it.like);
}

Test(files_replay, numbered_files) {
    saver it;
    begin(&it, 9000);
    it.options.keep = 2;
    record(&it);
    holds(&it, 4000);
    sample_destroy(&it.like);
}

Test(files_replay, one_number_again_and_again) {
    saver it;
    begin(&it, 9000);
    it.options.keep = 1;
    it.same_number = true;
    record(&it);
    holds(&it, 4000);
    sample_destroy(&it.like);
}

/* Several chunks from two threads, around the page cache where there is a way around it. */
Test(files_replay, large_files_from_a_team) {
    saver it;
    begin(&it, LARGE);
    it.engine = scenario_engine(2);
    record(&it);
    const replay_result result = run(&it, REPLAY_ANY, 1024 * 1024, 4);
    cr_assert_eq(result.bad, 0, "%zu of %zu folders; %s", result.bad, result.distinct, result.first);
    glissade_engine_destroy(&it.engine);
    sample_destroy(&it.like);
}

/* ---- that it can fail ---- */

static void fails(saver *it, replay_model kind, const char *what) {
    const replay_result result = run(it, kind, 4096, 500);
    cr_assert_gt(result.bad, 0, "%s goes unnoticed in %zu folders", what, result.distinct);
    fprintf(stderr, "# %s: %zu of %zu folders; %s\n", what, result.bad, result.distinct, result.first);
}

static void record_anew(saver *it) {
    replay_free(&trace);
    record(it);
}

Test(files_replay, a_missing_synchronisation_is_noticed) {
    saver it;
    begin(&it, 9000);
    it.options.omit_synchronise = true;
    record(&it);
    fails(&it, REPLAY_JOURNAL, "omit_synchronise");
    fails(&it, REPLAY_ANY, "omit_synchronise");
    it.options.omit_synchronise = false;

    record_anew(&it);
    replay_omit(&trace, REPLAY_SYNC_FILE);
    fails(&it, REPLAY_JOURNAL, "no fsync of the file");
    fails(&it, REPLAY_ANY, "no fsync of the file");

    record_anew(&it);
    replay_delay_sync(&trace);
    fails(&it, REPLAY_JOURNAL, "fsync after the rename");
    fails(&it, REPLAY_ANY, "fsync after the rename");

    record_anew(&it);
    replay_omit(&trace, REPLAY_SYNC_FOLDER);
    fails(&it, REPLAY_JOURNAL, "no fsync of the folder");
    fails(&it, REPLAY_ANY, "no fsync of the folder");

    it.options.keep = 2;
    record_anew(&it);
    replay_delay_sync(&trace);
    fails(&it, REPLAY_JOURNAL, "fsync after the number's rename");
    sample_destroy(&it.like);
}
