/* SPDX-License-Identifier: Apache-2.0 */
/* A small model (see states_model.h). */
#include "states_model.h"

#include <stdlib.h>
#include <string.h>

const planned_group planned_usual[PLANNED_GROUPS] = {
    {"adam", "learning_rate=0.01", {SHAPED("w", 300, 20, 15), PLAIN("b", 1000), PLAIN("e", 0)}},
    {"sgd", "learning_rate=0.05 momentum=0.75", {PLAIN("s", 500)}},
};

static void fill(held *it, uint64_t seed, size_t tensor, bool gradient) {
    float *values = malloc((it->length + 1) * sizeof *values);
    for (size_t i = 0; i < it->length; i++)
        values[i] = scenario_value(seed, tensor, i);
    array_write(gradient ? it->layout.gradient : it->layout.parameter,
                gradient ? it->gradient : it->parameter, values, it->length);
    free(values);
}

static void add_group(planned *it, const planned_group *group, uint64_t seed) {
    const rule *by = rule_find(group->rule);
    rule_options options;
    glissade_tensor tensors[PLANNED_TENSORS];
    glissade_label labels[PLANNED_TENSORS];
    uint32_t number, count = 0;
    rule_defaults(by, &options);
    REQUIRE(!rule_assign(by, &options, group->values), "%s: %s", group->rule, group->values);
    for (; count < PLANNED_TENSORS && group->tensors[count].name; count++) {
        const planned_tensor *plan = &group->tensors[count];
        held *tensor = &it->held[it->count + count];
        held_create(tensor, &plan->layout, plan->length, 0, false);
        tensor->columns = plan->columns;
        fill(tensor, seed, it->count + count, false);
        tensors[count] = held_descriptor(tensor);
        if (plan->own_residual)
            tensors[count].residual = it->residuals[it->count + count] = calloc(plan->length, sizeof(float));
        labels[count] = (glissade_label){
            .size = sizeof *labels, .name = plan->name, .rank = plan->rank, .shape = plan->shape};
    }
    REQUIRE(!by->add(it->optimizer, tensors, count, &options, &number), "%s",
            glissade_optimizer_message(it->optimizer));
    REQUIRE(!glissade_optimizer_set_labels(it->optimizer, number, labels, count), "%s",
            glissade_optimizer_message(it->optimizer));
    for (uint32_t i = 0; i < count; i++)
        it->at[it->count++] = (glissade_tensor_ref){number, i};
}

void planned_create(planned *it, glissade_engine *engine, const planned_group *groups, uint64_t seed) {
    *it = (planned){.optimizer = scenario_optimizer(engine)};
    for (size_t i = 0; i < PLANNED_GROUPS && groups[i].rule; i++)
        add_group(it, &groups[i], seed);
}

void planned_destroy(planned *it) {
    glissade_optimizer_destroy(&it->optimizer);
    for (size_t i = 0; i < it->count; i++) {
        held_destroy(&it->held[i]);
        free(it->residuals[i]);
    }
}

void planned_step(planned *it, int number) {
    for (size_t i = 0; i < it->count; i++)
        fill(&it->held[i], (uint64_t)number + 100, i, true);
    scenario_step(it->optimizer);
}

glissade_tensor_info planned_info(const planned *it, size_t tensor) {
    return scenario_info(it->optimizer, it->at[tensor].group, it->at[tensor].index);
}
