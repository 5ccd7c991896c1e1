/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every other header needs: export marks, version, status values, the error record.
 *
 * Conventions that hold for the whole interface
 *
 *   Errors    A call that can fail returns a glissade_status; its comment lists those it can return. A failed
 *             call leaves parameters, gradients and state as they were, unless its comment says otherwise.
 *   Messages  Creating calls fill an optional caller-owned glissade_error. Calls on an optimizer leave their
 *             message on it (glissade_optimizer_message). A message names the argument, its value and what
 *             would have been accepted.
 *   Options   Structs whose first field is their size, filled by their _init function with every default,
 *             then changed by the caller. Zero means zero. Each size ever published is accepted, missing
 *             fields taking their defaults; a larger struct, up to 4,096 bytes, is accepted if the part that
 *             this library does not know is zero.
 *   Sizes     Lengths count elements, sizes count bytes; both are size_t.
 *   Guest     No call changes the caller's CPU affinity, floating-point control or status word, signal mask,
 *             errno or locale. The library never prints, aborts or exits. (The OpenMP runtime may: libgomp
 *             ends the process when the system refuses it a thread.)
 *   Text      Returned strings are ASCII (but names that were read from a file or given are as they were), owned by the
 *             library, and live as long as the object they came from.
 */
#ifndef GLISSADE_BASE_H
#define GLISSADE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GLISSADE_VERSION_MAJOR 0
#define GLISSADE_VERSION_MINOR 1
#define GLISSADE_VERSION_PATCH 0

#define GLISSADE_API                __attribute__((visibility("default")))
#define GLISSADE_WARN_UNUSED_RESULT __attribute__((warn_unused_result))

/* What became of a call. The values are pinned: they never change meaning and are never reused. */
typedef enum glissade_status {
    GLISSADE_STATUS_OK = 0,
    GLISSADE_STATUS_NULL_ARGUMENT = 1,          /* a required pointer is NULL */
    GLISSADE_STATUS_INVALID_SIZE = 2,           /* a struct's size field is none that was ever published */
    GLISSADE_STATUS_INVALID_OPTION = 3,         /* an option is outside the values it accepts */
    GLISSADE_STATUS_INVALID_HYPERPARAMETER = 4, /* a hyperparameter is not finite or out of range */
    GLISSADE_STATUS_INVALID_COMBINATION = 5,    /* hyperparameters that contradict each other */
    GLISSADE_STATUS_NO_TENSORS = 6,             /* a group of no tensors */
    GLISSADE_STATUS_NOT_FOUND = 7,              /* no such group, tensor or index */
    GLISSADE_STATUS_TOO_LARGE = 8,         /* a length whose byte count, or a count that, cannot be held */
    GLISSADE_STATUS_MISALIGNED = 9,        /* an address that is no multiple of its element's size */
    GLISSADE_STATUS_OVERLAP = 10,          /* two arrays share bytes */
    GLISSADE_STATUS_DUPLICATE_TENSOR = 11, /* one tensor given twice: in two groups, or in one call */
    GLISSADE_STATUS_BUSY = 12,             /* another thread is inside a call on this optimizer */
    GLISSADE_STATUS_FORKED = 13, /* a call was in flight on this optimizer when the process forked */
    GLISSADE_STATUS_OUT_OF_MEMORY = 14,
    GLISSADE_STATUS_INVALID_THREADS = 15,     /* more threads than CPUs allowed, or none */
    GLISSADE_STATUS_UNSUPPORTED_ISA = 16,     /* an instruction set that this build or this CPU lacks */
    GLISSADE_STATUS_INVALID_ENVIRONMENT = 17, /* a GLISSADE_ variable holds what it does not accept */
    GLISSADE_STATUS_UNKNOWN_VARIABLE = 18,    /* a GLISSADE_ variable that does not exist */
    GLISSADE_STATUS_TOPOLOGY = 19,            /* the machine's topology could not be read */
    GLISSADE_STATUS_UNSUPPORTED = 20,         /* the operating system refuses what the call needs */
    GLISSADE_STATUS_IO = 21,                  /* a file could not be opened, read, written or synchronised */
    GLISSADE_STATUS_INVALID_FILE = 22,        /* a file is not of the format it should have */
    GLISSADE_STATUS_CHECKSUM = 23,            /* a file's bytes are not those that were written */
    GLISSADE_STATUS_MISMATCH = 24,            /* a file is whole, but does not fit what it is loaded into */
    GLISSADE_STATUS_CANCELLED = 25            /* stopped on request */
} glissade_status;

/* Name ("GLISSADE_STATUS_BUSY") and one-line text of a status; never NULL, also for values not listed. */
GLISSADE_API
const char *glissade_status_name(glissade_status status);
GLISSADE_API
const char *glissade_status_text(glissade_status status);

/* Caller-owned record of a failed creating call. Written whole on failure, and on success (OK, ""). */
typedef struct glissade_error {
    glissade_status status;
    char message[252]; /* zero-terminated, one line */
} glissade_error;

/* Version of the library that is running, as "0.1.0"; the macros above give the one compiled against. */
GLISSADE_API
const char *glissade_version(void);

#ifdef __cplusplus
}
#endif

#endif
