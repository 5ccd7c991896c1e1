/* SPDX-License-Identifier: Apache-2.0 */
/* The report of misplaced pages: asks the kernel for each page's node and compares it with its owner's. */
#include "placement.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "options.h"

static const gls_layout layout = {"glissade_placement_report", {sizeof(glissade_placement_report)}};

enum { BATCH = 512 };

/* Pages of one owner, gathered until a batch is full. */
struct survey {
    const glissade_engine *engine;
    gls_page_query *query;
    void *context;
    uintptr_t page_size;
    size_t count;
    void *pages[BATCH];
    int nodes[BATCH];
    uint64_t total, misplaced, absent;
    bool refused;
};

static bool query_kernel(void *context, size_t count, void **pages, int *nodes) {
    (void)context;
    return syscall(SYS_move_pages, 0, count, pages, NULL, nodes, 0) == 0;
}

/* The node that a thread runs on, or -1 if threads are not bound, so that no page of theirs lies wrong. */
static int node_of_thread(const glissade_engine *engine, uint32_t thread) {
    return engine->cpus ? (int)engine->topology.pus[engine->threads.pus[thread]].node : -1;
}

static void flush(struct survey *survey, int owner_node) {
    if (survey->count && !survey->refused)
        survey->refused = !survey->query(survey->context, survey->count, survey->pages, survey->nodes);
    for (size_t i = 0; i < survey->count && !survey->refused; i++) {
        survey->absent += survey->nodes[i] < 0;
        survey->misplaced += survey->nodes[i] >= 0 && owner_node >= 0 && survey->nodes[i] != owner_node;
    }
    survey->total += survey->count;
    survey->count = 0;
}

/* A page belongs to the array and thread that hold its middle, so that each is asked about once; an array
 * smaller than that has no page to itself. */
static void survey_run(struct survey *survey, const void *array, gls_span span, int owner_node) {
    const uintptr_t half = survey->page_size / 2;
    const uintptr_t begin = (uintptr_t)array + span.offset, end = begin + span.bytes;
    uintptr_t page = begin / survey->page_size * survey->page_size;
    for (page += page + half < begin ? survey->page_size : 0; page + half < end; page += survey->page_size) {
        survey->pages[survey->count++] = (void *)page;
        if (survey->count == BATCH)
            flush(survey, owner_node);
    }
    flush(survey, owner_node);
}

static void survey_tensor(struct survey *survey, const gls_group *group, uint32_t index) {
    const gls_tensor *tensor = &group->tensors[index];
    for (uint32_t thread = 0; thread < group->plan.threads; thread++) {
        const gls_range range = gls_plan_range(&group->plan, index, tensor->n, thread);
        for (gls_array array = 0; range.begin < range.end && array < GLS_ARRAY_COUNT; array++) {
            const void *at = gls_group_array(group, index, array);
            gls_span spans[2];
            const uint32_t count = at ? gls_group_spans(group, index, array, range, spans) : 0;
            for (uint32_t i = 0; i < count; i++)
                survey_run(survey, at, spans[i], node_of_thread(survey->engine, thread));
        }
    }
}

static glissade_status fill(glissade_optimizer *optimizer, struct survey *survey,
                            glissade_placement_report *report) {
    glissade_placement_report known = {0};
    uint64_t worst = 0;
    for (uint32_t i = 0; i < optimizer->group_count; i++) {
        const gls_group *group = optimizer->groups[i];
        for (uint32_t j = 0; j < group->count; j++) {
            const uint64_t before = survey->misplaced;
            survey_tensor(survey, group, j);
            if (survey->misplaced - before > worst) {
                worst = survey->misplaced - before;
                known.worst = (glissade_tensor_ref){group->number, j};
            }
        }
    }
    if (survey->refused)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_UNSUPPORTED,
                             "the kernel does not tell where pages lie (move_pages was refused)");
    known.pages = survey->total;
    known.misplaced = survey->misplaced;
    known.absent = survey->absent;
    return gls_options_write(&layout, report, &known, &optimizer->error);
}

glissade_status gls_placement_report(glissade_optimizer *optimizer, gls_page_query *query, void *context,
                                     glissade_placement_report *report) {
    if (!report)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_NULL_ARGUMENT, "report is NULL");
    struct survey *survey = gls_alloc(1, sizeof *survey);
    if (!survey)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to survey pages");
    survey->engine = optimizer->engine;
    survey->query = query;
    survey->context = context;
    survey->page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    const glissade_status status = fill(optimizer, survey, report);
    gls_free(survey);
    return status;
}

glissade_status glissade_optimizer_get_placement(glissade_optimizer *optimizer,
                                                 glissade_placement_report *report) {
    GLS_OPTIMIZER_CALL(optimizer, gls_placement_report(optimizer, query_kernel, NULL, report));
}
