/* SPDX-License-Identifier: Apache-2.0 */
/* What `glissade info` found out, apart from how it is shown: info.c gathers, info_text.c and info_json.c
 * show. */
#ifndef GLISSADE_CLI_INFO_H
#define GLISSADE_CLI_INFO_H

#include <glissade/glissade.h>
#include <stdint.h>

enum { ISA_FIRST = GLISSADE_ISA_SCALAR, ISA_LAST = GLISSADE_ISA_NEON };

struct setting {
    glissade_variable_info variable;
    const char *value;
    glissade_origin origin;
};

struct machine {
    char cpu[256];
    glissade_engine_info engine;
    glissade_pu_info *pus; /* engine.pus of them */
    struct setting *settings;
    uint32_t setting_count;
};

const char *info_pin_name(glissade_pin pin);
const char *info_origin_name(glissade_origin origin);

void info_print_text(const struct machine *machine);

/* Returns the exit code. */
int info_print_json(const struct machine *machine);

/* The table of environment variables for a Markdown page; needs no engine. */
void info_print_variables_markdown(void);

#endif
