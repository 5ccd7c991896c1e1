/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An optimizer's state in a file (glissade/file.h), and back: everything that makes the next steps what they would have
 * been, to the bit, with any number of threads and on any instruction set.
 *
 * Arrays are named as PyTorch's flattened optimizer state names them, by the name of their tensor:
 *
 *     state.NAME.exp_avg, .exp_avg_sq, .momentum_buffer, ...   arrays of state, as each rule's torch.optim counterpart
 *                                                              calls them; docs/state.md has the table
 *     state.NAME.row_var, .col_var                             of adafactor's matrices: averages of rows and of columns
 *     state.NAME.step          number of steps, one float, of every rule but sgd; the 64-bit count in the metadata wins
 *     state.NAME.mu_product    of nadam, one float: 1 less the tensor's number, which in the metadata is exact
 *     state.NAME.X.unit        of an array X of 8-bit state, whose codes are I8 or U8: its blocks' units
 *     state.NAME.master        full values of a half-precision parameter; .master_low: lower halves, of a split one
 *     state.NAME.residual      deferred gradients
 *     state.NAME.average       average of the weights (glissade_optimizer_set_average)
 *     NAME                     the parameter itself, if asked for
 *
 * Elements keep their number format. State that counts for nothing is left out: of tensors that never stepped, momentum
 * that was never updated, residuals that were released. So is what the last step did (glissade_tensor_info.acted). What
 * is not an array stands in the metadata, numbers of type double in C's hexadecimal notation, counts and enumerations in
 * decimal, flags as "true" and "false":
 *
 *     glissade.format          "1": version of all this
 *     glissade.seed            of stochastic rounding
 *     glissade.groups          number of groups; group G (0, 1, ...) has
 *     glissade.group.G.rule, .stream, .average_weight, .point, and .HYPERPARAMETER for each, by its name in the rule's
 *                              options (stream: number that stochastic rounding knows the group by)
 *     glissade.tensor.NAME.group, .steps, .updates, and where there are any .numbers, .gradient_rms, .stream (as the
 *                              group's, of the tensor in it)
 *     format                   "pt", which loaders of PyTorch's world ask for, unless the caller gave another
 *
 * A file without these lines, as PyTorch's state gives it, is loaded too: counts come from .step, hyperparameters stay
 * as they are. State of such a file counts as updated once if it has no step count, which is refused where a step
 * depends on its number (sgd with debias; all rules but adadelta, lars, lion, qhm and rmsprop). Also refused is what
 * PyTorch means otherwise, the square_avg of a centered rmsprop, and what it has too little of, schedule_free's.
 */
#ifndef GLISSADE_STATE_H
#define GLISSADE_STATE_H

#include "glissade/file.h"
#include "glissade/optimizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- names ---- */

/* What a tensor is called in files, and its shape there. */
typedef struct glissade_label {
    size_t size;           /* sizeof(glissade_label) */
    const char *name;      /* UTF-8, not empty */
    uint32_t rank;         /* at most GLISSADE_FILE_RANK_MAX; 0: [length], or [rows, columns] of a matrix */
    const uint64_t *shape; /* `rank` of them, whose product is the tensor's length */
} glissade_label;

/*
 * Names the tensors of a group, labels[i] tensor i. Names and shapes are copied. Without this a tensor is called by its
 * place among all tensors of the optimizer, in the order of groups: "0", "1", ..., which is how PyTorch numbers them.
 * All or none are set. Whether a place is also the name of another tensor is looked at when a file is written or read, so
 * that groups can be named one after another. Returns OK, NULL_ARGUMENT, INVALID_SIZE, NOT_FOUND, INVALID_OPTION (count,
 * name, shape), DUPLICATE_TENSOR (two tensors of the optimizer were given one name), OUT_OF_MEMORY, BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_set_labels(glissade_optimizer *optimizer, uint32_t group,
                                              const glissade_label *labels,
                                              size_t count) GLISSADE_WARN_UNUSED_RESULT;

/* ---- saving ---- */

typedef struct glissade_save_options {
    size_t size;
    const glissade_file_options *file; /* NULL: the defaults */
    /* Lines of the caller's own, whose keys do not begin with "glissade.". */
    const glissade_file_text *metadata;
    size_t lines;
    /* Save the parameters, too: default false. Without them a split master is lower halves alone. */
    bool parameters;
    /* The rest is for glissade_optimizer_save_start alone. */
    /* Do not copy arrays that the caller owns, who promises not to change or free them until the save has ended; default
     * false. */
    bool borrow;
    /* Keep the copy's memory with the optimizer for its next save, which then stalls for a third of the time or less;
     * default false. */
    bool keep_copy;
    /* The most that it writes in a second; 0, the default: no limit. */
    uint64_t bytes_per_second;
} glissade_save_options;

/* Writes every default into the first `size` bytes; call it with size = sizeof *options. */
GLISSADE_API
void glissade_save_options_init(glissade_save_options *options, size_t size);

/*
 * Saves the optimizer's state to a file, as glissade_file_write does. Gradients are not saved. options NULL: the
 * defaults; report may be NULL. Returns OK, NULL_ARGUMENT, INVALID_SIZE, INVALID_OPTION, DUPLICATE_TENSOR (a name is
 * needed twice), TOO_LARGE, OUT_OF_MEMORY, IO, BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_save(glissade_optimizer *optimizer, const char *path,
                                        const glissade_save_options *options,
                                        glissade_file_report *report) GLISSADE_WARN_UNUSED_RESULT;

/* A save that goes on while later steps do. */
typedef struct glissade_save glissade_save;

/*
 * Starts a save of the state as it is now, and returns when steps may go on: after a copy of the state, made by the
 * engine's team (memory as large as the state until the save has ended), with which a thread of the library's own then
 * writes the file. That thread has all signals blocked and runs at a lower priority where the system lets it. The save
 * needs the optimizer no longer, which may be destroyed.
 *     A process that ends, or becomes another program, before glissade_save_wait has returned ends the save with it; the
 * path is then as it was. Of two saves to one path at a time that stands which ends last, whichever began first, and of
 * numbered ones it may remove the other's: wait for one before starting the next.
 *
 * Returns as glissade_optimizer_save, and UNSUPPORTED if no thread can be had. On failure *save is NULL and nothing has
 * been written. What fails later is told by glissade_save_wait.
 */
GLISSADE_API
glissade_status glissade_optimizer_save_start(glissade_optimizer *optimizer, const char *path,
                                              const glissade_save_options *options,
                                              glissade_save **save) GLISSADE_WARN_UNUSED_RESULT;

typedef struct glissade_save_progress {
    size_t size; /* set by the caller to sizeof(glissade_save_progress) */
    bool done;
    uint64_t bytes, total; /* written so far; of the file */
    double stall_seconds;  /* that glissade_optimizer_save_start took */
    double copy_seconds;   /* of these, copying */
    double seconds;        /* since it began; when done, that it took */
} glissade_save_progress;

/* Thread-safe, as the next two are. Returns OK, NULL_ARGUMENT, INVALID_SIZE. */
GLISSADE_API
glissade_status glissade_save_get_progress(glissade_save *save,
                                           glissade_save_progress *progress) GLISSADE_WARN_UNUSED_RESULT;

/* Asks the save to stop soon; the path is then as it was before. A save that has written everything ends as it would. */
GLISSADE_API
void glissade_save_cancel(glissade_save *save);

/*
 * Waits for the end and returns what became of it: OK, CANCELLED, IO, OUT_OF_MEMORY; NULL_ARGUMENT; FORKED in the child of
 * a fork that came after the start, where nothing is waited for. `error` may be NULL. May be called again.
 */
GLISSADE_API
glissade_status glissade_save_wait(glissade_save *save, glissade_error *error) GLISSADE_WARN_UNUSED_RESULT;

/* Waits for the end, frees the save and sets *save to NULL; NULL and a NULL handle are accepted. To be rid of it sooner,
 * cancel it first. */
GLISSADE_API
void glissade_save_destroy(glissade_save **save);

/* ---- loading ---- */

/* A tensor under another name in the file. */
typedef struct glissade_renaming {
    const char *file, *tensor;
} glissade_renaming;

typedef struct glissade_load_options {
    size_t size;
    const glissade_renaming *renamings; /* tensors not listed are looked for under their own name */
    size_t renaming_count;
    /* Load parameters, too. */
    bool parameters;
    /* A tensor that the file says nothing of keeps its state; default false: refused. */
    bool ignore_missing;
    /* What the file holds beside the tensors' state is left; default false: refused. Parameters that are not asked for do
     * not count as extra, nor does a caller's metadata. */
    bool ignore_extra;
    /* Arrays may have another number format than the optimizer's: they are rounded to nearest (glissade/format.h);
     * default false: refused. */
    bool convert;
    /* Hyperparameters, the average's weight among them, stay as they are; default false: they become the file's, for each
     * group of which the file has a tensor. Arrays of state that only they ask for start as zeros. */
    bool keep_hyperparameters;
    bool need_checksums; /* refuse a file without, as CHECKSUM; default false */
} glissade_load_options;

/* Writes every default into the first `size` bytes; call it with size = sizeof *options. */
GLISSADE_API
void glissade_load_options_init(glissade_load_options *options, size_t size);

typedef struct glissade_load_report {
    size_t size;             /* set by the caller to sizeof(glissade_load_report) */
    uint64_t tensors;        /* whose state was loaded */
    uint64_t arrays;         /* that were loaded ... */
    uint64_t converted;      /* ... and of these those whose number format was another */
    uint64_t missing, extra; /* tensors without state in the file; arrays of the file that were left */
    uint64_t bytes;
    bool verified; /* by checksums */
    double seconds;
} glissade_load_report;

/*
 * Loads state into an optimizer whose groups have been added as they were when it was saved: the same rules, with
 * tensors of the same names and lengths, in any order. Everything is read and checked first; on any error the optimizer
 * is as before. What goes to arrays that hold something, parameters, the caller's arrays and the state of tensors that have
 * stepped, waits in memory of its own until then; what goes to the library's arrays in a new optimizer does not.
 *
 * The optimizer's groups need not be in the file's order, nor their tensors; but all tensors of one group must be of one
 * group of the file. Seed, streams and points become the file's, so that also what is rounded stochastically goes on to
 * the bit; groups and tensors that the file says nothing of get other streams if theirs are taken. bf16 is one number
 * format, however it is rounded. Shapes must be equal where a label gives one, otherwise the numbers of elements.
 *
 * A tensor of which the file has a step count but no momentum starts its momentum anew, as one does that was never
 * stepped. Parameters in the file that were not asked for are left out without a word. Half-precision parameters must hold
 * what they held at the save, or be loaded, too. Of a parameter that is loaded the copy is written anew, and so is the
 * master, if the file has none; an average stays, if the file has none. Masters of one kind are not converted into those
 * of the other.
 *
 * Returns OK, NULL_ARGUMENT, INVALID_SIZE, INVALID_OPTION (renamings), DUPLICATE_TENSOR (two tensors with one name, or
 * renamed to one), IO, INVALID_FILE (also: metadata that is none of the above), CHECKSUM, MISMATCH (the file does not fit
 * the optimizer: a name, shape, format, rule, count), INVALID_HYPERPARAMETER, INVALID_COMBINATION (values that the rule
 * does not accept, or not together with the state), TOO_LARGE, OUT_OF_MEMORY, BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_load(glissade_optimizer *optimizer, const char *path,
                                        const glissade_load_options *options,
                                        glissade_load_report *report) GLISSADE_WARN_UNUSED_RESULT;

/* The same from a file that is open. */
GLISSADE_API
glissade_status glissade_optimizer_load_file(glissade_optimizer *optimizer, glissade_file *file,
                                             const glissade_load_options *options,
                                             glissade_load_report *report) GLISSADE_WARN_UNUSED_RESULT;

#ifdef __cplusplus
}
#endif

#endif
