/* SPDX-License-Identifier: Apache-2.0 */
/* What is stepped: lists of tensor lengths, real models' and made-up ones. */
#ifndef BENCH_MODELS_H
#define BENCH_MODELS_H

#include <cstddef>
#include <string>
#include <vector>

struct Model {
    std::string name; /* as in the benchmarks' names */
    std::vector<size_t> lengths;
    std::vector<size_t> columns; /* of the tensors that are matrices, 0 of others; empty: none is */

    size_t elements() const;
};

/* The real lists, in the order of their checkpoints; each checks its own count of tensors and parameters. */
Model gpt2_124m();  /* 148 tensors, 124,439,808 parameters */
Model resnet50();   /* 161 tensors, 25,557,032 parameters */
Model bert_large(); /* 391 tensors, 335,141,888 parameters: the encoder with its pooler, without heads */

Model equal_tensors(size_t count, size_t length); /* "10000x1000" */
Model flat(const std::string &name, size_t length);
Model flat_124m(); /* one array as long as GPT-2's parameters together */

#endif
