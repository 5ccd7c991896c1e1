/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each source of this folder is compiled once per instruction set, which two macros of the build name: GLS_ISA_NAME,
 * as in isas.def, or f64 for double arrays, and GLS_ISA_VOCABULARY, the header to compile against. A source makes one
 * table of kernels; table.c joins them.
 */
#ifndef GLS_SIMD_ISA_H
#define GLS_SIMD_ISA_H

#include GLS_ISA_VOCABULARY

#define GLS_JOIN_(a, b) a##_##b
#define GLS_JOIN(a, b)  GLS_JOIN_(a, b)
#define GLS_OWN(name)   GLS_JOIN(name, GLS_ISA_NAME) /* the name of this instruction set's */

extern const gls_sgd_kernels GLS_OWN(gls_sgd_kernels);
extern const gls_rule_kernels GLS_OWN(gls_rule_kernels);
extern const gls_format_kernels GLS_OWN(gls_format_kernels);
gls_squares_kernel GLS_OWN(gls_squares);
gls_zero_kernel GLS_OWN(gls_zero);
gls_read_kernel GLS_OWN(gls_read);

#endif
