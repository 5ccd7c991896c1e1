// SPDX-License-Identifier: Apache-2.0
// Shapes of real models, written out as their definitions build them.
#include "models.h"

#include <initializer_list>
#include <stdexcept>

size_t Model::elements() const {
    size_t sum = 0;
    for (const size_t length : lengths)
        sum += length;
    return sum;
}

namespace {

class Builder {
  public:
    explicit Builder(const std::string &name) : model{name, {}, {}} {
    }

    void tensor(std::initializer_list<size_t> shape) {
        size_t length = 1;
        for (const size_t side : shape)
            length *= side;
        const size_t rows = *shape.begin();
        model.lengths.push_back(length);
        model.columns.push_back(shape.size() > 1 && rows > 1 ? length / rows : 0);
    }

    // A weight and a bias: of a matrix product, or of a normalisation (inputs 1).
    void layer(size_t inputs, size_t outputs) {
        tensor({inputs, outputs});
        tensor({outputs});
    }

    void norm(size_t width) {
        layer(1, width);
    }

    Model finish(size_t tensors, size_t elements) const {
        if (model.lengths.size() != tensors || model.elements() != elements)
            throw std::logic_error("the shape list of " + model.name + " is wrong");
        return model;
    }

  private:
    Model model;
};

// torchvision's bottleneck: 1x1, 3x3, 1x1, each with its batch norm, and a projection where the shape
// changes.
void bottleneck(Builder &builder, size_t inputs, size_t width, bool project) {
    const size_t outputs = 4 * width;
    builder.tensor({width, inputs});
    builder.norm(width);
    builder.tensor({width, width, 3, 3});
    builder.norm(width);
    builder.tensor({outputs, width});
    builder.norm(outputs);
    if (project) {
        builder.tensor({outputs, inputs});
        builder.norm(outputs);
    }
}

} // namespace

Model gpt2_124m() {
    const size_t width = 768, vocabulary = 50257, positions = 1024, layers = 12;
    Builder builder("gpt2_124m");
    builder.tensor({vocabulary, width});
    builder.tensor({positions, width});
    for (size_t i = 0; i < layers; i++) {
        builder.norm(width);
        builder.layer(width, 3 * width); // query, key and value
        builder.layer(width, width);
        builder.norm(width);
        builder.layer(width, 4 * width);
        builder.layer(4 * width, width);
    }
    builder.norm(width);
    return builder.finish(148, 124439808);
}

Model resnet50() {
    const size_t blocks[] = {3, 4, 6, 3}, classes = 1000;
    Builder builder("resnet50");
    builder.tensor({64, 3, 7, 7});
    builder.norm(64);
    size_t inputs = 64, width = 64;
    for (const size_t count : blocks) {
        for (size_t i = 0; i < count; i++) {
            bottleneck(builder, inputs, width, i == 0);
            inputs = 4 * width;
        }
        width *= 2;
    }
    builder.layer(inputs, classes);
    return builder.finish(161, 25557032);
}

Model bert_large() {
    const size_t width = 1024, inner = 4096, vocabulary = 30522, positions = 512, types = 2, layers = 24;
    Builder builder("bert_large");
    builder.tensor({vocabulary, width});
    builder.tensor({positions, width});
    builder.tensor({types, width});
    builder.norm(width);
    for (size_t i = 0; i < layers; i++) {
        for (int projection = 0; projection < 4; projection++) // query, key, value, output
            builder.layer(width, width);
        builder.norm(width);
        builder.layer(width, inner);
        builder.layer(inner, width);
        builder.norm(width);
    }
    builder.layer(width, width); // pooler
    return builder.finish(391, 335141888);
}

Model equal_tensors(size_t count, size_t length) {
    return {std::to_string(count) + "x" + std::to_string(length), std::vector<size_t>(count, length), {}};
}

Model flat(const std::string &name, size_t length) {
    return {name, {length}, {}};
}

Model flat_124m() {
    return flat("flat_124m", 124439808);
}
