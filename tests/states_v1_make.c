/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Made the goldens of state files of format version 1:
 *
 *     ninja -C build tests/states_v1_make && build/tests/states_v1_make tests/goldens/state
 *
 * Writes FOLDER/v1_NAME.safetensors for each case of states_v1_cases.c, the state after V1_BEFORE steps, and
 * FOLDER/v1.digests, lines "NAME DIGEST": what the state is after V1_AFTER further steps. These files are kept for ever,
 * so that every later version is held to load them: it refuses to write over them. A new case is made in an empty folder
 * and its file and its line added; a new format version gets cases and files of its own.
 */
#include "states_v1_cases.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static void make(const char *folder, const v1_case *it, glissade_engine *engine, FILE *digests) {
    static v1_run run;
    char path[4096];
    snprintf(path, sizeof path, "%s/v1_%s.safetensors", folder, it->name);
    v1_create(&run, it, engine, true);
    v1_train(&run, 0, V1_BEFORE);
    REQUIRE(!v1_save(&run, path), "%s", glissade_optimizer_message(run.optimizer));
    v1_train(&run, V1_BEFORE, V1_BEFORE + V1_AFTER);
    fprintf(digests, "%s %016" PRIx64 "\n", it->name, v1_digest(&run));
    v1_destroy(&run);
}

int main(int count, char **arguments) {
    char path[4096];
    REQUIRE(count == 2, "usage: states_v1_make FOLDER");
    snprintf(path, sizeof path, "%s/v1.digests", arguments[1]);
    REQUIRE(access(path, F_OK) != 0, "%s exists and is kept; give an empty folder", path);
    scenario_clear_environment();
    FILE *digests = fopen(path, "w");
    REQUIRE(digests, "%s cannot be written", path);
    glissade_engine *engine = scenario_engine(2);
    for (size_t i = 0; i < v1_count(); i++)
        make(arguments[1], v1_at(i), engine, digests);
    glissade_engine_destroy(&engine);
    return fclose(digests) ? 1 : 0;
}
