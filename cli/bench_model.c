/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes of GPT-2 (Radford et al. 2019; the 124M checkpoint's 148 tensors, in its order). Must not
 * allocate. */
#include "bench.h"

static void add_tensor(struct model *model, size_t rows, size_t columns) {
    model->lengths[model->tensor_count++] = rows * columns;
    model->parameter_count += rows * columns;
}

/* A layer norm's, or a projection's, weight and bias. */
static void add_layer(struct model *model, size_t rows, size_t columns) {
    add_tensor(model, rows, columns);
    add_tensor(model, 1, columns);
}

void model_describe(struct model *model, bool small) {
    const size_t vocabulary = small ? 2000 : 50257, positions = small ? 128 : 1024;
    const size_t width = small ? 128 : 768, blocks = small ? 2 : 12;
    *model = (struct model){.name = small ? "gpt2-miniature" : "gpt2-124m"};
    add_tensor(model, vocabulary, width); /* wte */
    add_tensor(model, positions, width);  /* wpe */
    for (size_t block = 0; block < blocks; ++block) {
        add_layer(model, 1, width);         /* ln_1 */
        add_layer(model, width, 3 * width); /* attn.c_attn */
        add_layer(model, width, width);     /* attn.c_proj */
        add_layer(model, 1, width);         /* ln_2 */
        add_layer(model, width, 4 * width); /* mlp.c_fc */
        add_layer(model, 4 * width, width); /* mlp.c_proj */
    }
    add_layer(model, 1, width); /* ln_f */
}
