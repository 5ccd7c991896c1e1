/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report of misplaced pages, on a machine of two NUMA nodes that is put under an engine, with a kernel
 * that answers as the test wants; and once with the real kernel. What the report should be is counted here by
 * going over all bytes' pages one by one.
 */
#include "placement.h"

#include "alloc.h"
#include "machine.h"
#include "scenario.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { THREADS = 4, PAGE = 4096, PAGES = 4096, ABSENT = -2 };

/* Two nodes of two cores: threads 0 and 1 on the first, 2 and 3 on the second. */
static const char machine[] = "Package:2 [NUMANode(memory=1073741824)] Core:2 PU:1";

/* One stretch of memory that holds every array, and where its pages are said to lie. */
static struct {
    char *base;
    int8_t node[PAGES];
    uint8_t asked[PAGES];
    size_t batches;
    bool refuse;
} kernel;

static bool answer(void *context, size_t count, void **pages, int *nodes) {
    cr_assert_eq(context, &kernel);
    cr_assert_gt(count, 0);
    kernel.batches++;
    if (kernel.refuse)
        return false;
    for (size_t i = 0; i < count; i++) {
        const size_t page = (size_t)((char *)pages[i] - kernel.base) / PAGE;
        cr_assert((uintptr_t)pages[i] % PAGE == 0 && page < PAGES, "asked about %p", pages[i]);
        kernel.asked[page]++;
        nodes[i] = kernel.node[page];
    }
    return true;
}

static glissade_engine *engine;
static glissade_optimizer *optimizer;
static model it;

/* Puts the invented machine under an engine of as many threads, as if they were bound there. */
static void replace_machine(void) {
    gls_topology_free(&engine->topology);
    engine->topology = machine_load(machine, NULL);
    cr_assert_eq(engine->topology.node_count, 2);
    gls_free(engine->threads.pus);
    gls_free(engine->cpus);
    engine->threads.pus = gls_alloc(THREADS, sizeof *engine->threads.pus);
    engine->cpus = gls_alloc(THREADS, sizeof *engine->cpus);
    for (uint32_t i = 0; i < THREADS; i++)
        engine->threads.pus[i] = i;
}

/* Lays the model's arrays into the stretch, each at an odd place. */
static void lay_out(void) {
    static const size_t lengths[] = {100003, 700, 0, 65536, 50000, 5, 30000};
    size_t at = 40;
    model_create(&it, lengths, 7, false, 0);
    for (size_t i = 0; i < it.count; i++) {
        float **const arrays[] = {&it.p[i], &it.g[i], &it.m[i], &it.r[i]};
        for (size_t j = 0; j < 4; j++) {
            *arrays[j] = (float *)(void *)(kernel.base + at);
            at += lengths[i] * sizeof(float) + 4 * (i + 3 * j) + 12;
        }
    }
    it.own_momentum = true;
    model_own_residual(&it);
    cr_assert_lt(at, (size_t)PAGES * PAGE);
}

static void setup(void) {
    scenario_clear_environment();
    if (sysconf(_SC_PAGESIZE) != PAGE)
        cr_skip_test("pages of another size than 4096");
    kernel.base =
        mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(kernel.base, MAP_FAILED);
    engine = scenario_engine(THREADS);
    replace_machine();
    optimizer = scenario_optimizer(engine);
    lay_out();
    const glissade_sgd_options rule = scenario_rule(0.75);
    cr_assert_eq(scenario_add(optimizer, &it, &rule), 0);
}

static void teardown(void) {
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
    model_destroy(&it);
}

TestSuite(placement, .init = setup, .fini = teardown, .timeout = 60);

