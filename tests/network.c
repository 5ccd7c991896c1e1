/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The networks of the command against a reference: double precision, and direct sums in place of gathered
 * matrix products. Gradients are held against central differences of the reference's loss, not of the
 * network's own, whose single precision would leave three digits.
 */
#include "network.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/*
 * Runs whose length is not a multiple of four, a stride of 1, outputs that leave pixels over, a convolution
 * without ReLU, the largest number of layers.
 */
static const struct network_plan odd_plan = {
    .name = "odd",
    .layer_count = 4,
    .layers = {{.kind = LAYER_CONVOLUTION, .outputs = 3, .kernel = 5, .stride = 4, .relu = true},
               {.kind = LAYER_CONVOLUTION, .outputs = 5, .kernel = 3, .stride = 1},
               {.kind = LAYER_DENSE, .outputs = 7, .relu = true},
               {.kind = LAYER_DENSE, .outputs = CLASS_COUNT}},
};

static const struct network_plan *const plans[] = {&network_mlp, &network_small_mlp, &network_convolutional,
                                                   &odd_plan};
enum { PLANS = sizeof plans / sizeof *plans };

/*
 * Of single precision against the reference, as shares of the norm; up to 4e-6 was found. A wrong index is
 * off by a tenth or more. In a large batch one of 100,000 values may lie so close to 0 that only one of the
 * two precisions lets it through ReLU, which moves the gradient by up to a few thousandths; a lost image of
 * 520 would move it by 4 %.
 */
static double tolerance(size_t count) {
    return count > 8 ? 1e-2 : 2e-5;
}

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    cr_assert_not_null(memory);
    return memory;
}

/* A network with parameters and gradients, and images of noise for it. */
struct fixture {
    struct network network;
    struct labelled_images images;
    struct random_source random;
};

static void set_up(struct fixture *fixture, const struct network_plan *plan, size_t capacity) {
    struct network *network = &fixture->network;
    random_seed(&fixture->random, 7, 0);
    cr_assert(network_create(network, plan, capacity));
    for (size_t i = 0; i < network->tensor_count; ++i) {
        network->parameters[i] = allocate(network->lengths[i], sizeof(float));
        network->gradients[i] = allocate(network->lengths[i], sizeof(float));
    }
    network_initialise(network, &fixture->random);
    /* Biases of 0 would hide a wrong one. */
    for (size_t i = 1; i < network->tensor_count; i += 2)
        for (size_t j = 0; j < network->lengths[i]; ++j)
            network->parameters[i][j] = random_uniform(&fixture->random, -0.5f, 0.5f);
    struct labelled_images *images = &fixture->images;
    images->count = capacity;
    images->pixels = allocate(capacity, IMAGE_PIXELS);
    images->labels = allocate(capacity, 1);
    for (size_t i = 0; i < capacity * IMAGE_PIXELS; ++i)
        images->pixels[i] = (uint8_t)random_below(&fixture->random, 256);
    for (size_t i = 0; i < capacity; ++i)
        images->labels[i] = (uint8_t)random_below(&fixture->random, CLASS_COUNT);
    network_normalise(network, images);
}

static void tear_down(struct fixture *fixture) {
    for (size_t i = 0; i < fixture->network.tensor_count; ++i) {
        free(fixture->network.parameters[i]);
        free(fixture->network.gradients[i]);
    }
    free(fixture->images.pixels);
    free(fixture->images.labels);
    network_destroy(&fixture->network);
}

static const float *scores(const struct network *network) {
    return network->outputs[network->plan->layer_count - 1];
}

/* Of one layer and image, at most: the input is the largest. */
enum { ACTIVATIONS = IMAGE_PIXELS };

/* One layer on one image: every output is a sum over what it sees. */
static void reference_layer(const struct layer_plan *plan, size_t side, size_t channels,
                            const double *weights, const double *bias, const double *input, double *output) {
    bool dense = plan->kind == LAYER_DENSE;
    size_t kernel = dense ? side : plan->kernel, stride = dense ? 1 : plan->stride;
    size_t output_side = (side - kernel) / stride + 1;
    cr_assert_leq(output_side * output_side * plan->outputs, ACTIVATIONS);
    for (size_t y = 0; y < output_side; ++y)
        for (size_t x = 0; x < output_side; ++x)
            for (size_t unit = 0; unit < plan->outputs; ++unit) {
                double sum = bias[unit];
                for (size_t v = 0; v < kernel; ++v)
                    for (size_t u = 0; u < kernel; ++u)
                        for (size_t channel = 0; channel < channels; ++channel)
                            sum += weights[((v * kernel + u) * channels + channel) * plan->outputs + unit] *
                                   input[((y * stride + v) * side + x * stride + u) * channels + channel];
                output[(y * output_side + x) * plan->outputs + unit] = plan->relu && sum < 0.0 ? 0.0 : sum;
            }
}

