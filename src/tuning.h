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

/* Below this elements are walked straight, without prefetching: several pages in turn cost 3 to 8 % on data
 * that fits the cache. From here on the walk can pay; which one does, the tuner finds out. */
#define GLS_WALK_FROM ((size_t)24 * 1024 * 1024)

/* How far a straight walk on large data prefetches, in elements: anything from 384 to 640 is within 1 % of
 * the best on Granite Rapids; below 320 there is next to no gain. */
#define GLS_LEAD 512

/* The same where formats are converted a stretch at a time, and most arrays have half the bytes: 2 % over GLS_LEAD. */
#define GLS_LEAD_STAGED 1024

/* The same where one array alone is read, the norm's pass: 0.87 of the time that GLS_LEAD gives, further ahead nothing
 * more. Where pages are walked in turn, this many. */
#define GLS_LEAD_ALONE    2048
#define GLS_STREAMS_ALONE 8

/* Default of GLISSADE_TILE, elements. */
#define GLS_TILE_DEFAULT (1024 * 1024)

#endif