/* The node of the thread that owns the byte at `address`, or -1 if no array of a present gradient does. */
static int node_of(const char *address, uint32_t *tensor) {
    const gls_plan *plan = &optimizer->groups[0]->plan;
    for (uint32_t i = 0; i < it.count; i++) {
        const float *const arrays[] = {it.p[i], optimizer->groups[0]->tensors[i].g, it.m[i], it.r[i]};
        for (size_t j = 0; j < 4; j++) {
            const char *begin = (const char *)arrays[j];
            if (!begin || address < begin || address >= begin + it.length[i] * sizeof(float))
                continue;
            const size_t element = (size_t)(address - begin) / sizeof(float);
            *tensor = i;
            for (uint32_t thread = 0; thread < THREADS; thread++) {
                const gls_range range = gls_plan_range(plan, i, it.length[i], thread);
                if (element >= range.begin && element < range.end)
                    return (int)engine->topology.pus[engine->threads.pus[thread]].node;
            }
        }
    }
    return -1;
}

/* Page by page, by who owns its middle. */
static glissade_placement_report count_here(void) {
    glissade_placement_report report = {.size = sizeof report};
    uint64_t wrong[MODEL_TENSORS] = {0};
    for (size_t page = 0; page < PAGES; page++) {
        uint32_t tensor = 0;
        const int owner = node_of(kernel.base + page * PAGE + PAGE / 2, &tensor);
        if (owner < 0)
            continue;
        report.pages++;
        report.absent += kernel.node[page] < 0;
        if (kernel.node[page] >= 0 && kernel.node[page] != owner) {
            report.misplaced++;
            wrong[tensor]++;
            if (wrong[tensor] > wrong[report.worst.index])
                report.worst.index = tensor;
        }
    }
    return report;
}

static glissade_placement_report survey(void) {
    glissade_placement_report report = {.size = sizeof report};
    memset(kernel.asked, 0, sizeof kernel.asked);
    const glissade_status status = gls_placement_report(optimizer, answer, &kernel, &report);
    cr_assert_eq(status, GLISSADE_STATUS_OK, "%s", glissade_optimizer_message(optimizer));
    for (size_t page = 0; page < PAGES; page++)
        cr_assert_leq(kernel.asked[page], 1, "page %zu was asked about %u times", page, kernel.asked[page]);
    return report;
}

static void check_survey(const char *what) {
    const glissade_placement_report found = survey(), expected = count_here();
    cr_assert_gt(expected.pages, 400);
    cr_assert_eq(found.pages, expected.pages, "%s: %llu pages, not %llu", what,
                 (unsigned long long)found.pages, (unsigned long long)expected.pages);
    cr_assert_eq(found.misplaced, expected.misplaced, "%s: %llu misplaced, not %llu", what,
                 (unsigned long long)found.misplaced, (unsigned long long)expected.misplaced);
    cr_assert_eq(found.absent, expected.absent, "%s: %llu absent, not %llu", what,
                 (unsigned long long)found.absent, (unsigned long long)expected.absent);
    if (expected.misplaced)
        cr_assert(found.worst.group == 0 && found.worst.index == expected.worst.index,
                  "%s: the worst is tensor %u of group %u, not tensor %u", what, found.worst.index,
                  found.worst.group, expected.worst.index);
}

static void put_all(int node) {
    memset(kernel.node, node, sizeof kernel.node);
}

static void put_where_owned(void) {
    put_all(0);
    for (size_t page = 0; page < PAGES; page++) {
        uint32_t tensor;
        const int owner = node_of(kernel.base + page * PAGE + PAGE / 2, &tensor);
        kernel.node[page] = (int8_t)(owner < 0 ? 0 : owner);
    }
}

Test(placement, all_where_they_belong) {
    put_where_owned();
    check_survey("where owned");
    cr_assert_eq(survey().misplaced, 0);
    cr_assert_eq(survey().absent, 0);
}

Test(placement, all_on_one_node) {
    put_all(0);
    check_survey("all on node 0");
    const uint64_t on_first = survey().misplaced, pages = survey().pages;
    cr_assert(on_first > pages / 3 && on_first < 2 * pages / 3, "about half of %llu: %llu",
              (unsigned long long)pages, (unsigned long long)on_first);
    put_all(1);
    check_survey("all on node 1");
    cr_assert_eq(survey().misplaced, pages - on_first);
    put_all(5);
    cr_assert_eq(survey().misplaced, pages, "a node that no thread is on");
}

