/* SPDX-License-Identifier: Apache-2.0 */
/* Where pages lie, compared with where their owners run. */
#ifndef GLS_PLACEMENT_H
#define GLS_PLACEMENT_H

#include "optimizer.h"

/*
 * Writes the NUMA node of each page, or a negative error number, to nodes[0 .. count - 1]. False if the
 * system refuses. A replaceable function, because no machine at hand may have several nodes.
 */
typedef bool gls_page_query(void *context, size_t count, void **pages, int *nodes);

glissade_status gls_placement_report(glissade_optimizer *optimizer, gls_page_query *query, void *context,
                                     glissade_placement_report *report);

#endif
