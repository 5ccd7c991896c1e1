/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of runs: opened, checked, gone on with. What a line looks like is record.c's business. An outcome is kept
 * as it reads from the file, so that a study that was interrupted and one that was not see the same numbers.
 */
#include "results.h"

#include "figure.h"
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HEADING_LINES = 4 }; /* what made the file, the command, the experiment, the names of the columns */

static enum exit_code report_memory(void) {
    report_error("study: out of memory for the runs");
    return EXIT_CODE_FAILED;
}

static enum exit_code refuse(const struct results *results, const char *problem) {
    report_error("study: '%s' %s", results->path, problem);
    return EXIT_CODE_USAGE;
}

static enum exit_code report_system(const struct results *results, const char *action) {
    report_error("study: cannot %s '%s': %s", action, results->path, strerror(errno));
    return EXIT_CODE_USAGE;
}

static uint64_t digest(uint64_t state, const uint8_t *bytes, size_t count) {
    /* FNV-1a: to tell data sets apart, not to withstand anyone. */
    for (size_t i = 0; i < count; ++i)
        state = (state ^ bytes[i]) * UINT64_C(0x100000001b3);
    return state;
}

static uint64_t data_digest(const struct dataset *dataset) {
    uint64_t state = UINT64_C(0xcbf29ce484222325);
    state = digest(state, dataset->train.pixels, dataset->train.count * IMAGE_PIXELS);
    state = digest(state, dataset->train.labels, dataset->train.count);
    state = digest(state, dataset->test.pixels, dataset->test.count * IMAGE_PIXELS);
    return digest(state, dataset->test.labels, dataset->test.count);
}

/* ---- the runs in memory ---- */

bool results_add(struct results *results, const struct result *result) {
    if (results->count == results->capacity) {
        size_t capacity = results->capacity > 0 ? 2 * results->capacity : 64;
        struct result *items = realloc(results->items, capacity * sizeof *items);
        if (items == NULL)
            return false;
        results->items = items;
        results->capacity = capacity;
    }
    results->items[results->count] = *result;
    if (!run_index_add(&results->index, results->items, sizeof *results->items, (uint32_t)results->count))
        return false;
    ++results->count;
    return true;
}

const struct run_outcome *results_find(const struct results *results, const struct run_settings *settings) {
    uint32_t place = run_index_find(&results->index, results->items, sizeof *results->items, settings);
    return place != RUN_INDEX_NONE ? &results->items[place].outcome : NULL;
}

/* ---- the heading ---- */

enum { EXPERIMENT_SIZE = 512, HEADING_SIZE = 4096 };

static const char program_mark[] = "# glissade ",
                  command_mark[] = "# command: ", experiment_mark[] = "# experiment: ";

/* What must be the same for a file to be gone on with; without data only the beginning of that. */
static void write_experiment(char *line, const char *study, const struct study_settings *settings,
                             const struct dataset *dataset) {
    int length = snprintf(line, EXPERIMENT_SIZE, "%s%s, %s; first seed %llu; ", experiment_mark, study,
                          settings->quick ? "quick" : "full", (unsigned long long)settings->seed);
    if (dataset != NULL)
        snprintf(line + length, EXPERIMENT_SIZE - (size_t)length, "%s, %zu + %zu images, digest %016llx",
                 dataset->synthetic ? "synthetic data" : "idx data", dataset->train.count,
                 dataset->test.count, (unsigned long long)data_digest(dataset));
}

static void write_heading(char *text, const char *study, const struct study_settings *settings,
                          bool synthetic, const char *experiment) {
    int length = snprintf(text, HEADING_SIZE, "%s%s\n%sglissade study %s --seed %llu%s%s\n%s\n", program_mark,
                          glissade_version(), command_mark, study, (unsigned long long)settings->seed,
                          settings->quick ? " --quick" : "", synthetic ? " --synthetic" : "", experiment);
    record_write_columns(text + length, HEADING_SIZE - (size_t)length);
}

static bool begins_with(const char *line, size_t length, const char *beginning) {
    size_t wanted = strlen(beginning);
    return length >= wanted && memcmp(line, beginning, wanted) == 0;
}

/* Compares a heading with that of this study; without data, takes the file's word for the kind of data. *begin becomes the place of the first run. */
static enum exit_code check_heading(struct results *results, const char *text, size_t length,
                                    const char *experiment, bool whole, size_t *begin) {
    char columns[HEADING_SIZE];
    record_write_columns(columns, sizeof columns);
    const char *const beginnings[HEADING_LINES] = {program_mark, command_mark, experiment_mark, columns};
    const char *lines[HEADING_LINES];
    size_t lengths[HEADING_LINES]; /* with the end of the line */
    *begin = 0;
    for (int i = 0; i < HEADING_LINES; ++i) {
        lines[i] = text + *begin;
        const char *end = memchr(lines[i], '\n', length - *begin);
        if (end != NULL && end > lines[i] && end[-1] == '\r')
            return refuse(
                results,
                "has the line ends of another system (CR LF); convert it, or use --force to start anew");
        if (end == NULL || !begins_with(lines[i], (size_t)(end + 1 - lines[i]), beginnings[i]))
            return refuse(results, "has a damaged heading; mend it, or use --force to start anew");
        lengths[i] = (size_t)(end + 1 - lines[i]);
        *begin += lengths[i];
    }
    size_t wanted = strlen(experiment);
    if (begins_with(lines[2], lengths[2], experiment) && (!whole || lengths[2] == wanted + 1)) {
        if (!whole)
            results->synthetic = begins_with(lines[2] + wanted, lengths[2] - wanted, "synthetic data, ");
        return EXIT_CODE_OK;
    }
    report_error("study: '%s' is of another experiment: \"%.*s\" instead of \"%s\"; --force starts anew",
                 results->path, lengths[2] < EXPERIMENT_SIZE ? (int)lengths[2] - 1 : EXPERIMENT_SIZE,
                 lines[2], experiment);
    return EXIT_CODE_USAGE;
}