Test(placement, single_pages) {
    for (size_t page = 0; page < 700; page += 13) {
        put_where_owned();
        kernel.node[page] ^= 1;
        check_survey("one page misplaced");
        kernel.node[page] = ABSENT;
        check_survey("one page absent");
    }
    for (size_t i = 0; i < PAGES; i++)
        kernel.node[i] = (int8_t)((int)(i * 2654435761u >> 7 & 3) - 1);
    check_survey("here and there");
    put_all(ABSENT);
    check_survey("nothing touched");
    cr_assert_eq(survey().absent, survey().pages);
}

/* The gradient of an absent tensor has no pages that matter. */
Test(placement, absent_gradients) {
    put_all(0);
    const uint64_t with = survey().pages;
    cr_assert_eq(glissade_optimizer_set_gradient(optimizer, (glissade_tensor_ref){0, 0}, NULL),
                 GLISSADE_STATUS_OK);
    check_survey("without a gradient");
    cr_assert_lt(survey().pages, with);
}

Test(placement, unpinned_threads_have_no_place) {
    put_all(0);
    gls_free(engine->cpus);
    engine->cpus = NULL;
    const glissade_placement_report report = survey();
    cr_assert(report.misplaced == 0 && report.pages > 400);
}

Test(placement, refused) {
    glissade_placement_report report, before;
    memset(&report, 0x5A, sizeof report);
    report.size = sizeof report;
    memcpy(&before, &report, sizeof report);
    kernel.refuse = true;
    cr_assert_eq(gls_placement_report(optimizer, answer, &kernel, &report), GLISSADE_STATUS_UNSUPPORTED);
    cr_assert(strstr(glissade_optimizer_message(optimizer), "move_pages"), "%s",
              glissade_optimizer_message(optimizer));
    cr_assert_eq(memcmp(&report, &before, sizeof report), 0, "a refused report was written");
    cr_assert_eq(kernel.batches, 1, "a kernel that refused was asked %zu times", kernel.batches);
}

/* Arrays made by the plan and the library's state, asked of the real kernel. */
Test(placement, this_machine) {
    enum { LENGTH = 1 << 20 };
    const size_t lengths[] = {LENGTH, 1000, LENGTH / 2};
    glissade_arrays *parameters, *gradients;
    glissade_engine *real = scenario_engine(2);
    glissade_optimizer *placed = scenario_optimizer(real);
    glissade_engine_info info = {.size = sizeof info};
    const glissade_sgd_options rule = scenario_rule(0.75);
    model arrays = {.count = 3};
    cr_assert(!glissade_engine_get_info(real, &info));
    cr_assert(!glissade_arrays_create(placed, lengths, 3, &parameters, NULL));
    cr_assert(!glissade_arrays_create(placed, lengths, 3, &gradients, NULL));
    for (size_t i = 0; i < 3; i++) {
        arrays.length[i] = lengths[i];
        arrays.p[i] = glissade_arrays_get(parameters, i);
        arrays.g[i] = glissade_arrays_get(gradients, i);
    }
    scenario_add(placed, &arrays, &rule);
    glissade_placement_report report = {.size = sizeof report};
    const glissade_status status = glissade_optimizer_get_placement(placed, &report);
    if (status == GLISSADE_STATUS_UNSUPPORTED)
        cr_skip_test("this kernel or sandbox does not tell where pages lie");
    cr_assert_eq(status, GLISSADE_STATUS_OK);
    const uint64_t expected = 3 * (LENGTH + LENGTH / 2) / 1024;
    cr_assert(report.pages >= expected && report.pages <= expected + 9, "%llu pages, not %llu",
              (unsigned long long)report.pages, (unsigned long long)expected);
    cr_assert_eq(report.absent, 0, "first touch left %llu pages out", (unsigned long long)report.absent);
    if (info.nodes == 1)
        cr_assert_eq(report.misplaced, 0);
    glissade_optimizer_destroy(&placed);
    glissade_engine_destroy(&real);
    glissade_arrays_destroy(&parameters);
    glissade_arrays_destroy(&gradients);
}
