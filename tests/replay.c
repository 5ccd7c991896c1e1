/* SPDX-License-Identifier: Apache-2.0 */
/* The model of a file system that loses power (see replay.h). */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { PIECES = 2048, NAMES = 64, PENDING = 64, SEEN = 1 << 20 };

/* A block of a write that need not be there. */
typedef struct piece {
    const replay_call *write;
    size_t begin, end; /* of the write's bytes */
    bool there;
} piece;

typedef struct name {
    char text[96];
    unsigned inode;
} name;

/* A cut, and what may come of it. */
typedef struct cut {
    const replay_trace *trace;
    const replay_rules *rules;
    replay_result *result;
    size_t at;                    /* calls before this one were made */
    size_t synced[REPLAY_INODES]; /* calls before this one are there of what the file holds; */
    size_t certain;               /* and of what the folder holds */
    bool full[REPLAY_INODES];     /* the length is that of the end */
    size_t pending[PENDING];      /* calls on the folder that need not be there, in the order of this state */
    bool there[PENDING];
    size_t pending_count, piece_count;
    piece pieces[PIECES];
    name names[NAMES];
    size_t name_count;
    uint64_t saved;
} cut;

static uint64_t random_state, runs;

static uint64_t draw(void) {
    random_state += 0x9E3779B97F4A7C15u;
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static bool is_of_folder(replay_kind kind) {
    return kind == REPLAY_CREATE || kind == REPLAY_RENAME || kind == REPLAY_LINK || kind == REPLAY_UNLINK;
}

/* ---- what is certain ---- */

static void add_pieces(cut *it, const replay_call *write) {
    const size_t block = it->rules->block;
    for (size_t begin = 0; begin < write->count;) {
        const size_t past = (write->offset + begin) % block, left = write->count - begin,
                     bytes = left < block - past ? left : block - past;
        REQUIRE(it->piece_count < PIECES, "too many blocks in flight");
        it->pieces[it->piece_count++] = (piece){.write = write, .begin = begin, .end = begin + bytes};
        begin += bytes;
    }
}

static void survey(cut *it) {
    memset(it->synced, 0, sizeof it->synced);
    it->certain = it->pending_count = it->piece_count = it->saved = 0;
    for (size_t i = 0; i < it->at; i++) {
        const replay_call *call = &it->trace->calls[i];
        if (call->kind == REPLAY_SYNC_FILE)
            it->synced[call->inode] = i;
        if (call->kind == REPLAY_SYNC_FOLDER ||
            (call->kind == REPLAY_SYNC_FILE && it->rules->model == REPLAY_JOURNAL))
            it->certain = i;
        if (call->kind == REPLAY_DONE)
            it->saved = call->version;
    }
    for (size_t i = 0; i < it->at; i++) {
        const replay_call *call = &it->trace->calls[i];
        if (call->kind == REPLAY_WRITE && i >= it->synced[call->inode])
            add_pieces(it, call);
        if (is_of_folder(call->kind) && i >= it->certain) {
            REQUIRE(it->pending_count < PENDING, "too many names in flight");
            it->pending[it->pending_count++] = i;
        }
    }
}

/* ---- a state ---- */

static void put_name(cut *it, const char *text, unsigned inode) {
    for (size_t i = 0; i < it->name_count; i++)
        if (strcmp(it->names[i].text, text) == 0) {
            it->names[i].inode = inode;
            return;
        }
    REQUIRE(it->name_count < NAMES, "too many names");
    name *new = &it->names[it->name_count++];
    strcpy(new->text, text);
    new->inode = inode;
}

static void remove_name(cut *it, const char *text, unsigned inode) {
    for (size_t i = 0; i < it->name_count; i++)
        if (strcmp(it->names[i].text, text) == 0 && it->names[i].inode == inode)
            it->names[i] = it->names[--it->name_count];
}

/* Each call on the folder says by itself which file has a name from now on, so that any of them can be missing. */
static void apply(cut *it, const replay_call *call) {
    if (call->kind == REPLAY_RENAME || call->kind == REPLAY_UNLINK)
        remove_name(it, call->from, call->inode);
    if (call->kind != REPLAY_UNLINK)
        put_name(it, call->to, call->inode);
}

static int by_text(const void *a, const void *b) {
    return strcmp(((const name *)a)->text, ((const name *)b)->text);
}

static void make_names(cut *it) {
    it->name_count = 0;
    for (size_t i = 0; i < it->certain; i++)
        if (is_of_folder(it->trace->calls[i].kind))
            apply(it, &it->trace->calls[i]);
    for (size_t i = 0; i < it->pending_count; i++)
        if (it->there[i])
            apply(it, &it->trace->calls[it->pending[i]]);
    qsort(it->names, it->name_count, sizeof *it->names, by_text);
}

static void grow(unsigned char **bytes, size_t *count, size_t to) {
    if (to <= *count)
        return;
    *bytes = realloc(*bytes, to);
    REQUIRE(*bytes, "no memory for a file");
    memset(*bytes + *count, 0, to - *count);
    *count = to;
}

/* What a file holds in this state. */
static unsigned char *make_file(const cut *it, unsigned inode, size_t *count) {
    unsigned char *bytes = malloc(1);
    *count = 0;
    for (size_t i = 0; i < it->at; i++) {
        const replay_call *call = &it->trace->calls[i];
        const bool synced = i < it->synced[inode];
        if (call->inode != inode || (call->kind != REPLAY_WRITE && call->kind != REPLAY_LENGTH))
            continue;
        if (synced || it->full[inode])
            grow(&bytes, count, call->kind == REPLAY_WRITE ? call->offset + call->count : call->count);
        if (synced && call->kind == REPLAY_WRITE)
            memcpy(bytes + call->offset, call->bytes, call->count);
    }
    for (size_t i = 0; i < it->piece_count; i++) {
        const piece *block = &it->pieces[i];
        if (block->write->inode != inode || !block->there)
            continue;
        grow(&bytes, count, block->write->offset + block->end);
        memcpy(bytes + block->write->offset + block->begin, block->write->bytes + block->begin,
               block->end - block->begin);
    }
    return bytes;
}

/* Whether a folder of this hash was looked at before. */
static bool is_known(uint64_t hash) {
    static uint64_t *seen;
    if (!seen)
        seen = calloc(SEEN, sizeof *seen);
    REQUIRE(seen, "no memory for hashes");
    hash |= 1;
    uint64_t place = hash;
    for (; seen[place % SEEN]; place++)
        if (seen[place % SEEN] == hash)
            return true;
    seen[place % SEEN] = hash;
    return false;
}

static void empty(const folder *home) {
    char names[4096];
    snprintf(names, sizeof names, "%s", folder_names(home));
    for (char *next = names, *end; (end = strchr(next, ' ')); next = end + 1) {
        *end = '\0';
        unlink(folder_at(home, next));
    }
}

/* Makes the folder and shows it to the test, unless that has seen it, for as many saved versions. */
static void show(cut *it) {
    uint64_t hash = XXH3_64bits_withSeed(&it->saved, sizeof it->saved, runs);
    unsigned char *bytes[NAMES];
    size_t counts[NAMES];
    make_names(it);
    for (size_t i = 0; i < it->name_count; i++) {
        bytes[i] = make_file(it, it->names[i].inode, &counts[i]);
        hash = XXH3_64bits_withSeed(it->names[i].text, strlen(it->names[i].text) + 1, hash);
        hash = XXH3_64bits_withSeed(bytes[i], counts[i], hash);
    }
    it->result->states++;
    if (!is_known(hash)) {
        it->result->distinct++;
        empty(it->rules->home);
        for (size_t i = 0; i < it->name_count; i++)
            bytes_store(folder_at(it->rules->home, it->names[i].text), bytes[i], counts[i]);
        const char *wrong = it->rules->check(it->rules->context, it->rules->home, it->saved);
        if (wrong && it->result->bad++ == 0)
            snprintf(it->result->first, sizeof it->result->first, "cut at call %zu, %d saved: %s", it->at,
                     (int)it->saved, wrong);
    }
    for (size_t i = 0; i < it->name_count; i++)
        free(bytes[i]);
}

/* ---- which states ---- */

/* Of the folder: every point of the journal; or every choice if there are few, else many. */
static void each_folder(cut *it, size_t budget) {
    const size_t count = it->pending_count;
    if (it->rules->model == REPLAY_JOURNAL) {
        for (size_t keep = 0; keep <= count; keep++) {
            for (size_t i = 0; i < count; i++)
                it->there[i] = i < keep;
            show(it);
        }
        return;
    }
    const bool all = count < 8 && ((size_t)2 << count) <= budget;
    const size_t most = all ? (size_t)2 << count : budget;
    for (size_t choice = 0; choice < most; choice++) {
        const uint64_t bits = all ? choice : draw();
        for (size_t i = 0; i < count; i++)
            it->there[i] = bits >> i & 1;
        /* Each choice in the order of the calls, and in another. */
        for (size_t i = count; choice >= most / 2 && i > 1; i--) {
            const size_t j = draw() % i, moved = it->pending[j];
            it->pending[j] = it->pending[i - 1];
            it->pending[i - 1] = moved;
        }
        show(it);
    }
}

/* Which blocks are there, by number of the choice; false: that was the last. */
static bool choose_pieces(cut *it, size_t choice) {
    const size_t n = it->piece_count;
    const size_t kind = n ? choice / n : choice, place = n ? choice % n : 0;
    const size_t random_choices = 24;
    if (choice >= 3 * n + 2 + (n ? random_choices : 0))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool there = draw() & 1;
        if (kind == 0)
            there = i == place; /* one alone */
        else if (kind == 1)
            there = i != place; /* one missing */
        else if (kind == 2)
            there = i < place; /* all up to one */
        else if (choice < 3 * n + 2)
            there = choice == 3 * n; /* all, and none */
        it->pieces[i].there = there;
    }
    for (size_t i = 0; i < REPLAY_INODES; i++)
        it->full[i] = draw() & 1;
    return true;
}

static void each_state(cut *it) {
    size_t choices = 0;
    const size_t before = it->result->states;
    while (choose_pieces(it, choices))
        choices++;
    for (size_t i = 0; i < choices && it->result->states - before < it->rules->budget; i++) {
        /* Where there are more than can be looked at, a part of them that is spread over all. */
        choose_pieces(it, choices <= it->rules->budget ? i : draw() % choices);
        each_folder(it, it->rules->budget / choices + 2);
    }
}

replay_result replay_run(const replay_trace *trace, const replay_rules *rules) {
    static cut it;
    replay_result result = {0};
    random_state = 1;
    runs++;
    for (size_t at = 0; at <= trace->count; at++) {
        it = (cut){.trace = trace, .rules = rules, .result = &result, .at = at};
        survey(&it);
        each_state(&it);
        result.cuts++;
    }
    empty(rules->home);
    return result;
}
