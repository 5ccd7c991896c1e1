/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system's calls on files with one of them failing, and allocations likewise. From fault_begin to fault_end the
 * library's table of calls is one that counts them; the k-th of the kind fails, or it and all after it. Knows no test
 * framework.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum fault_call {
    FAULT_OPENAT,
    FAULT_CLOSE, /* closes, and then says that it failed */
    FAULT_FSTAT,
    FAULT_FCHMOD,
    FAULT_FLOCK,
    FAULT_SET_FLAGS,
    FAULT_PREAD,
    FAULT_PREAD_CACHED,
    FAULT_PWRITE,
    FAULT_FALLOCATE,
    FAULT_FSYNC,
    FAULT_RENAMEAT,
    FAULT_LINKAT,
    FAULT_UNLINKAT,
    FAULT_LIST,
    FAULT_CALLS,
    FAULT_ANY = FAULT_CALLS /* but close */
} fault_call;

const char *fault_call_name(fault_call call);

/* In place of an errno: a transfer of half the bytes, of one byte, of none. */
enum { FAULT_HALF = -1, FAULT_ONE = -2, FAULT_NOTHING = -3 };

typedef struct fault {
    fault_call call;
    unsigned place; /* 0: the first of its kind */
    int error_number;
    bool for_good; /* all that follow fail, too */
    bool direct;   /* only calls on descriptors with O_DIRECT count */
} fault;

void fault_begin(const fault *what);
/* Puts the system's own table back; how many calls failed. */
unsigned fault_end(void);

/* Since fault_begin: calls of a kind; of these after the first that failed; fsyncs of a descriptor that failed before. */
unsigned fault_calls(fault_call call);
unsigned fault_calls_after(fault_call call);
unsigned fault_repeated_fsyncs(void);
bool fault_was_for_good(void);

/* Lets the allocation of that place fail, the library's own counting from 0; SIZE_MAX: none. */
void fault_allocation(size_t place);
/* Lets all succeed again; how many there were. */
size_t fault_allocations_end(void);

#endif
