/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints digests of what the library computes, so that runs can be compared: over instruction sets, threads
 * and walks of this machine (a difference is told on stderr and the exit status is 1), and by the caller over
 * machines. The inputs come from integer arithmetic, a NaN counts as one NaN, and the cases do not depend on
 * the machine.
 *
 *     bits [--quick | --elements N]
 *
 *     digest ISA THREADS STREAMS CASE HEX
 *
 * Cases: kernel-*, each kernel called directly with every walk (STREAMS is then streams+lead); model-*, a
 * model of mixed tensors stepped through the public interface with the hyperparameters of the name; flat-N,
 * one tensor of N elements, large enough for the engine to walk several pages in turn. --quick leaves out the
 * last and most of the others; --elements is the last alone, with that many elements (12 bytes each).
 */
#include "bits_cases.h"

#include "dispatch.h"
#include "values.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- digests ---- */

/* Four lanes, because one multiplication waits for the one before; each step is invertible in the hash, so
 * that no single difference is lost. */
enum { HASH_LANES = 4 };
typedef struct hash {
    uint64_t lanes[HASH_LANES];
} hash;

static uint64_t stir(uint64_t h, uint64_t value) {
    h = (h ^ value) * 0x9FB21C651E98DF25u;
    return h ^ h >> 29;
}

static hash hash_start(void) {
    return (hash){{1, 2, 3, 4}};
}

static void hash_floats(hash *h, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        h->lanes[i % HASH_LANES] = stir(h->lanes[i % HASH_LANES], value_canonical(bits));
    }
    h->lanes[0] = stir(h->lanes[0], n);
}

static void hash_doubles(hash *h, const double *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, x + i, sizeof bits);
        h->lanes[i % HASH_LANES] = stir(h->lanes[i % HASH_LANES], isnan(x[i]) ? UINT64_MAX : bits);
    }
}

static uint64_t hash_end(const hash *h) {
    uint64_t all = 0;
    for (int i = 0; i < HASH_LANES; i++)
        all = stir(all, h->lanes[i]);
    return all;
}

/* The first digest of each case, with which the others must agree. */
static struct known {
    char name[64], how[64];
    uint64_t digest;
} known[256];
static size_t known_count;
static int differing;

static void record(const char *name, const char *how, uint64_t digest) {
    printf("digest %s %s %016llx\n", how, name, (unsigned long long)digest);
    for (size_t i = 0; i < known_count; i++)
        if (!strcmp(known[i].name, name)) {
            if (known[i].digest != digest) {
                differing++;
                fprintf(stderr, "bits: %s differs between %s and %s\n", name, known[i].how, how);
            }
            return;
        }
    if (known_count == sizeof known / sizeof *known) {
        fprintf(stderr, "bits: more cases than there is room for\n");
        exit(2);
    }
    snprintf(known[known_count].name, sizeof known->name, "%s", name);
    snprintf(known[known_count].how, sizeof known->how, "%s", how);
    known[known_count++].digest = digest;
}

/* ---- failures ---- */

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory) {
        fprintf(stderr, "bits: no memory for %zu bytes\n", bytes);
        exit(2);
    }
    return memory;
}

static void must(glissade_status status, const char *what, const char *message) {
    if (status == GLISSADE_STATUS_OK)
        return;
    fprintf(stderr, "bits: %s: %s: %s\n", what, glissade_status_name(status), message);
    exit(2);
}

/* ---- kernels ---- */

typedef struct kernel {
    const char *name;
    gls_momentum momentum;
    int nesterov;
    gls_decay decay;
    int zero, deferred;
} kernel;

