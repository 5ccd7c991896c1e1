/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State files of format version 1, as the library wrote them (goldens/state/v1_*.safetensors, made by states_v1_make.c):
 * whatever becomes of the library, they load, are verified, and go on to the bits that were written down then.
 */
#include "states_v1_cases.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct path {
    char text[4096];
} path;

static path golden_path(const v1_case *it) {
    path made;
    snprintf(made.text, sizeof made.text, "%s/state/v1_%s.safetensors", GOLDENS_DIR, it->name);
    return made;
}

/* The digest of a case; false if there is none. */
static bool find_digest(const v1_case *it, uint64_t *digest) {
    char name[64];
    bool found = false;
    FILE *file = fopen(GOLDENS_DIR "/state/v1.digests", "r");
    while (file && !found && fscanf(file, "%63s %" SCNx64, name, digest) == 2)
        found = strcmp(name, it->name) == 0;
    if (file)
        fclose(file);
    return found;
}

static struct criterion_test_params all_cases(void) {
    size_t *indices = cr_malloc(sizeof *indices * v1_count());
    for (size_t i = 0; i < v1_count(); i++)
        indices[i] = i;
    return cr_make_param_array(size_t, indices, v1_count(), NULL);
}

static void load(v1_run *run, const v1_case *it, glissade_engine *engine) {
    glissade_load_report report = {.size = sizeof report};
    const path from = golden_path(it);
    v1_create(run, it, engine, false);
    cr_assert_eq(v1_load(run, from.text, &report), GLISSADE_STATUS_OK, "%s",
                 glissade_optimizer_message(run->optimizer));
    cr_assert(report.verified, "%s: not verified", it->name);
    cr_assert_eq(report.tensors, V1_GROUPS * V1_TENSORS);
    cr_assert_eq(report.missing + report.extra + report.converted, 0);
}

ParameterizedTestParameters(states_v1, go_on_to_the_same_bits) {
    return all_cases();
}

ParameterizedTest(size_t *index, states_v1, go_on_to_the_same_bits) {
    const v1_case *it = v1_at(*index);
    static v1_run run;
    uint64_t expected = 0;
    scenario_clear_environment();
    cr_assert(find_digest(it, &expected), "%s has no digest", it->name);
    for (uint32_t threads = 1; threads <= 3; threads += 2) {
        setenv("GLISSADE_ISA", threads == 1 ? "scalar" : "", 1); /* empty: the best */
        glissade_engine *engine = scenario_engine(threads);
        load(&run, it, engine);
        v1_train(&run, V1_BEFORE, V1_BEFORE + V1_AFTER);
        cr_assert_eq(v1_digest(&run), expected, "%s with %u threads: %016" PRIx64 ", not %016" PRIx64,
                     it->name, threads, v1_digest(&run), expected);
        v1_destroy(&run);
        glissade_engine_destroy(&engine);
    }
}

/* ---- saved again ---- */

static char *read_all(const char *from, size_t *bytes) {
    FILE *file = fopen(from, "rb");
    cr_assert(file, "%s cannot be read", from);
    char *text = malloc(1 << 16);
    cr_assert(text);
    *bytes = fread(text, 1, 1 << 16, file);
    fclose(file);
    cr_assert(*bytes > 0 && *bytes < 20000, "%s has %zu bytes", from, *bytes);
    return text;
}

ParameterizedTestParameters(states_v1, saved_again_are_the_same_bytes) {
    return all_cases();
}

/* As long as this is the version that the library writes. */
ParameterizedTest(size_t *index, states_v1, saved_again_are_the_same_bytes) {
    const v1_case *it = v1_at(*index);
    static v1_run run;
    char folder[] = "/tmp/glissade-v1-XXXXXX";
    path to;
    size_t bytes, other;
    scenario_clear_environment();
    cr_assert(mkdtemp(folder));
    snprintf(to.text, sizeof to.text, "%s/state", folder);
    glissade_engine *engine = scenario_engine(2);
    load(&run, it, engine);
    const glissade_status status = v1_save(&run, to.text);
    const path from = golden_path(it);
    char *kept = read_all(from.text, &bytes), *made = status ? NULL : read_all(to.text, &other);
    unlink(to.text);
    rmdir(folder);
    cr_assert_eq(status, GLISSADE_STATUS_OK, "%s", glissade_optimizer_message(run.optimizer));
    cr_assert(bytes == other && memcmp(kept, made, bytes) == 0, "%s: other bytes", it->name);
    free(kept);
    free(made);
    v1_destroy(&run);
    glissade_engine_destroy(&engine);
}
