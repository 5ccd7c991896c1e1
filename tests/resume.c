/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training broken off, saved, and gone on with in another process, with another number of threads and another
 * instruction set, under every rule and in every format: the bits are those of training that was never broken off.
 * A plain program that prints TAP and runs itself:
 *
 *     resume                  the test
 *     resume PHASE FOLDER THREADS     a part of it: `whole` trains from start to end, `first` up to the save, `second` from there;
 *                             digests of all cases go to FOLDER/PHASE
 */
#include "formats_engine.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BEFORE = 4, AFTER = 3, TENSORS = 5, STATE_FORMATS = 4 };

extern char **environ;

static const size_t lengths[TENSORS] = {1, 300, 1500, 0, 5000};
static const char *const names[TENSORS] = {"a", "layer.0/\"weight\"", "b\xc3\xa9ta", "empty", "e"};

/* ---- cases ---- */

typedef struct test_case {
    variant variant;
    int form;
    glissade_state_format state;
    bool averages, own, labels, evaluation; /* evaluation: saved at that point */
} test_case;

static size_t cases_count(void) {
    return variants_count() * FORMS * STATE_FORMATS;
}

/* False for what does not exist. */
static bool case_at(size_t index, test_case *it) {
    const size_t v = index / (FORMS * STATE_FORMATS);
    *it = (test_case){.variant = variant_at(v),
                      .form = (int)(index / STATE_FORMATS % FORMS),
                      .state = (glissade_state_format)(index % STATE_FORMATS)};
    it->own = (v + index / STATE_FORMATS) % 2;
    it->labels = index % 3 != 0;
    it->averages = it->form != FORM_F64 && index % 5 < 2;
    it->evaluation = strncmp(it->variant.rule->name, "schedule_free", 13) == 0 && index % 2;
    return it->form != FORM_F64 || it->state == GLISSADE_STATE_FULL;
}

static void must(glissade_status status, const char *what, const test_case *it,
                 glissade_optimizer *optimizer) {
    REQUIRE(!status, "%s, form %d, state %d: %s: %s", it->variant.name, it->form, (int)it->state, what,
            glissade_optimizer_message(optimizer));
}

/* Tensors in place, with parameters only where training begins. False where the rule refuses the formats. */
static bool create(const test_case *it, glissade_engine *engine, fleet *tensors, bool begins) {
    layout formats = layout_of_form(it->form);
    formats.state = it->state;
    const rule_options options = variant_options(&it->variant);
    fleet_create(tensors, &formats, lengths, TENSORS, 3, it->own);
    tensors->tensors[2].columns = 50;
    if (begins)
        fleet_fill_parameters(tensors, 1);
    if (!fleet_add(tensors, engine, it->variant.rule, &options))
        return false;
    must(glissade_optimizer_set_seed(tensors->optimizer, begins ? 77 : 1), "seed", it, tensors->optimizer);
    if (it->averages && begins)
        must(glissade_optimizer_set_average(tensors->optimizer, tensors->group, 0.75), "average", it,
             tensors->optimizer);
    glissade_label labels[TENSORS] = {{0}};
    for (size_t i = 0; i < TENSORS; i++)
        labels[i] = (glissade_label){.size = sizeof *labels, .name = names[i]};
    if (it->labels)
        must(glissade_optimizer_set_labels(tensors->optimizer, tensors->group, labels, TENSORS), "labels", it,
             tensors->optimizer);
    return true;
}

/* One tensor misses a step, so that counts differ. */
static void train(fleet *tensors, int begin, int end) {
    for (int step = begin; step < end; step++) {
        fleet_fill_gradients(tensors, (uint64_t)step + 10);
        for (uint32_t i = 0; i < TENSORS; i++) {
            void *gradient = i == 1 && step == 1 ? NULL : tensors->tensors[i].gradient;
            REQUIRE(!glissade_optimizer_set_gradient(tensors->optimizer,
                                                     (glissade_tensor_ref){tensors->group, i}, gradient),
                    "set_gradient");
        }
        fleet_step(tensors, NULL);
    }
}