/* ---- reading ---- */

/* The whole file with a zero behind it; NULL after reporting why not. */
static char *slurp(const struct results *results, size_t *length, enum exit_code *exit_code) {
    struct stat status;
    *exit_code = EXIT_CODE_USAGE;
    if (fstat(results->file, &status) != 0 || !S_ISREG(status.st_mode)) {
        refuse(results, "is no ordinary file");
        return NULL;
    }
    *length = (size_t)status.st_size;
    char *text = malloc(*length + 1);
    if (text == NULL) {
        *exit_code = report_memory();
        return NULL;
    }
    for (size_t done = 0; done < *length;) {
        ssize_t got = pread(results->file, text + done, *length - done, (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            if (got < 0)
                report_system(results, "read");
            else
                refuse(results, "became shorter while it was read");
            free(text);
            return NULL;
        }
        done += (size_t)got;
    }
    text[*length] = '\0';
    *exit_code = EXIT_CODE_OK;
    return text;
}

/* Leaves out a last line without its end, and cuts it off if runs are to follow. */
static enum exit_code drop_tail(const struct results *results, size_t begin, bool tables) {
    fprintf(stderr, "glissade: note: the last line of '%s' was not finished; its run is %s\n", results->path,
            tables ? "left out" : "done again");
    if (!tables && ftruncate(results->file, (off_t)begin) != 0)
        return report_system(results, "shorten");
    return EXIT_CODE_OK;
}

static enum exit_code read_runs(struct results *results, char *text, size_t begin, size_t length,
                                bool tables) {
    size_t number = HEADING_LINES + 1;
    while (begin < length) {
        char *line = text + begin, *end = memchr(line, '\n', length - begin);
        if (end == NULL && length - begin < RECORD_SIZE)
            return drop_tail(results, begin, tables);
        if (end != NULL)
            *end = '\0';
        struct result result;
        /* A zero byte inside would hide the rest of its line. */
        if (end == NULL || strlen(line) != (size_t)(end - line) || !record_read(line, &result)) {
            report_error(
                "study: '%s' is damaged in line %zu; delete that line to have its run done again, or "
                "use --force to start anew",
                results->path, number);
            return EXIT_CODE_USAGE;
        }
        if (results_find(results, &result.settings) != NULL) {
            report_error("study: '%s' has in line %zu a run that it has already; delete one of the two lines",
                         results->path, number);
            return EXIT_CODE_USAGE;
        }
        if (!results_add(results, &result))
            return report_memory();
        begin += (size_t)(end + 1 - line);
        ++number;
    }
    return EXIT_CODE_OK;
}

/* ---- writing ---- */

/*
 * Appends, by one write unless the system makes more of it, so that a killed study leaves at most one unfinished
 * line. What could not be written to its end is taken back.
 */
static enum exit_code append_text(const struct results *results, const char *text, size_t length) {
    struct stat before;
    if (fstat(results->file, &before) != 0)
        return report_system(results, "write");
    if (before.st_nlink == 0) {
        report_error("study: '%s' was deleted while the study was at work", results->path);
        return EXIT_CODE_FAILED;
    }
    for (size_t done = 0; done < length;) {
        ssize_t written = write(results->file, text + done, length - done);
        if (written >= 0) {
            done += (size_t)written;
        } else if (errno != EINTR) {
            int problem = errno;
            const char *rest =
                ftruncate(results->file, before.st_size) == 0 ? "" : "; its last line is unfinished";
            report_error("study: cannot write '%s': %s%s", results->path, strerror(problem), rest);
            return EXIT_CODE_FAILED;
        }
    }
    return EXIT_CODE_OK;
}

enum exit_code results_append(struct results *results, const struct run_settings *settings,
                              const struct run_outcome *outcome) {
    struct result result = {.settings = *settings, .outcome = *outcome};
    char line[RECORD_SIZE];
    size_t length = record_write(line, &result);
    line[length - 1] = '\0';
    if (!record_read(line, &result)) {
        report_error("study: a run's outcome would not read back as it was");
        return EXIT_CODE_FAILED;
    }
    line[length - 1] = '\n';
    enum exit_code exit_code = append_text(results, line, length);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    return results_add(results, &result) ? EXIT_CODE_OK : report_memory();
}

/* ---- opening ---- */

static enum exit_code set_path(struct results *results, const char *folder) {
    int length = snprintf(results->path, sizeof results->path, "%s/runs.csv", folder);
    if (folder[0] != '\0' && length > 0 && (size_t)length < sizeof results->path)
        return EXIT_CODE_OK;
    report_error("study: option '--output' cannot be '%.64s'; it accepts a folder's path of 1 to 4000 bytes",
                 folder);
    return EXIT_CODE_USAGE;
}

static enum exit_code report_no_runs(const struct study_settings *settings) {
    report_error("study: there are no runs in '%s' to make tables of", settings->output);
    return EXIT_CODE_USAGE;
}

/* Opens the file; what may be anything is not to make it wait. Makes it only after all that could speak against
 * that has been looked at. */
static enum exit_code open_file(struct results *results, const struct study *study,
                                const struct study_settings *settings, bool *made) {
    const int flags = (settings->tables ? O_RDONLY : O_RDWR | O_APPEND) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    results->file = open(results->path, flags);
    if (results->file >= 0)
        return EXIT_CODE_OK;
    if (errno != ENOENT)
        return report_system(results, "open");
    struct stat status;
    if (lstat(results->path, &status) == 0)
        return refuse(results, "is a link that leads nowhere");
    if (settings->tables)
        return report_no_runs(settings);
    enum exit_code exit_code =
        settings->force ? EXIT_CODE_OK : figure_absent(settings->output, study->files, study->file_count);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    FILE *empty = figure_open(settings->output, "runs.csv", false, &exit_code);
    if (empty == NULL)
        return exit_code;
    fclose(empty);
    *made = true;
    results->file = open(results->path, flags);
    return results->file >= 0 ? EXIT_CODE_OK : report_system(results, "open");
}

/* With patience: the children of a study killed a moment ago hold its lock until they have noticed. */
static enum exit_code lock(const struct results *results) {
    const struct timespec while_longer = {.tv_nsec = 50000000};
    for (int tries = 0; flock(results->file, LOCK_EX | LOCK_NB) != 0; ++tries) {
        if (errno != EWOULDBLOCK)
            return report_system(results, "lock");
        if (tries == 20)
            return refuse(results, "belongs to another study that is at work on it");
        nanosleep(&while_longer, NULL);
    }
    return EXIT_CODE_OK;
}

/* Empties the file, and begins it. One that was made for this and remains empty is taken away. */
static enum exit_code begin(const struct results *results, const char *heading, bool made) {
    if (ftruncate(results->file, 0) != 0)
        return report_system(results, "empty");
    enum exit_code exit_code = append_text(results, heading, strlen(heading));
    if (exit_code != EXIT_CODE_OK && made)
        unlink(results->path);
    return exit_code;
}

/* Goes on with what the locked file holds, or starts anew. */
static enum exit_code take_up(struct results *results, const struct study *study,
                              const struct study_settings *settings, const struct dataset *dataset,
                              char *text, size_t length, bool made) {
    char experiment[EXPERIMENT_SIZE], heading[HEADING_SIZE];
    write_experiment(experiment, study->name, settings, dataset);
    results->synthetic = dataset != NULL && dataset->synthetic;
    write_heading(heading, study->name, settings, results->synthetic, experiment);
    /* Of no bytes, or cut short in the heading as by a full disk: there is nothing to lose. */
    bool nothing =
        begins_with(heading, strlen(heading), text) && length == strlen(text) && length < strlen(heading);
    if (!nothing && !begins_with(text, length, program_mark))
        return refuse(results, "is no file of a study's runs; move it away, or choose another folder");
    if (nothing && settings->tables)
        return report_no_runs(settings);
    if (settings->force)
        return begin(results, heading, made);
    if (nothing) {
        enum exit_code exit_code =
            made ? EXIT_CODE_OK : figure_absent(settings->output, study->files, study->file_count);
        return exit_code == EXIT_CODE_OK ? begin(results, heading, made) : exit_code;
    }
    size_t first;
    enum exit_code exit_code = check_heading(results, text, length, experiment, dataset != NULL, &first);
    if (exit_code == EXIT_CODE_OK)
        exit_code = read_runs(results, text, first, length, settings->tables);
    if (exit_code == EXIT_CODE_OK && settings->tables && results->count == 0)
        return report_no_runs(settings);
    return exit_code;
}

enum exit_code results_open(struct results *results, const struct study *study,
                            const struct study_settings *settings, const struct dataset *dataset) {
    *results = (struct results){.file = -1};
    bool made = false;
    enum exit_code exit_code = set_path(results, settings->output);
    if (exit_code == EXIT_CODE_OK)
        exit_code = open_file(results, study, settings, &made);
    if (exit_code == EXIT_CODE_OK)
        exit_code = lock(results);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    size_t length;
    char *text = slurp(results, &length, &exit_code);
    if (text != NULL)
        exit_code = take_up(results, study, settings, dataset, text, length, made);
    free(text);
    return exit_code;
}

void results_close(struct results *results) {
    if (results->file >= 0)
        close(results->file);
    run_index_free(&results->index);
    free(results->items);
    *results = (struct results){.file = -1};
}
