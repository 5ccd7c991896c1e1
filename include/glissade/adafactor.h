/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adafactor (Shazeer and Stern 2018) as torch.optim has it: without momentum, with relative step sizes.
 *
 * Of a matrix (glissade_tensor.columns) the second moment is kept as the averages of its rows and of its columns, so
 * that state is rows + columns numbers; of any other tensor it is kept whole. With new = t^beta2_decay, in double and
 * rounded to the state's type:
 *
 *     a_i = (1 - new) a_i + new mean over the row of (s gradient)^2         state 0, rows of them,
 *     b_j = (1 - new) b_j + new mean over the column of (s gradient)^2      then columns of them
 *     v_ij = (a_i / max(mean(a), eps1)) * b_j                               the quotient rounded once, then the product
 *
 * or, of what is no matrix, the rule's own part being (glissade/rule.h)
 *
 *     v = fma(new * g, g, (1 - new) * v)                 state 0, flushed
 *
 * Then, with RMS the root mean square over the tensor, p as it was before the step:
 *
 *     u = g / sqrt(max(v, eps1^2))                      the direction
 *     eta = max(eps2, RMS(p)) min(learning_rate, 1 / sqrt(t)) / max(1, RMS(u) / d)
 *
 * Decoupled decay takes off learning_rate weight_decay p, as torch.optim does. With coupled decay, which the paper does
 * not know, g has it in u and in a whole v, but the averages of a matrix are those of the gradient alone.
 *
 * Sums over rows and columns are double: a row's by runs of 256 elements from its start, as norms are (optimizer.h), a
 * column's within blocks of 64 rows in their order, then the blocks in theirs. The same bits whatever the threads and
 * the instruction set; but a matrix is one tensor, and dividing it changes its bits.
 *
 * Passes: 2, and one more over the gradients if there are matrices. Bytes per element in float: 32 for a matrix (the
 * gradient three times, the parameter three), 40 for other tensors. State of a matrix is full; the library's own sums
 * take 1/8 byte an element besides. For 8-bit and half formats see glissade/format.h: other tensors' state can have them.
 */
#ifndef GLISSADE_ADAFACTOR_H
#define GLISSADE_ADAFACTOR_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_adafactor_options {
    size_t size;
    double learning_rate; /* default 0.01 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default DECOUPLED */
    bool maximize, cautious;
    double beta2_decay; /* at most 0; default -0.8 */
    double eps1;        /* from 0 to FLT_MAX; default 2^-23 */
    double eps2;        /* from 0 to FLT_MAX; default 0.001 */
    double d;           /* what RMS(u) is clipped to: at least FLT_MIN; default 1 */
} glissade_adafactor_options;

GLISSADE_RULE_CALLS(adafactor);

#ifdef __cplusplus
}
#endif

#endif
