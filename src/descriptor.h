/* SPDX-License-Identifier: Apache-2.0 */
/* What a tensor's descriptor says of number formats, checked and taken over, and told again. */
#ifndef GLS_DESCRIPTOR_H
#define GLS_DESCRIPTOR_H

#include "optimizer.h"

/* Whether the i-th tensor's formats can be had together, under the group's rule. Returns OK, INVALID_OPTION,
 * INVALID_COMBINATION or TOO_LARGE. */
glissade_status gls_storage_check(const gls_group *group, uint32_t i, const glissade_tensor *tensor,
                                  glissade_error *error);

/* Whether the tensor needs a record of its storage; and filling in the record. */
bool gls_storage_wanted(const gls_group *group, const glissade_tensor *tensor);
void gls_storage_take(gls_group *group, uint32_t i, const glissade_tensor *tensor);

/* Decides anew whether the tensor is staged. */
void gls_storage_settle(gls_group *group, uint32_t i);

/* Writes what glissade_tensor_info says of formats and arrays. */
void gls_storage_describe(const gls_group *group, uint32_t i, glissade_tensor_info *info);

#endif