static void set_point(const test_case *it, fleet *tensors, glissade_point point) {
    if (it->evaluation)
        must(glissade_optimizer_set_point(tensors->optimizer, tensors->group, point), "point", it,
             tensors->optimizer);
}

static void save(const test_case *it, fleet *tensors, const char *path) {
    glissade_file_options file;
    glissade_file_options_init(&file, sizeof file);
    file.omit_synchronise = true; /* nothing here loses power */
    glissade_save_options options;
    glissade_save_options_init(&options, sizeof options);
    options.file = &file;
    options.parameters = true;
    must(glissade_optimizer_save(tensors->optimizer, path, &options, NULL), "save", it, tensors->optimizer);
}

static void load(const test_case *it, fleet *tensors, const char *path) {
    glissade_load_options options;
    glissade_load_options_init(&options, sizeof options);
    options.parameters = options.need_checksums = true;
    must(glissade_optimizer_load(tensors->optimizer, path, &options, NULL), "load", it, tensors->optimizer);
}

/* ---- digests ---- */

/* FNV-1a. */
static uint64_t digest(uint64_t hash, const void *bytes, size_t count) {
    for (size_t i = 0; bytes && i < count; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t digest_tensor(uint64_t hash, const fleet *tensors, size_t i) {
    const glissade_tensor_info info = fleet_info(tensors, i);
    const size_t n = info.length, state = fleet_state_length(tensors, &info);
    const bool wide = info.parameter_dtype == GLISSADE_DTYPE_F64;
    hash = digest(hash, info.parameter, n * dtype_bytes(info.parameter_dtype));
    for (int s = 0; s < GLISSADE_STATES; s++)
        hash = digest(hash, info.state[s], glissade_state_bytes(info.state_format[s], s ? n : state, wide));
    hash = digest(hash, info.master_state, n * (info.master == GLISSADE_MASTER_SPLIT ? 2 : 4));
    hash = digest(hash, info.copy, info.copy_dtype ? n * dtype_bytes(info.copy_dtype) : 0);
    hash = digest(hash, info.average, n * sizeof(float));
    hash = digest(hash, info.residual, n * sizeof(float));
    hash = digest(hash, &info.steps, sizeof info.steps);
    hash = digest(hash, &info.momentum_updates, sizeof info.momentum_updates);
    hash = digest(hash, &info.gradient_rms, sizeof info.gradient_rms);
    return digest(hash, info.numbers, sizeof info.numbers);
}

/* ---- phases ---- */

static bool is_phase(const char *phase, const char *name) {
    return strcmp(phase, name) == 0;
}

static void run_case(const char *phase, const char *folder, size_t index, glissade_engine *engine,
                     FILE *results) {
    test_case it;
    fleet tensors;
    char path[4096];
    if (!case_at(index, &it))
        return;
    snprintf(path, sizeof path, "%s/%zu.safetensors", folder, index);
    if (create(&it, engine, &tensors, !is_phase(phase, "second"))) {
        if (is_phase(phase, "second"))
            load(&it, &tensors, path);
        else
            train(&tensors, 0, BEFORE);
        if (!is_phase(phase, "second"))
            set_point(&it, &tensors, GLISSADE_POINT_EVALUATION);
        if (is_phase(phase, "first"))
            save(&it, &tensors, path);
        set_point(&it, &tensors, GLISSADE_POINT_TRAINING);
        train(&tensors, BEFORE, BEFORE + AFTER);
        uint64_t hash = 0xcbf29ce484222325u;
        for (size_t i = 0; i < TENSORS; i++)
            hash = digest_tensor(hash, &tensors, i);
        fprintf(results, "%s, form %d, state %d%s%s: %016llx\n", it.variant.name, it.form, (int)it.state,
                it.averages ? ", averaged" : "", it.evaluation ? ", at evaluation" : "",
                (unsigned long long)hash);
    }
    fleet_destroy(&tensors);
}

static int run_phase(const char *phase, const char *folder, uint32_t threads) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, phase);
    FILE *results = fopen(path, "w");
    REQUIRE(results, "%s cannot be written", path);
    glissade_engine *engine = scenario_engine(threads);
    for (size_t i = 0; i < cases_count(); i++)
        run_case(phase, folder, i, engine, results);
    glissade_engine_destroy(&engine);
    return fclose(results) ? 1 : 0;
}

