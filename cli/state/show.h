/* SPDX-License-Identifier: Apache-2.0 */
/* What `glissade state show` found in a file, apart from how it is shown: show.c gathers, show_print.c shows. */
#ifndef GLISSADE_CLI_STATE_SHOW_H
#define GLISSADE_CLI_STATE_SHOW_H

#include "state.h"

/* Least and most of the step counts seen; `count` is how many. */
struct steps {
    uint64_t count;
    double least, most;
};

struct group {
    uint64_t number;
    size_t first_line; /* the first of its lines of metadata; they follow each other */
    uint64_t tensors;
    struct steps steps;
};

struct contents {
    const char *path;
    glissade_file *file;
    struct group *groups; /* ascending by number */
    size_t group_count;
    struct steps steps;
};

/* The rest of a line's key of that group, "learning_rate" of "glissade.group.0.learning_rate"; NULL if it is another's. */
const char *show_group_field(const char *key, uint64_t number);

/* Whether a line is shown with the groups or tensors, or says nothing to anybody but the library. */
bool show_is_own(const char *key);

void show_print_text(const struct contents *contents, bool all_tensors);
enum exit_code show_print_json(const struct contents *contents);

#endif
