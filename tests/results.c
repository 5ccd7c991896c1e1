/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a study's runs, and the index over them: what is gone on with, what is refused and then left as it
 * was, and that thousands of runs are found at once.
 */
#include "study/figure.h"
#include "study/record.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[64], path[128];
static const char *const names[] = {"table.csv", "figure.svg"};
static const struct study study = {.name = "example", .files = names, .file_count = 2};
static struct study_settings settings;
static uint8_t pixels[2 * IMAGE_PIXELS], labels[2];
static const struct dataset data = {.train = {.pixels = pixels, .labels = labels, .count = 2},
                                    .test = {.pixels = pixels, .labels = labels, .count = 1}};

static void make_folder(void) {
    strcpy(folder, "/tmp/glissade-results-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/runs.csv", folder);
    settings = (struct study_settings){.output = folder, .seed = 1};
    cr_redirect_stderr();
}

static void remove_folder(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert(system(command) == 0);
}

TestSuite(results, .init = make_folder, .fini = remove_folder, .timeout = 60);

/* ---- helpers ---- */

static struct run_settings run_of(uint64_t seed) {
    return (struct run_settings){.network = &network_small_mlp,
                                 .arm = ARM_EWMA,
                                 .momentum = 0.9,
                                 .rate = 0.1,
                                 .batch = 64,
                                 .seed = seed,
                                 .steps = 100,
                                 .images = 1000,
                                 .loss_target = 0.5,
                                 .accuracy_target = 0.8};
}

static struct run_outcome outcome_of(uint64_t seed) {
    return (struct run_outcome){.steps = 100,
                                .steps_to_loss = INFINITY,
                                .steps_to_accuracy = 50.0 + (double)seed,
                                .acted = 1.0,
                                .checkpoint_count = 1,
                                .checkpoints = {{.acted = 1.0}}};
}

static enum exit_code open_it(struct results *results) {
    return results_open(results, &study, &settings, &data);
}

/* Opens, has the runs of seeds 1 to `last` done that are lacking, and closes. */
static void complete(uint64_t last) {
    struct results results;
    cr_assert_eq(open_it(&results), EXIT_CODE_OK);
    for (uint64_t seed = 1; seed <= last; ++seed) {
        struct run_settings run = run_of(seed);
        struct run_outcome outcome = outcome_of(seed);
        if (results_find(&results, &run) == NULL)
            cr_assert_eq(results_append(&results, &run, &outcome), EXIT_CODE_OK);
    }
    cr_assert_eq(results.count, last);
    results_close(&results);
}

/* NULL if there is no ordinary file. */
static char *read_file(size_t *length) {
    struct stat status;
    FILE *file = stat(path, &status) == 0 && S_ISREG(status.st_mode) ? fopen(path, "rb") : NULL;
    if (file == NULL)
        return NULL;
    char *text = calloc(1, 1 << 16);
    *length = fread(text, 1, (1 << 16) - 1, file);
    fclose(file);
    return text;
}

static void write_file(const char *text, size_t length) {
    FILE *file = fopen(path, "wb");
    cr_assert(file != NULL && fwrite(text, 1, length, file) == length && fclose(file) == 0);
}

/* Everything that stderr got since the last call. */
static const char *messages(void) {
    static char text[8192];
    fflush(stderr);
    size_t length = fread(text, 1, sizeof text - 1, cr_get_redirected_stderr());
    text[length] = '\0';
    return text;
}

/* What is there is refused in one line that holds `part`, and left as it is. */
static void expect_refusal(const char *part) {
    size_t before_length = 0, after_length = 0;
    char *before = read_file(&before_length);
    struct results results;
    cr_assert_eq(open_it(&results), EXIT_CODE_USAGE, "%s", part);
    results_close(&results);
    const char *said = messages();
    cr_assert(strncmp(said, "glissade: ", 10) == 0 && strchr(said, '\n') == said + strlen(said) - 1 &&
                  strstr(said, part) != NULL,
              "'%s' holds '%s'", said, part);
    char *after = read_file(&after_length);
    cr_assert((before == NULL) == (after == NULL));
    if (before != NULL)
        cr_assert(before_length == after_length && memcmp(before, after, after_length) == 0, "%s", part);
    free(before);
    free(after);
}