/* ---- the test ---- */

static bool spawn(const char *program, const char *phase, const char *folder, const char *threads,
                  const char *isa) {
    char *arguments[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)phase, (char *)(uintptr_t)folder,
                         (char *)(uintptr_t)threads, NULL};
    pid_t child;
    int status;
    setenv("OMP_WAIT_POLICY", "passive", 1);
    if (isa)
        setenv("GLISSADE_ISA", isa, 1);
    else
        unsetenv("GLISSADE_ISA");
    return posix_spawn(&child, program, NULL, NULL, arguments, environ) == 0 &&
           waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Lines of two results side by side; how many there were, or -1 at the first that differs. */
static int compare(const char *folder, const char *name) {
    char path[2][4096], line[2][256];
    FILE *files[2];
    int count = 0;
    snprintf(path[0], sizeof path[0], "%s/whole", folder);
    snprintf(path[1], sizeof path[1], "%s/%s", folder, name);
    for (int i = 0; i < 2; i++)
        REQUIRE((files[i] = fopen(path[i], "r")), "%s is missing", path[i]);
    while (count >= 0 && fgets(line[0], sizeof line[0], files[0])) {
        const bool there = fgets(line[1], sizeof line[1], files[1]);
        if (!there || strcmp(line[0], line[1]) != 0) {
            printf("# whole:  %s# %s: %s", line[0], name, there ? line[1] : "(nothing)\n");
            count = -2;
        }
        count++;
    }
    fclose(files[0]);
    fclose(files[1]);
    return count;
}

static void remove_all(const char *folder) {
    char path[4096];
    for (size_t i = 0; i < cases_count(); i++) {
        snprintf(path, sizeof path, "%s/%zu.safetensors", folder, i);
        unlink(path);
    }
    static const char *const results[] = {"whole", "first", "second"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, results[i]);
        unlink(path);
    }
    rmdir(folder);
}

static bool report(int number, bool passed, const char *what) {
    printf("%sok %d - %s\n", passed ? "" : "not ", number, what);
    return passed;
}

int main(int count, char **arguments) {
    if (count == 4)
        return run_phase(arguments[1], arguments[2], (uint32_t)atoi(arguments[3]));
    char folder[] = "/tmp/glissade-resume-XXXXXX", text[128];
    REQUIRE(mkdtemp(folder), "no temporary folder");
    scenario_clear_environment();
    const char *self = "/proc/self/exe";
    static const char *const ways[2][4] = {{"3", "scalar", "8", NULL}, {"8", NULL, "3", "scalar"}};
    bool passed = true;
    puts("1..2");
    REQUIRE(spawn(self, "whole", folder, "2", NULL), "training in one go failed");
    for (int i = 0; i < 2; i++) {
        const char *const *way = ways[i];
        const bool ran =
            spawn(self, "first", folder, way[0], way[1]) && spawn(self, "second", folder, way[2], way[3]);
        const int before = ran ? compare(folder, "first") : -1, after = ran ? compare(folder, "second") : -1;
        snprintf(text, sizeof text, "%d cases saved with %s threads (%s), gone on with %s (%s)", after,
                 way[0], way[1] ? way[1] : "the best kernels", way[2], way[3] ? way[3] : "the best kernels");
        passed &= report(i + 1, before > 0 && after == before, text);
    }
    remove_all(folder);
    return !passed;
}