/* The scores of the network's loaded image `row`, from parameters of the caller's. */
static void reference_scores(const struct network *network, double *const *parameters, size_t row,
                             double *result) {
    double input[ACTIVATIONS], output[ACTIVATIONS];
    for (size_t i = 0; i < IMAGE_PIXELS; ++i)
        input[i] = (double)network->input[row * IMAGE_PIXELS + i];
    size_t side = IMAGE_SIDE, channels = 1;
    for (size_t i = 0; i < network->plan->layer_count; ++i) {
        const struct layer_plan *plan = &network->plan->layers[i];
        reference_layer(plan, side, channels, parameters[2 * i], parameters[2 * i + 1], input, output);
        side = plan->kind == LAYER_DENSE ? 1 : (side - plan->kernel) / plan->stride + 1;
        channels = plan->outputs;
        memcpy(input, output, side * side * channels * sizeof(double));
    }
    memcpy(result, input, CLASS_COUNT * sizeof(double));
}

/* The mean over the loaded images. */
static double reference_loss(const struct network *network, double *const *parameters, size_t count) {
    double loss = 0.0;
    for (size_t row = 0; row < count; ++row) {
        double values[CLASS_COUNT], sum = 0.0;
        reference_scores(network, parameters, row, values);
        for (int class = 0; class < CLASS_COUNT; ++class)
            sum += exp(values[class]);
        loss += log(sum) - values[network->labels[row]];
    }
    return loss / (double)count;
}

static void copy_parameters(const struct network *network, double **parameters) {
    for (size_t i = 0; i < network->tensor_count; ++i) {
        parameters[i] = allocate(network->lengths[i], sizeof(double));
        for (size_t j = 0; j < network->lengths[i]; ++j)
            parameters[i][j] = (double)network->parameters[i][j];
    }
}

static void free_parameters(const struct network *network, double **parameters) {
    for (size_t i = 0; i < network->tensor_count; ++i)
        free(parameters[i]);
}

static void check_scores(const struct network *network, size_t count) {
    double *parameters[TENSORS_MAXIMUM];
    copy_parameters(network, parameters);
    double errors = 0.0, squares = 0.0;
    for (size_t row = 0; row < count; ++row) {
        double expected[CLASS_COUNT];
        reference_scores(network, parameters, row, expected);
        for (int class = 0; class < CLASS_COUNT; ++class) {
            double error = (double)scores(network)[row * CLASS_COUNT + class] - expected[class];
            errors += error * error;
            squares += expected[class] * expected[class];
        }
    }
    cr_log_info("%s, %zu images: scores off by %.2g", network->plan->name, count, sqrt(errors / squares));
    cr_expect_leq(sqrt(errors / squares), 2e-6, "%s: scores", network->plan->name);
    free_parameters(network, parameters);
}

/*
 * The slope along a random direction in one tensor, whose elements are -1 or 1: it is about as large as the
 * gradient's norm and changes by twice an element's share if that element is wrong. A step of 2^-22 changes
 * the inputs of a unit by less than 2^-17, so that hardly one of some thousand passes the corner of its
 * ReLU; the reference's own rounding leaves nine digits.
 */
static void check_slope(struct fixture *fixture, double *const *parameters, size_t tensor, size_t count) {
    const struct network *network = &fixture->network;
    size_t length = network->lengths[tensor];
    double step = ldexp(1.0, -22), slope = 0.0, squares = 0.0;
    double *values = parameters[tensor], *direction = allocate(length, sizeof(double));
    for (size_t i = 0; i < length; ++i) {
        double gradient = (double)network->gradients[tensor][i];
        direction[i] = random_below(&fixture->random, 2) == 0 ? -1.0 : 1.0;
        slope += direction[i] * gradient;
        squares += gradient * gradient;
        values[i] += step * direction[i];
    }
    double above = reference_loss(network, parameters, count);
    for (size_t i = 0; i < length; ++i)
        values[i] -= 2.0 * step * direction[i];
    double below = reference_loss(network, parameters, count);
    for (size_t i = 0; i < length; ++i)
        values[i] += step * direction[i];
    double error = fabs((above - below) / (2.0 * step) - slope) / sqrt(squares);
    cr_log_info("%s %s, %zu images: slope %.3g, off by %.2g", network->plan->name,
                network_tensor_name(tensor), count, slope, error);
    cr_expect_leq(error, tolerance(count), "%s, %s: slope off by %g of the gradient's norm",
                  network->plan->name, network_tensor_name(tensor), error);
    free(direction);
}

