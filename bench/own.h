/* SPDX-License-Identifier: Apache-2.0 */
/* BENCH_OWN(name): name_ISA, for tables that are compiled once for each set of vector instructions. The build
 * defines BENCH_ISA. */
#ifndef BENCH_OWN_H
#define BENCH_OWN_H

#define BENCH_PASTE_NOW(name, isa) name##_##isa
#define BENCH_PASTE(name, isa)     BENCH_PASTE_NOW(name, isa)
#define BENCH_OWN(name)            BENCH_PASTE(name, BENCH_ISA)

#endif