static const kernel kernels[] = {
#define GLS_SGD_KERNEL(name, momentum, nesterov, decay, zero, deferred)                                      \
    {"kernel-" #name, GLS_MOMENTUM_##momentum, nesterov, GLS_DECAY_##decay, zero, deferred},
#include "sgd_kernels.def"
#undef GLS_SGD_KERNEL
};

enum {
    KERNELS = sizeof kernels / sizeof *kernels,
    KERNEL_LENGTH = 2 * GLS_STREAMS_MAX * GLS_WALK_BLOCK + 3 * GLS_WALK_BLOCK + 29,
};

static const gls_sgd_scalars kernel_scalars = {
    .s = -0.77f,
    .weight_decay = 0.013f,
    .momentum = 0.9f,
    .kappa = 0.1f,
    .flush = FLT_MIN,
    .n1 = 0.93f,
    .n2 = 0.12f,
    .minus_lambda = -1e-3f,
    .minus_eta = -0.011f,
};

static uint64_t digest_kernel(const kernel *k, glissade_isa isa, const gls_walk *walk) {
    static float p[KERNEL_LENGTH], g[KERNEL_LENGTH], m[KERNEL_LENGTH], r[KERNEL_LENGTH];
    static double sums[KERNEL_LENGTH / GLS_SUM_UNIT + 1];
    const gls_residual residual = {.r = r, .sums = sums, .tau = 0.9f};
    values_fill(p, KERNEL_LENGTH, FILL_MIXED, 1, 0);
    values_fill(g, KERNEL_LENGTH, FILL_MIXED, 2, 0);
    values_fill(m, KERNEL_LENGTH, FILL_MIXED, 3, 0);
    values_fill(r, KERNEL_LENGTH, FILL_MIXED, 4, 0);
    gls_sgd_kernel *run =
        (*gls_dispatch_kernels(isa)->sgd)[k->deferred][k->momentum][k->nesterov][k->decay][k->zero];
    const size_t acted = run(&kernel_scalars, p, g, m, &residual, KERNEL_LENGTH, walk);
    hash h = hash_start();
    h.lanes[1] = stir(h.lanes[1], acted);
    hash_doubles(&h, sums, k->deferred ? KERNEL_LENGTH / GLS_SUM_UNIT + 1 : 0);
    hash_floats(&h, r, KERNEL_LENGTH);
    hash_floats(&h, p, KERNEL_LENGTH);
    hash_floats(&h, g, KERNEL_LENGTH);
    hash_floats(&h, m, KERNEL_LENGTH);
    return hash_end(&h);
}

static void run_kernels(glissade_isa isa, int quick) {
    static const size_t streams[] = {1, 2, 3, 4, 6, 16}, leads[] = {0, 512};
    const size_t streams_count = quick ? 2 : sizeof streams / sizeof *streams;
    for (int k = 0; k < KERNELS; k++)
        for (size_t i = 0; i < streams_count; i++)
            for (size_t j = 0; j < sizeof leads / sizeof *leads; j++) {
                const gls_walk walk = {.streams = streams[i], .lead = leads[j]};
                char how[64];
                snprintf(how, sizeof how, "%s 1 %zu+%zu", glissade_isa_name(isa), walk.streams, walk.lead);
                record(kernels[k].name, how, digest_kernel(&kernels[k], isa, &walk));
            }
}

/* ---- models ---- */

/* The state counts only where it has been written. */
static void hash_tensor(hash *h, glissade_optimizer *optimizer, glissade_tensor_ref ref) {
    glissade_tensor_info info = {.size = sizeof info};
    must(glissade_optimizer_get_tensor(optimizer, ref, &info), "tensor", "");
    hash_floats(h, info.parameter, info.length);
    if (info.gradient)
        hash_floats(h, info.gradient, info.length);
    if (info.momentum_updates)
        hash_floats(h, info.momentum, info.length);
    if (info.residual)
        hash_floats(h, info.residual, info.length);
    hash_doubles(h, &info.gradient_rms, 1);
    h->lanes[3] = stir(h->lanes[3], info.acted);
    h->lanes[1] = stir(h->lanes[1], info.steps);
    h->lanes[2] = stir(h->lanes[2], info.momentum_updates);
}

static glissade_engine *make_engine(const bits_machine *machine, int keep_subnormals) {
    glissade_engine_options options;
    glissade_engine *engine;
    glissade_error error;
    glissade_engine_options_init(&options, sizeof options);
    options.isa = machine->isa;
    options.threads = machine->threads;
    options.streams = machine->streams;
    options.oversubscribe = true;
    options.keep_subnormals = (uint32_t)keep_subnormals;
    must(glissade_engine_create(&options, &engine, &error), "engine", error.message);
    return engine;
}

/* Returns how many pages the step walked in turn. */
static uint32_t step(glissade_optimizer *optimizer, double gradient_scale, bool zero_gradients) {
    glissade_step_options options;
    glissade_step_report report = {.size = sizeof report};
    glissade_step_options_init(&options, sizeof options);
    options.gradient_scale = gradient_scale;
    options.zero_gradients = zero_gradients;
    must(glissade_optimizer_step(optimizer, &options, &report), "step",
         glissade_optimizer_message(optimizer));
    return report.streams;
}

/* Two groups, tensors taken in turn, the second with half the rate. */
static void add_groups(glissade_optimizer *optimizer, const bits_case *c, float *p, float *g) {
    for (size_t group = 0; group < 2; group++) {
        glissade_tensor tensors[BITS_TENSORS];
        glissade_sgd_options options = c->options;
        size_t count = 0, start = 0;
        uint32_t number;
        for (size_t i = 0; i < BITS_TENSORS; start += bits_lengths[i++])
            if (i % 2 == group) {
                glissade_tensor_init(&tensors[count], sizeof *tensors);
                tensors[count].parameter = p + start;
                tensors[count].gradient = g + start;
                tensors[count++].length = bits_lengths[i];
            }
        options.learning_rate *= group ? 0.5 : 1;
        must(glissade_optimizer_add_sgd(optimizer, tensors, count, &options, &number), c->name,
             glissade_optimizer_message(optimizer));
    }
}

static uint64_t hash_model(glissade_optimizer *optimizer) {
    hash h = hash_start();
    for (uint32_t i = 0; i < BITS_TENSORS; i++)
        hash_tensor(&h, optimizer, (glissade_tensor_ref){i % 2, i / 2});
    return hash_end(&h);
}

/* New gradients each step, which odd steps zero; one tensor has none in the second. */
static uint64_t digest_model(const bits_case *c, const bits_machine *machine, float *p, float *g, size_t n) {
    const glissade_tensor_ref absent = {1, BITS_ABSENT / 2};
    glissade_engine *engine = make_engine(machine, c->keep_subnormals);
    glissade_optimizer *optimizer;
    size_t start = 0;
    for (size_t i = 0; i < BITS_ABSENT; i++)
        start += bits_lengths[i];
    must(glissade_optimizer_create(engine, &optimizer, NULL), "optimizer", "");
    glissade_engine_destroy(&engine);
    add_groups(optimizer, c, p, g);
    values_fill(p, n, FILL_SPRINKLED, 1, 0);
    uint64_t digest = 0;
    for (uint64_t s = 0; s < 3; s++) {
        values_fill(g, n, c->gradients, 2 + s, 0);
        must(glissade_optimizer_set_gradient(optimizer, absent, s == 1 ? NULL : g + start), "gradient", "");
        (void)step(optimizer, c->gradient_scale, s % 2);
        digest = stir(digest, hash_model(optimizer));
    }
    glissade_optimizer_destroy(&optimizer);
    return digest;
}

static void run_models(glissade_isa isa, int quick) {
    static const uint32_t streams[] = {1, 4, 6};
    size_t n = 0;
    for (size_t i = 0; i < BITS_TENSORS; i++)
        n += bits_lengths[i];
    float *p = allocate(n * sizeof *p), *g = allocate(n * sizeof *g);
    for (size_t c = 0; c < bits_case_count; c += quick ? 5 : 1)
        for (uint32_t threads = 1; threads <= 8; threads += quick && threads > 1 ? 6 : 1) {
            const bits_machine machine = {isa, threads, streams[threads % 3]};
            char how[64];
            snprintf(how, sizeof how, "%s %u %u", glissade_isa_name(isa), threads, machine.streams);
            record(bits_cases[c].name, how, digest_model(&bits_cases[c], &machine, p, g, n));
        }
    free(p);
    free(g);
}

/* ---- one large tensor ---- */

/* Made anew for each run: a copy would cost 8 bytes an element more. The first update does not read the
 * momentum, the second does and zeroes the gradient. */
static uint64_t digest_flat(const bits_machine *machine, float *p, float *g, size_t n) {
    glissade_engine *engine = make_engine(machine, 0);
    glissade_optimizer *optimizer;
    glissade_tensor tensor;
    uint32_t group;
    values_fill(p, n, FILL_SPRINKLED, 11, 0);
    values_fill(g, n, FILL_SPRINKLED, 12, 0);
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = p;
    tensor.gradient = g;
    tensor.length = n;
    must(glissade_optimizer_create(engine, &optimizer, NULL), "optimizer", "");
    glissade_engine_destroy(&engine);
    must(glissade_optimizer_add_sgd(optimizer, &tensor, 1, &bits_flat_options, &group), "flat",
         glissade_optimizer_message(optimizer));
    const uint32_t first = step(optimizer, 1, false), second = step(optimizer, 3, true);
    if (n >= BITS_WALKED && (first != machine->streams || second != machine->streams)) {
        fprintf(stderr, "bits: asked to walk %u pages in turn, walked %u and %u\n", machine->streams, first,
                second);
        exit(2);
    }
    hash h = hash_start();
    hash_tensor(&h, optimizer, (glissade_tensor_ref){group, 0});
    glissade_optimizer_destroy(&optimizer);
    return hash_end(&h);
}

static void run_flat(glissade_isa isa, size_t n) {
    static const uint32_t streams[] = {1, 4, 6};
    float *p = allocate(n * sizeof *p), *g = allocate(n * sizeof *g);
    char name[64], how[64];
    snprintf(name, sizeof name, "flat-%zu", n);
    for (uint32_t threads = 1; threads <= 8; threads++)
        for (int i = 0; i < 3; i++) {
            const bits_machine machine = {isa, threads, streams[i]};
            snprintf(how, sizeof how, "%s %u %u", glissade_isa_name(isa), threads, machine.streams);
            record(name, how, digest_flat(&machine, p, g, n));
            fflush(stdout);
        }
    free(p);
    free(g);
}

/* ---- the program ---- */

static int usage(void) {
    fprintf(stderr, "usage: bits [--quick | --elements N]\n");
    return 2;
}

int main(int argc, char **argv) {
    const int quick = argc == 2 && !strcmp(argv[1], "--quick");
    size_t elements = 0;
    if (argc == 3 && !strcmp(argv[1], "--elements")) {
        char *end;
        errno = 0;
        elements = strtoull(argv[2], &end, 10);
        if (errno || *end || !elements || argv[2][0] == '-' || elements > SIZE_MAX / sizeof(float))
            return usage();
    } else if (argc > 1 && !quick) {
        return usage();
    }
    bits_cases_init();
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++) {
        if (!glissade_isa_available(isa))
            continue;
        if (!elements) {
            run_kernels(isa, quick);
            run_models(isa, quick);
        }
        if (!quick)
            run_flat(isa, elements ? elements : BITS_WALKED);
    }
    fprintf(stderr, "bits: %zu cases, %d digests differ\n", known_count, differing);
    return differing > 0;
}
