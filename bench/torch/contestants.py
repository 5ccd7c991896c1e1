# SPDX-License-Identifier: Apache-2.0
"""What compare.py compares: the same update by Glissade, by PyTorch's implementations and by DeepSpeed's. Each contestant
is made from parameters with gradients and has `step`, `close` and, where a step uses its gradients up, `prepare`."""

import ctypes

import torch

from binding import FIRST_STEP_UNDAMPENED, OK, AdamOptions, Error, SgdOptions, StepOptions, Tensor

LEARNING_RATE = 1e-6  # the same gradients every step: keeps parameters near where they began
MOMENTUM = 0.9
WEIGHT_DECAY = 0.01
SCALE = 1024.0  # of the loss, in a whole update
CLIP = 1.0

# Bytes of an element that a step reads and writes, as the library documents them.
BYTES = {"momentum": 20, "adamw": 28, "momentum-whole": 24, "adamw-whole": 32}


class Gradients:
    """Scaled gradients, written anew before each step, because a whole update leaves zeros."""

    def __init__(self, parameters):
        self.gradients = [p.grad for p in parameters]
        self.originals = [g * SCALE for g in self.gradients]
        self.unscaled = [g.clone() for g in self.gradients]

    def renew(self):
        """As a backward pass of a scaled loss leaves them."""
        torch._foreach_copy_(self.gradients, self.originals)

    def restore(self):
        """As they were before the comparison."""
        torch._foreach_copy_(self.gradients, self.unscaled)


class Glissade:
    """A Glissade optimizer over PyTorch's tensors."""

    def __init__(self, library, engine, parameters, rule, torch_state=False, gradients=None):
        self.library, self.handle = library, ctypes.c_void_p()
        self.parameters = parameters  # keeps the memory alive
        self.state = [torch.empty_like(p) for p in parameters] if torch_state else None
        self.prepare = gradients.renew if gradients else None
        self.options = self.whole() if gradients else None
        error, group = Error(), ctypes.c_uint32()
        status = library.calls.glissade_optimizer_create(engine, ctypes.byref(self.handle), ctypes.byref(error))
        library.check(status, error.message)
        tensors = (Tensor * len(parameters))()
        for i, (tensor, p) in enumerate(zip(tensors, parameters)):
            library.calls.glissade_tensor_init(ctypes.byref(tensor), ctypes.sizeof(tensor))
            tensor.parameter, tensor.gradient, tensor.length = p.data_ptr(), p.grad.data_ptr(), p.numel()
            tensor.momentum = self.state[i].data_ptr() if torch_state else None
        add, options = self.rule(rule)
        status = add(self.handle, tensors, len(parameters), ctypes.byref(options), ctypes.byref(group))
        library.check(status, library.calls.glissade_optimizer_message(self.handle))

    def rule(self, name):
        """The call that adds a group under the rule, and its options."""
        calls = self.library.calls
        if name == "momentum":
            options = self.library.filled(SgdOptions, "glissade_sgd_options_init")
            options.learning_rate, options.momentum = LEARNING_RATE, MOMENTUM
            options.first_step = FIRST_STEP_UNDAMPENED
            return calls.glissade_optimizer_add_sgd, options
        options = self.library.filled(AdamOptions, "glissade_adam_options_init")
        options.learning_rate, options.weight_decay = LEARNING_RATE, WEIGHT_DECAY
        return calls.glissade_optimizer_add_adam, options

    def whole(self):
        """Options of one call that unscales, looks for what is not finite, clips, steps and zeroes."""
        options = self.library.filled(StepOptions, "glissade_step_options_init")
        options.gradient_scale, options.clip_norm = SCALE, CLIP
        options.skip_nonfinite = options.zero_gradients = True
        return options

    def step(self):
        """One step over all tensors."""
        options = ctypes.byref(self.options) if self.options else None
        status = self.library.calls.glissade_optimizer_step(self.handle, options, None)
        if status != OK:
            self.library.check(status, self.library.calls.glissade_optimizer_message(self.handle))

    def close(self):
        """Frees the optimizer and its state."""
        self.library.calls.glissade_optimizer_destroy(ctypes.byref(self.handle))


def torch_optimizer(parameters, rule, implementation):
    """torch.optim's optimizer of that rule."""
    if rule == "momentum":
        return torch.optim.SGD(parameters, lr=LEARNING_RATE, momentum=MOMENTUM, **implementation)
    return torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, **implementation)


class Torch:
    """torch.optim's step in one of its implementations."""

    def __init__(self, parameters, rule, **implementation):
        self.optimizer = torch_optimizer(parameters, rule, implementation)
        self.step, self.prepare = self.optimizer.step, None

    def close(self):
        """Drops the state."""
        self.step = self.optimizer = None


class TorchWhole:
    """The loop around torch.optim's step as torch.amp's examples have it, with what GradScaler calls to unscale."""

    def __init__(self, parameters, rule, gradients, **implementation):
        self.optimizer = torch_optimizer(parameters, rule, implementation)
        self.parameters, self.prepare = parameters, gradients.renew
        self.gradients = gradients.gradients
        self.found, self.inverse = torch.zeros(1), torch.full((1,), 1 / SCALE)

    def step(self):
        """Unscales, clips, steps if all was finite, and zeroes."""
        self.found.zero_()
        torch._amp_foreach_non_finite_check_and_unscale_(self.gradients, self.found, self.inverse)
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP, foreach=True)
        if not self.found.item():
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)

    def close(self):
        """Drops the state."""
        self.optimizer = None


class DeepSpeed:
    """DeepSpeed's CPUAdam, which ZeRO-Offload steps with."""

    def __init__(self, parameters):
        from deepspeed.ops.adam import DeepSpeedCPUAdam  # says why, if it cannot be had

        self.optimizer = DeepSpeedCPUAdam(parameters, lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, adamw_mode=True)
        self.step, self.prepare = self.optimizer.step, None

    def close(self):
        """Drops the state."""
        self.step = self.optimizer = None


def contestants(library, engine, update, gradients, deepspeed):
    """Name of each contestant, Glissade the first, and what makes it from a list of parameters."""
    rule, _, whole = update.partition("-")
    if whole:
        return {
            "glissade": lambda p: Glissade(library, engine, p, rule, gradients=gradients),
            "torch fused": lambda p: TorchWhole(p, rule, gradients, fused=True),
            "torch for-each": lambda p: TorchWhole(p, rule, gradients, foreach=True),
        }
    made = {
        "glissade": lambda p: Glissade(library, engine, p, rule),
        "torch fused": lambda p: Torch(p, rule, fused=True),
        "torch for-each": lambda p: Torch(p, rule, foreach=True),
    }
    if rule == "momentum":
        made["glissade, torch's memory"] = lambda p: Glissade(library, engine, p, rule, torch_state=True)
        made["torch plain"] = lambda p: Torch(p, rule, foreach=False, fused=False)
    elif deepspeed:
        made["deepspeed"] = DeepSpeed
    return made