/* The good file of three runs with `count` bytes at `at` replaced by `to`. */
static void expect_replaced_refused(size_t at, size_t count, const char *to, size_t to_length,
                                    const char *part) {
    complete(3);
    size_t length;
    char *good = read_file(&length), *bad = malloc(length + to_length);
    memcpy(bad, good, at);
    memcpy(bad + at, to, to_length);
    memcpy(bad + at + to_length, good + at + count, length - at - count);
    write_file(bad, length - count + to_length);
    expect_refusal(part);
    write_file(good, length);
    free(good);
    free(bad);
}

static size_t place_of(const char *what) {
    complete(3);
    size_t length;
    char *text = read_file(&length);
    const char *at = strstr(text, what);
    cr_assert(at != NULL);
    size_t place = (size_t)(at - text);
    free(text);
    return place;
}

/* ---- going on ---- */

Test(results, runs_are_found_again) {
    complete(3);
    struct results results;
    cr_assert_eq(open_it(&results), EXIT_CODE_OK);
    cr_assert_eq(results.count, 3);
    for (uint64_t seed = 1; seed <= 3; ++seed) {
        struct run_settings run = run_of(seed);
        const struct run_outcome *found = results_find(&results, &run);
        cr_assert(found != NULL && found->steps_to_accuracy == 50.0 + (double)seed);
        run.momentum = 0.99;
        cr_assert(results_find(&results, &run) == NULL);
    }
    results_close(&results);
}

Test(results, goes_on_from_wherever_it_was_cut) {
    complete(3);
    size_t length, mended_length;
    char *whole = read_file(&length);
    for (size_t cut = 0; cut <= length; ++cut) {
        write_file(whole, cut);
        complete(3);
        char *mended = read_file(&mended_length);
        cr_assert(mended_length == length && memcmp(mended, whole, length) == 0, "cut after %zu bytes", cut);
        free(mended);
    }
    free(whole);
}

Test(results, tables_change_nothing) {
    complete(3);
    size_t length, after_length;
    char *whole = read_file(&length);
    write_file(whole, length - 10);
    settings.tables = true;
    struct results results;
    cr_assert_eq(results_open(&results, &study, &settings, NULL), EXIT_CODE_OK);
    cr_assert_eq(results.count, 2);
    results_close(&results);
    cr_assert(strstr(messages(), "left out") != NULL);
    char *after = read_file(&after_length);
    cr_assert(after_length == length - 10 && memcmp(after, whole, after_length) == 0);
    free(whole);
    free(after);
}

Test(results, tables_need_runs) {
    settings.tables = true;
    expect_refusal("no runs");
    settings.output = "/tmp/glissade-results-nowhere";
    expect_refusal("no runs");
    cr_assert(access(settings.output, F_OK) != 0);
    settings.output = folder;
    write_file("", 0);
    expect_refusal("no runs");
    settings.tables = false;
    complete(0);
    settings.tables = true;
    expect_refusal("no runs");
}

/* ---- refusals ---- */

Test(results, damage_is_refused) {
    const size_t first = place_of("\nsmall-mlp") + 1;
    expect_replaced_refused(0, 1, "!", 1, "no file of a study's runs");
    expect_replaced_refused(place_of("# command"), 3, "", 0, "damaged heading");
    expect_replaced_refused(place_of("# experiment"), 3, "# E", 3, "damaged heading");
    expect_replaced_refused(place_of("network,arm,"), 8, "", 0, "damaged heading");
    expect_replaced_refused(place_of(",check"), 6, "", 0, "damaged heading");
    expect_replaced_refused(place_of("\n"), 1, "\r\n", 2, "CR LF");
    expect_replaced_refused(first, 1, "S", 1, "damaged in line 5");
    expect_replaced_refused(first + 20, 1, "", 1, "damaged in line 5");
    expect_replaced_refused(first + 20, 0, "\n", 1, "damaged in line 5");
    expect_replaced_refused(first, 0, "\n", 1, "damaged in line 5");
    expect_replaced_refused(first, 10, "", 0, "damaged in line 5");
}

Test(results, every_damaged_byte_of_the_runs_is_refused) {
    const size_t first = place_of("\nsmall-mlp") + 1;
    size_t length;
    char *text = read_file(&length);
    /* But for the last line's end: without it the line counts as unfinished. */
    for (size_t i = first; i + 1 < length; ++i) {
        text[i] ^= 0x20;
        write_file(text, length);
        expect_refusal("damaged in line");
        text[i] ^= 0x20;
    }
    free(text);
}

