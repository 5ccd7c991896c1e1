/* SPDX-License-Identifier: Apache-2.0 */
/* The optimizer that must not change (see subject.h). */
#include "subject.h"

#include <stdio.h>

void subject_create(subject *it, glissade_engine *engine) {
    *it = (subject){.engine = engine, .first_rule = scenario_rule(0.75), .second_rule = scenario_rule(0.9)};
    it->second_rule.debias = it->second_rule.nesterov = true;
    it->second_rule.defer_threshold = 0.5;
    it->second_rule.defer_unit = GLISSADE_DEFER_UNIT_GRADIENT_RMS;
    it->optimizer = scenario_optimizer(engine);
    model_create_usual(&it->first, false);
    model_create_usual(&it->second, true);
    model_copy(&it->first_twin, &it->first);
    model_copy(&it->second_twin, &it->second);
    REQUIRE(scenario_add(it->optimizer, &it->first, &it->first_rule) == 0, "the first group is not 0");
    REQUIRE(scenario_add(it->optimizer, &it->second, &it->second_rule) == 1, "the second group is not 1");
    for (int i = 0; i < 2; i++) {
        const char *change = subject_step(it);
        REQUIRE(!change, "%s", change);
    }
}

void subject_destroy(subject *it) {
    glissade_optimizer_destroy(&it->optimizer);
    glissade_engine_destroy(&it->engine);
    model_destroy(&it->first);
    model_destroy(&it->second);
    model_destroy(&it->first_twin);
    model_destroy(&it->second_twin);
}

static const char *address_change(glissade_optimizer *optimizer, uint32_t group, const model *expected) {
    static char text[64];
    for (uint32_t i = 0; i < expected->count; i++) {
        glissade_tensor_info info = {.size = sizeof info};
        REQUIRE(!glissade_optimizer_get_tensor(optimizer, (glissade_tensor_ref){group, i}, &info), "%s",
                glissade_optimizer_message(optimizer));
        if (info.parameter != expected->p[i] || info.gradient != expected->g[i] ||
            info.length != expected->length[i] ||
            (expected->own_momentum && info.momentum != expected->m[i]) ||
            (expected->own_residual && info.residual != expected->r[i])) {
            snprintf(text, sizeof text, "an address of tensor %u of group %u changed", i, group);
            return text;
        }
    }
    return NULL;
}

static const char *rule_change(glissade_optimizer *optimizer, uint32_t group,
                               const glissade_sgd_options *rule) {
    glissade_sgd_options now = {.size = sizeof now};
    REQUIRE(!glissade_optimizer_get_sgd(optimizer, group, &now), "%s", glissade_optimizer_message(optimizer));
    const bool same = now.learning_rate == rule->learning_rate && now.momentum == rule->momentum &&
                      now.dampening == rule->dampening && now.weight_decay == rule->weight_decay &&
                      now.decay == rule->decay && now.first_step == rule->first_step &&
                      now.nesterov == rule->nesterov && now.debias == rule->debias &&
                      now.maximize == rule->maximize && now.defer_threshold == rule->defer_threshold &&
                      now.defer_unit == rule->defer_unit;
    return same ? NULL : "hyperparameters changed";
}

const char *subject_change(subject *it) {
    const char *change;
    if ((change = model_difference(&it->first, &it->first_twin)) ||
        (change = model_difference(&it->second, &it->second_twin)) ||
        (change = scenario_state_difference(it->optimizer, 0, &it->first_twin)) ||
        (change = scenario_state_difference(it->optimizer, 1, &it->second_twin)) ||
        (change = address_change(it->optimizer, 0, &it->first)) ||
        (change = address_change(it->optimizer, 1, &it->second)) ||
        (change = rule_change(it->optimizer, 0, &it->first_rule)))
        return change;
    return rule_change(it->optimizer, 1, &it->second_rule);
}

const char *subject_step(subject *it) {
    model_fill_gradients(&it->first, it->steps);
    model_fill_gradients(&it->first_twin, it->steps);
    model_fill_gradients(&it->second, it->steps + 50);
    model_fill_gradients(&it->second_twin, it->steps + 50);
    it->steps++;
    const glissade_status status = glissade_optimizer_step(it->optimizer, NULL, NULL);
    if (status)
        return glissade_status_name(status);
    model_reference_step(&it->first_twin, &it->first_rule, 1, false, UINT32_MAX);
    model_reference_step(&it->second_twin, &it->second_rule, 1, false, UINT32_MAX);
    return subject_change(it);
}
