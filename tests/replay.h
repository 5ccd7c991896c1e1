/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loss of power, replayed. While a program saves, the calls that change files are recorded; then the recording is cut at
 * every call, and of what had been done by then a model of a file system keeps as little, and in as odd an order, as it
 * may. Each folder that can come of it is made on the disk and shown to the test.
 *
 * The model. What a file holds: a write that came before an fsync of its file which had returned is there; of any other,
 * each block (of a size to be chosen) is there or not, on its own, whatever order they were written in; where none is,
 * zeros. A file's length is that of what is there, or already that of the end. What a folder holds: of creating,
 * renaming, linking and removing, each is there whole or not at all, and
 *
 *   REPLAY_JOURNAL   all are there in their order up to some point, which is no earlier than the last fsync of anything
 *                    (one journal for all metadata: ext4, XFS);
 *   REPLAY_ANY       those before the last fsync of the folder are there; of the rest any, in any order (what POSIX says
 *                    and no more).
 *
 * In both a name may be there before the data, so that a rename without an fsync of the file before it does not pass.
 * (ext4 mends the commonest such case by itself, with auto_da_alloc. Nobody should rely on it.) Knows no test framework.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include "files.h"

typedef enum replay_kind {
    REPLAY_CREATE,
    REPLAY_WRITE,
    REPLAY_LENGTH,
    REPLAY_SYNC_FILE,
    REPLAY_SYNC_FOLDER,
    REPLAY_RENAME,
    REPLAY_LINK,
    REPLAY_UNLINK,
    REPLAY_DONE, /* the program was told that a version is saved */
    REPLAY_NOTHING
} replay_kind;

typedef struct replay_call {
    replay_kind kind;
    unsigned inode;
    char from[96], to[96];
    size_t offset, count; /* of a write; LENGTH: count */
    unsigned char *bytes;
    uint64_t version;
} replay_call;

enum { REPLAY_CALLS = 512, REPLAY_INODES = 64 };

typedef struct replay_trace {
    size_t count;
    unsigned inodes;
    replay_call calls[REPLAY_CALLS];
} replay_trace;

/* Puts a recording table of calls in the library's place; takes it away again. One trace at a time. */
void replay_record(replay_trace *trace);
void replay_record_done(uint64_t version);
void replay_record_end(void);
void replay_free(replay_trace *trace);

/* Wrong recordings, which the test must notice: without calls of that kind; with each fsync of a file after the rename that
 * follows it. */
void replay_omit(replay_trace *trace, replay_kind kind);
void replay_delay_sync(replay_trace *trace);

typedef enum replay_model { REPLAY_JOURNAL, REPLAY_ANY } replay_model;

typedef struct replay_rules {
    replay_model model;
    size_t block;  /* bytes that are there or not */
    size_t budget; /* most states for each cut */
    folder *home;  /* empty, where folders are made */
    void *context;
    /* NULL if what is in the folder is as it should be after so many versions were saved, else what is not. */
    const char *(*check)(void *context, const folder *home, uint64_t saved);
} replay_rules;

typedef struct replay_result {
    size_t cuts, states, distinct, bad;
    char first[256]; /* what the first bad one was */
} replay_result;

replay_result replay_run(const replay_trace *trace, const replay_rules *rules);

#endif