Test(results, foreign_files_are_refused_even_by_force) {
    static char junk[40000];
    for (size_t i = 0; i < sizeof junk; ++i)
        junk[i] = (char)(i * 2654435761U >> 13);
    for (int force = 0; force < 2; ++force) {
        settings.force = force == 1;
        write_file(junk, sizeof junk);
        expect_refusal("no file of a study's runs");
        write_file("day,kilometres\n1,5\n", 19);
        expect_refusal("no file of a study's runs");
        write_file("\0\0\0\0", 4);
        expect_refusal("no file of a study's runs");
    }
    settings.force = false;
    unlink(path);
    complete(0);
    size_t length;
    char *heading = read_file(&length);
    char *with_junk = malloc(length + sizeof junk);
    memcpy(with_junk, heading, length);
    memset(with_junk + length, 'x', sizeof junk);
    write_file(with_junk, length + sizeof junk);
    expect_refusal("damaged in line 5"); /* too long for a line that was not finished */
    free(with_junk);
    free(heading);
}

Test(results, another_experiment_is_refused) {
    complete(3);
    settings.seed = 2;
    expect_refusal("another experiment");
    settings.seed = 1;
    settings.quick = true;
    expect_refusal("another experiment");
    settings.quick = false;
    pixels[17] ^= 1;
    expect_refusal("another experiment");
    pixels[17] ^= 1;
    labels[0] ^= 1;
    expect_refusal("another experiment");
    labels[0] ^= 1;
    complete(3);
}

Test(results, a_run_twice_is_refused) {
    complete(3);
    size_t length;
    char *text = read_file(&length);
    char *last = text + length - 1;
    while (last[-1] != '\n')
        --last;
    size_t line = (size_t)(text + length - last);
    memcpy(text + length, last, line);
    write_file(text, length + line);
    expect_refusal("line 8 a run that it has already");
    free(text);
}

Test(results, other_things_in_its_place_are_refused) {
    cr_assert_eq(mkdir(path, 0777), 0);
    expect_refusal("Is a directory");
    rmdir(path);
    cr_assert_eq(mkfifo(path, 0666), 0);
    expect_refusal("no ordinary file");
    settings.tables = true;
    expect_refusal("no ordinary file");
    settings.tables = false;
    unlink(path);
    cr_assert_eq(symlink("nowhere", path), 0);
    expect_refusal("leads nowhere");
    settings.force = true;
    expect_refusal("leads nowhere");
}

Test(results, other_files_of_the_study_are_not_overwritten) {
    char table[96];
    snprintf(table, sizeof table, "%s/table.csv", folder);
    FILE *file = fopen(table, "w");
    cr_assert(file != NULL && fputs("mine\n", file) >= 0 && fclose(file) == 0);
    expect_refusal("table.csv' exists");
    cr_assert(access(path, F_OK) != 0);
    write_file("", 0);
    expect_refusal("table.csv' exists");
    settings.force = true;
    complete(1);
}

Test(results, folders_that_cannot_be) {
    char long_name[5000];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    settings.output = "";
    expect_refusal("'--output' cannot be ''");
    settings.output = long_name;
    expect_refusal("'--output' cannot be 'xxx");
    settings.output = "/dev/null";
    expect_refusal("Not a directory");
    settings.output = "/proc/nowhere/below";
    expect_refusal("/proc/nowhere");
}

Test(results, folders_are_made) {
    char below[96];
    snprintf(below, sizeof below, "%s/a/b", folder);
    settings.output = below;
    snprintf(path, sizeof path, "%s/runs.csv", below);
    complete(1);
    cr_assert(access(path, F_OK) == 0);
}

/* ---- force, locks, full disks ---- */

Test(results, force_starts_anew) {
    complete(3);
    settings.seed = 2;
    settings.force = true;
    complete(0);
    settings.force = false;
    complete(1);
}