static void check_gradients(struct fixture *fixture, size_t count, int directions) {
    struct network *network = &fixture->network;
    double *parameters[TENSORS_MAXIMUM];
    copy_parameters(network, parameters);
    double expected = reference_loss(network, parameters, count);
    double loss = network_loss(network, count) / (double)count; /* once: it replaces the scores */
    cr_expect_float_eq(loss, expected, 2e-6 * expected);
    /* Nothing that was there before may stay. */
    for (size_t i = 0; i < network->tensor_count; ++i)
        for (size_t j = 0; j < network->lengths[i]; ++j)
            network->gradients[i][j] = NAN;
    network_backward(network, count);
    for (size_t i = 0; i < network->tensor_count; ++i)
        for (int k = 0; k < directions; ++k)
            check_slope(fixture, parameters, i, count);
    free_parameters(network, parameters);
}

static void check_network(const struct network_plan *plan, size_t capacity, size_t count, int directions) {
    struct fixture fixture;
    set_up(&fixture, plan, capacity);
    network_load(&fixture.network, &fixture.images, NULL, capacity - count, count);
    network_forward(&fixture.network, count);
    check_scores(&fixture.network, count);
    check_gradients(&fixture, count, directions);
    tear_down(&fixture);
}

Test(network, agrees_with_the_reference) {
    for (size_t i = 0; i < PLANS; ++i)
        check_network(plans[i], 8, 8, 4);
}

Test(network, batch_of_one) {
    for (size_t i = 0; i < PLANS; ++i) {
        check_network(plans[i], 1, 1, 2);
        check_network(plans[i], 5, 1, 2);
    }
}

/* Convolutions take images 256 at a time; the rest of the last chunk is a case of its own. */
Test(network, batches_beyond_a_chunk) {
    static const size_t counts[] = {255, 256, 257, 520};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i)
        check_network(&odd_plan, 520, counts[i], 1);
    check_network(&network_convolutional, 300, 300, 1);
}

/* A large batch and a small one take turns, as testing and training do. */
Test(network, batches_of_different_sizes) {
    struct fixture fixture;
    set_up(&fixture, &network_convolutional, 300);
    static const size_t counts[] = {300, 3, 257, 1};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; ++i) {
        network_load(&fixture.network, &fixture.images, NULL, 0, counts[i]);
        network_forward(&fixture.network, counts[i]);
        check_scores(&fixture.network, counts[i]);
        check_gradients(&fixture, counts[i], 1);
    }
    tear_down(&fixture);
}

/* Where everything in front of ReLU is 0, nothing passes it. */
Test(network, relu_is_flat_at_zero) {
    struct fixture fixture;
    set_up(&fixture, &network_convolutional, 4);
    struct network *network = &fixture.network;
    for (size_t i = 0; i < 4; ++i)
        memset(network->parameters[i], 0, network->lengths[i] * sizeof(float));
    network_load(network, &fixture.images, NULL, 0, 4);
    network_forward(network, 4);
    network_loss(network, 4);
    network_backward(network, 4);
    for (size_t i = 0; i < 4; ++i)
        for (size_t j = 0; j < network->lengths[i]; ++j)
            cr_assert_eq(network->gradients[i][j], 0.0f);
    tear_down(&fixture);
}

Test(network, loss_of_known_scores) {
    struct fixture fixture;
    set_up(&fixture, &network_small_mlp, 3);
    struct network *network = &fixture.network;
    /* All alike; so sure that exp would overflow, and right; as sure, and wrong. */
    float values[3][CLASS_COUNT] = {{0.0f}, {[4] = 1000.0f}, {[2] = 1000.0f}};
    static const uint8_t labels[3] = {7, 4, 5};
    memcpy(network->outputs[1], values, sizeof values);
    memcpy(network->labels, labels, sizeof labels);
    cr_expect_eq(network_count_correct(network, 3), 1);
    double loss = network_loss(network, 3);
    cr_expect_float_eq(loss, log(10.0) + 0.0 + 1000.0, 1e-6);
    for (int class = 0; class < CLASS_COUNT; ++class) {
        cr_expect_float_eq(scores(network)[class], (class == 7 ? -0.9f : 0.1f) / 3.0f, 1e-7f);
        cr_expect_eq(scores(network)[CLASS_COUNT + class], 0.0f);
        cr_expect_eq(scores(network)[2 * CLASS_COUNT + class], (class == 2   ? 1.0f
                                                                : class == 5 ? -1.0f
                                                                             : 0.0f) /
                                                                   3.0f);
    }
    tear_down(&fixture);
}

