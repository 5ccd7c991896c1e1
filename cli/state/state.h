/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands of `glissade state` share: they look at tensor files, whoever wrote them, and trust nothing in them.
 * A name from a file is printed as text_print does and never becomes a path.
 */
#ifndef GLISSADE_CLI_STATE_STATE_H
#define GLISSADE_CLI_STATE_STATE_H

#include "../options.h"
#include "../report.h"

extern const struct command state_show_command, state_verify_command, state_diff_command,
    state_convert_command;

int state_show_main(int argc, char **argv);
int state_verify_main(int argc, char **argv);
int state_diff_main(int argc, char **argv);
int state_convert_main(int argc, char **argv);

/* Whether a status says that it is the file that is damaged, rather than that it could not be read. */
bool state_is_damage(glissade_status status);

/* FAILED where the file is damaged, USAGE where it could not be read. */
enum exit_code state_exit_code(glissade_status status);

/* Opens a file and checks its header, or reports why not, with state_exit_code. */
enum exit_code state_open(const char *command, const char *path, glissade_file **file);

/* A tensor of an open file; the index is below glissade_file_count. */
glissade_file_tensor state_tensor(const glissade_file *file, size_t index);

/* Elements of a tensor: the product of its shape, which the library has checked against its bytes. */
uint64_t state_elements(const glissade_file_tensor *tensor);

/* Prints "F32 [784, 256]", and at most so many dimensions. */
void state_print_shape(FILE *out, const glissade_file_tensor *tensor);
json_t *state_shape_json(const glissade_file_tensor *tensor);

/* ---- names; see glissade/state.h ---- */

/* A name of the form state.NAME.FIELD or glissade.tensor.NAME.FIELD, taken apart. */
struct state_name {
    const char *tensor; /* NAME: so many bytes of the name that was given */
    size_t length;
    const char *field; /* to its end */
};

/* Takes a name apart; false if it is none of that form. FIELD has no dot, but for that of "X.unit". */
bool state_name_of_array(const char *name, struct state_name *parts);
bool state_name_of_text(const char *key, struct state_name *parts);

/* Whether a line of metadata belongs to the checksums: it says nothing that the rest of the file does not. */
bool state_is_checksum(const char *key);

#endif