/* Runs `body` while another process holds the file's lock. */
static void while_locked(void (*body)(void)) {
    int ready[2];
    char byte;
    cr_assert_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        FILE *file = fopen(path, "r");
        if (file != NULL && flock(fileno(file), LOCK_EX) == 0 && write(ready[1], "x", 1) == 1)
            pause();
        _exit(0);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    body();
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void expect_locked(void) {
    expect_refusal("another study");
    settings.force = true;
    expect_refusal("another study");
}

Test(results, one_study_at_a_time) {
    complete(3);
    while_locked(expect_locked);
    settings.force = false;
    complete(3);
}

static void limit_file_size(size_t size) {
    /* With the signal ignored, a write that would go beyond is cut short, and the next one fails: as on a full disk. */
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {.rlim_cur = size, .rlim_max = RLIM_INFINITY};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(results, a_full_disk_leaves_whole_lines) {
    complete(2);
    size_t length, after_length;
    char *before = read_file(&length);
    struct results results;
    struct run_settings run = run_of(3);
    struct run_outcome outcome = outcome_of(3);
    cr_assert_eq(open_it(&results), EXIT_CODE_OK);
    limit_file_size(length + 50);
    cr_assert_eq(results_append(&results, &run, &outcome), EXIT_CODE_FAILED);
    limit_file_size(RLIM_INFINITY);
    cr_assert_eq(results.count, 2);
    results_close(&results);
    cr_assert(strstr(messages(), "cannot write") != NULL);
    char *after = read_file(&after_length);
    cr_assert(after_length == length && memcmp(before, after, length) == 0);
    complete(3);
    free(before);
    free(after);
}

Test(results, a_full_disk_leaves_no_half_heading) {
    struct results results;
    limit_file_size(20);
    cr_assert_eq(open_it(&results), EXIT_CODE_FAILED);
    limit_file_size(RLIM_INFINITY);
    results_close(&results);
    cr_assert(access(path, F_OK) != 0);
}

Test(results, a_file_deleted_at_work_is_noticed) {
    struct results results;
    struct run_settings run = run_of(1);
    struct run_outcome outcome = outcome_of(1);
    cr_assert_eq(open_it(&results), EXIT_CODE_OK);
    unlink(path);
    cr_assert_eq(results_append(&results, &run, &outcome), EXIT_CODE_FAILED);
    cr_assert(strstr(messages(), "was deleted") != NULL);
    results_close(&results);
}

/* ---- thousands of runs ---- */

/* A study's worth of runs, most of which differ in rate and threshold alone; number 0 to 4,031. */
static struct run_settings numbered(size_t number) {
    struct run_settings run = run_of(1 + number % 12);
    run.rate = ldexp(1.0, -(int)(number / 12 % 7));
    run.threshold = ldexp(1.0, (int)(number / 84 % 6));
    run.handling = number / 504 % 2 == 0 ? HANDLING_DEFER : HANDLING_DROP;
    run.momentum = number / 1008 % 2 == 0 ? 0.0 : 0.9;
    run.network = number / 2016 == 0 ? &network_small_mlp : &network_convolutional;
    return run;
}

enum { RUNS = 4032 };

Test(results, thousands_of_runs_are_planned_and_found) {
    struct results results = {.file = -1};
    struct run_plan plan = {.count = 0};
    clock_t began = clock();
    for (size_t i = 0; i < RUNS; ++i) {
        struct result result = {.settings = numbered(i), .outcome = {.steps = i}};
        cr_assert(results_add(&results, &result));
    }
    for (size_t i = 0; i < 2 * RUNS; ++i) {
        struct run_settings run = numbered(i % RUNS);
        run.rate *= 1.0 + 1e-10; /* as far as nine digits go the same */
        cr_assert(run_plan_add(&plan, &run));
        const struct run_outcome *found = results_find(&results, &run);
        cr_assert(found != NULL && found->steps == i % RUNS, "%zu", i);
        run.seed = 99;
        cr_assert(results_find(&results, &run) == NULL);
    }
    cr_assert_eq(plan.count, RUNS);
    double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    cr_log_info("%.3f s of processor time", seconds);
    run_plan_free(&plan);
    results_close(&results);
}

Test(results, an_empty_index_finds_nothing) {
    struct results results = {.file = -1};
    struct run_settings run = run_of(1);
    cr_assert(results_find(&results, &run) == NULL);
    results_close(&results);
    struct run_plan plan = {.count = 0};
    run_plan_free(&plan);
}