Test(network, loads_in_order_and_normalised) {
    struct fixture fixture;
    set_up(&fixture, &network_small_mlp, 50);
    struct network *network = &fixture.network;
    uint32_t order[50];
    for (uint32_t i = 0; i < 50; ++i)
        order[i] = 49 - i;
    network_load(network, &fixture.images, order, 10, 2);
    for (size_t row = 0; row < 2; ++row) {
        size_t image = 39 - row;
        cr_expect_eq(network->labels[row], fixture.images.labels[image]);
        for (size_t i = 0; i < IMAGE_PIXELS; ++i)
            cr_assert_eq(network->input[row * IMAGE_PIXELS + i],
                         network->scale * (float)fixture.images.pixels[image * IMAGE_PIXELS + i] +
                             network->shift);
    }
    network_load(network, &fixture.images, NULL, 0, 50);
    double sum = 0.0, squares = 0.0, pixels = 50.0 * IMAGE_PIXELS;
    for (size_t i = 0; i < (size_t)50 * IMAGE_PIXELS; ++i) {
        sum += (double)network->input[i];
        squares += (double)network->input[i] * (double)network->input[i];
    }
    cr_expect_float_eq(sum / pixels, 0.0, 1e-6);
    cr_expect_float_eq(squares / pixels, 1.0, 1e-6);
    tear_down(&fixture);
}

/* Uniform on [-b, b], b = sqrt(6 / inputs of a unit): none outside, the variance a third of b^2. */
Test(network, initial_weights) {
    struct fixture fixture;
    set_up(&fixture, &network_convolutional, 1);
    struct network *network = &fixture.network;
    network_initialise(network, &fixture.random);
    static const double inputs[] = {16.0, 72.0, 256.0};
    for (size_t i = 0; i < network->plan->layer_count; ++i) {
        double bound = sqrt(6.0 / inputs[i]), squares = 0.0;
        for (size_t j = 0; j < network->lengths[2 * i]; ++j) {
            double weight = (double)network->parameters[2 * i][j];
            cr_assert_leq(fabs(weight), bound * (1.0 + 1e-6));
            squares += weight * weight;
        }
        /* The first layer has 128 weights: the standard deviation of this ratio is 0.08. */
        cr_expect_float_eq(squares / (double)network->lengths[2 * i] / (2.0 / inputs[i]), 1.0, 0.25);
        for (size_t j = 0; j < network->lengths[2 * i + 1]; ++j)
            cr_expect_eq(network->parameters[2 * i + 1][j], 0.0f);
    }
    tear_down(&fixture);
}

Test(network, plans_by_name) {
    cr_expect_eq(network_find("mlp"), &network_mlp);
    cr_expect_eq(network_find("small-mlp"), &network_small_mlp);
    cr_expect_eq(network_find("conv"), &network_convolutional);
    cr_expect_null(network_find("odd"));
    cr_expect_null(network_find(""));
    cr_expect_str_eq(network_tensor_name(0), "1.weight");
    cr_expect_str_eq(network_tensor_name(TENSORS_MAXIMUM - 1), "4.bias");
}

Test(network, tensors_of_the_plans) {
    static const size_t lengths[][6] = {
        {784 * 256, 256, 256 * 10, 10}, {784 * 64, 64, 64 * 10, 10}, {16 * 8, 8, 72 * 16, 16, 256 * 10, 10}};
    static const size_t counts[] = {4, 4, 6};
    for (size_t i = 0; i < 3; ++i) {
        struct network network;
        cr_assert(network_create(&network, plans[i], 2));
        cr_assert_eq(network.tensor_count, counts[i]);
        for (size_t j = 0; j < counts[i]; ++j)
            cr_expect_eq(network.lengths[j], lengths[i][j], "%s %zu", plans[i]->name, j);
        network_destroy(&network);
    }
}
