/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in data set, for machines without Fashion-MNIST: small, always the same, and hard enough that
 * learning shows over several epochs. Must not be mistaken for real data: callers say that it is synthetic.
 *
 * Each class owns several prototypes, sums of soft blobs; an image is one of them, moved by up to two pixels,
 * dimmed, under noise of about its own strength. Several prototypes a class and the shifts keep a linear
 * model, and the first epoch of a network, from solving it.
 */
#include "dataset.h"
#include "random.h"

#include <stdlib.h>

enum {
    TRAIN_COUNT = 12000,
    TEST_COUNT = 2000,
    PROTOTYPES_PER_CLASS = 5,
    BLOBS = 4,
    SHIFT = 2,
    SEED = 20240,
};

static const float noise_amplitude = 0.55f;

struct prototype {
    float pixels[IMAGE_SIDE][IMAGE_SIDE];
};

/* A bump of the given radius with bounded support: (1 - r^2)^2 inside, 0 outside. No libm, so the same set
 * everywhere. */
static void add_blob(struct prototype *prototype, float x, float y, float radius) {
    for (int row = 0; row < IMAGE_SIDE; ++row) {
        for (int column = 0; column < IMAGE_SIDE; ++column) {
            float dx = ((float)column - x) / radius, dy = ((float)row - y) / radius;
            float inside = 1.0f - dx * dx - dy * dy;
            if (inside > 0.0f)
                prototype->pixels[row][column] += inside * inside;
        }
    }
}

static void draw_prototype(struct prototype *prototype, struct random_source *random) {
    *prototype = (struct prototype){.pixels = {{0.0f}}};
    for (int blob = 0; blob < BLOBS; ++blob) {
        float x = random_uniform(random, 5.0f, IMAGE_SIDE - 6.0f);
        float y = random_uniform(random, 5.0f, IMAGE_SIDE - 6.0f);
        add_blob(prototype, x, y, random_uniform(random, 4.0f, 9.0f));
    }
}

static void draw_image(uint8_t *pixels, const struct prototype *prototype, struct random_source *random) {
    int down = (int)random_below(random, 2 * SHIFT + 1) - SHIFT;
    int right = (int)random_below(random, 2 * SHIFT + 1) - SHIFT;
    float brightness = random_uniform(random, 0.4f, 0.8f);
    for (int row = 0; row < IMAGE_SIDE; ++row) {
        for (int column = 0; column < IMAGE_SIDE; ++column) {
            int y = row - down, x = column - right;
            bool inside = y >= 0 && y < IMAGE_SIDE && x >= 0 && x < IMAGE_SIDE;
            float value = inside ? brightness * prototype->pixels[y][x] : 0.0f;
            value += random_uniform(random, -noise_amplitude, noise_amplitude);
            value = value < 0.0f ? 0.0f : value;
            value = value > 1.0f ? 1.0f : value;
            pixels[row * IMAGE_SIDE + column] = (uint8_t)(value * 255.0f);
        }
    }
}

static void draw_images(const struct labelled_images *images, const struct prototype *prototypes,
                        struct random_source *random) {
    for (size_t i = 0; i < images->count; ++i) {
        uint32_t which = random_below(random, CLASS_COUNT * PROTOTYPES_PER_CLASS);
        images->labels[i] = (uint8_t)(which / PROTOTYPES_PER_CLASS);
        draw_image(images->pixels + i * IMAGE_PIXELS, &prototypes[which], random);
    }
}

bool synthetic_create(struct dataset *dataset) {
    struct prototype *prototypes = malloc(CLASS_COUNT * PROTOTYPES_PER_CLASS * sizeof *prototypes);
    bool created = prototypes != NULL && labelled_images_allocate(&dataset->train, TRAIN_COUNT) &&
                   labelled_images_allocate(&dataset->test, TEST_COUNT);
    if (created) {
        struct random_source random;
        random_seed(&random, SEED, 0);
        for (int i = 0; i < CLASS_COUNT * PROTOTYPES_PER_CLASS; ++i)
            draw_prototype(&prototypes[i], &random);
        draw_images(&dataset->train, prototypes, &random);
        draw_images(&dataset->test, prototypes, &random);
    }
    free(prototypes);
    return created;
}
