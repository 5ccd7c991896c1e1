/* SPDX-License-Identifier: Apache-2.0 */
/* Measured sizes at which the library changes its ways, in bytes of the arrays that a call touches. */
#ifndef GLS_TUNING_H
#define GLS_TUNING_H

/* Below this the calling thread works alone. A hot team of two breaks even at 12 to 16 thousand elements of
 * 12 bytes; one that has gone to sleep costs 55 to 90 us to wake, what one thread needs for twice that. */
#define GLS_TEAM_FROM ((size_t)384 * 1024)

/* Below this threads are not bound: binding and restoring costs 2.9 us a thread, 1 % of a step of this size.
 */
#define GLS_PIN_FROM ((size_t)8 * 1024 * 1024)

/* Below this elements are walked straight: several pages in turn cost 3 to 8 % on data that fits the cache,
 * and pay from here on. */
#define GLS_WALK_FROM ((size_t)24 * 1024 * 1024)

/* Defaults of GLISSADE_STREAMS and GLISSADE_TILE. */
#define GLS_STREAMS_DEFAULT 4
#define GLS_TILE_DEFAULT    (1024 * 1024)

#endif
