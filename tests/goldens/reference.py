# SPDX-License-Identifier: Apache-2.0
"""The update rules of make_rules.py in numpy, straight from their published formulas and without PyTorch.

A rule takes a tensor's hyperparameters `h`, its state `s`, the gradient `g` (its sign turned where `maximize`
is set) and the parameter `p`, and returns the new parameter. `s.k` counts this tensor's updates, this one
included; steps without a gradient do not count. Where a hyperparameter changes, powers such as beta1^k take
the value of the step. Nothing here fixes the precision: with float64 arrays everything is float64, and with
float32 arrays every operation is rounded to float32 (scalars are doubles until they meet an array).

What all rules share, in this order:
  maximize   g = -g
  decay      coupled:    g = g + weight_decay * p
             decoupled:  learning_rate * weight_decay * p, of p before the step, is subtracted with the update
  cautious   elements of the update direction d, which the rate multiplies, with d * g <= 0 become 0; g has
             the coupled decay in it, d has no decoupled decay (Liang et al. 2024, without their rescaling)
Rules that treat decay otherwise say so.
"""

import math
import types

import numpy as np


class State:
    """What a rule keeps of a tensor; what was never set is zero. `margin` says how close the sign of anything
    that a rule decides by came to being a matter of rounding, as a part of the largest value so far."""

    def __init__(self):
        self.k = 0
        self.margin = math.inf

    def __getattr__(self, name):
        return 0.0

    def decided(self, name, x):
        peak = np.maximum(getattr(self, name), np.abs(x))
        setattr(self, name, peak)
        near = np.abs(x[x != 0]) / peak[x != 0]
        self.margin = min(self.margin, float(near.min(initial=math.inf)))


def mix(average, new, beta):
    return beta * average + (1 - beta) * new


def norm(x):
    return np.sqrt(np.sum(x * x))


def rms(x):
    return np.sqrt(np.mean(x * x))


def couple(h, g, p):
    return g + h.weight_decay * p if h.decay == "coupled" and h.weight_decay != 0 else g


def caution(h, s, g, d):
    if not h.cautious:
        return d
    s.decided("caution_d", d)
    if h.decay == "coupled" and h.weight_decay != 0:
        s.decided("caution_g", g)  # else it is the exact gradient
    return np.where(d * g > 0, d, 0)


def move(h, p, rate, d):
    decay = h.learning_rate * h.weight_decay if h.decay == "decoupled" else 0.0
    return p - decay * p - rate * d if decay != 0 else p - rate * d


def moments(h, s, g):
    """Both averages of Adam; returns their bias corrections."""
    s.m = mix(s.m, g, h.beta1)
    s.v = mix(s.v, g * g, h.beta2)
    return 1 - h.beta1**s.k, 1 - h.beta2**s.k


def adam(h, s, g, p):
    """Kingma and Ba 2015, Loshchilov and Hutter 2019; amsgrad (Reddi et al. 2018) takes the largest v before
    its bias correction, as PyTorch does (the paper corrects nothing)."""
    g = couple(h, g, p)
    c1, c2 = moments(h, s, g)
    if not h.debias:
        c1 = c2 = 1.0
    v = s.v
    if h.amsgrad:
        v = s.peak = np.maximum(s.peak, s.v)
    d = s.m / c1 / (np.sqrt(v / c2) + h.eps)
    return move(h, p, h.learning_rate, caution(h, s, g, d))


def nadam(h, s, g, p):
    """Dozat 2016 with PyTorch's momentum schedule; m itself is averaged with beta1, not with mu."""
    g = couple(h, g, p)
    _, c2 = moments(h, s, g)
    mu, following = (h.beta1 * (1 - 0.5 * 0.96 ** (k * h.momentum_decay)) for k in (s.k, s.k + 1))
    s.product = mu * (s.product if s.k > 1 else 1.0)
    ahead = (1 - mu) / (1 - s.product) * g + following / (1 - s.product * following) * s.m
    d = ahead / (np.sqrt(s.v / c2) + h.eps)
    return move(h, p, h.learning_rate, caution(h, s, g, d))


def radam(h, s, g, p):
    """Liu et al. 2020 as PyTorch has it: rectified where rho > 5 (the paper: 4), and eps is added to the root
    of v before its bias correction."""
    g = couple(h, g, p)
    c1, c2 = moments(h, s, g)
    d = s.m / c1
    limit = 2 / (1 - h.beta2) - 1
    rho = limit - 2 * s.k * h.beta2**s.k / c2
    s.margin = min(s.margin, abs(rho - 5))
    if rho > 5:
        rectifier = math.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
        d = d * (rectifier * math.sqrt(c2)) / (np.sqrt(s.v) + h.eps)
    return move(h, p, h.learning_rate, caution(h, s, g, d))


def adamax(h, s, g, p):
    """Kingma and Ba 2015, section 7.1; eps is added to |g| inside the maximum, as PyTorch does."""
    g = couple(h, g, p)
    s.m = mix(s.m, g, h.beta1)
    s.u = np.maximum(h.beta2 * s.u, np.abs(g) + h.eps)
    d = s.m / (1 - h.beta1**s.k) / s.u
    return move(h, p, h.learning_rate, caution(h, s, g, d))


def adagrad(h, s, g, p):
    """Duchi et al. 2011. Decoupled decay takes the learning rate without lr_decay."""
    g = couple(h, g, p)
    s.sum = (s.sum if s.k > 1 else h.initial_accumulator) + g * g
    rate = h.learning_rate / (1 + (s.k - 1) * h.lr_decay)
    return move(h, p, rate, g / (np.sqrt(s.sum) + h.eps))


def adadelta(h, s, g, p):
    """Zeiler 2012, with a learning rate; eps is inside both roots."""
    g = couple(h, g, p)
    s.v = mix(s.v, g * g, h.rho)
    d = np.sqrt((s.deltas + h.eps) / (s.v + h.eps)) * g
    s.deltas = mix(s.deltas, d * d, h.rho)
    return move(h, p, h.learning_rate, d)


def rmsprop(h, s, g, p):
    """Hinton 2012, centered as Graves 2013, eps outside the root; the momentum is of g / root, without the
    learning rate."""
    g = couple(h, g, p)
    s.v = mix(s.v, g * g, h.alpha)
    v = s.v
    if h.centered:
        s.average_g = mix(s.average_g, g, h.alpha)
        v = s.v - s.average_g * s.average_g
    d = g / (np.sqrt(v) + h.eps)
    if h.momentum != 0:
        d = s.b = h.momentum * s.b + d
    return move(h, p, h.learning_rate, caution(h, s, g, d))


def rprop(h, s, g, p):
    """iRprop- (Igel and Huesken 2000): where the sign turns, the step shrinks and the gradient counts as 0,
    now and as the predecessor of the next. The learning rate is the step size before the first update."""
    turned = g * s.before
    factor = np.where(turned > 0, h.eta_plus, np.where(turned < 0, h.eta_minus, 1.0)).astype(g.dtype)
    size = s.size if s.k > 1 else np.full_like(g, h.learning_rate)
    s.size = np.clip(size * factor, h.step_min, h.step_max)
    s.before = np.where(turned < 0, 0, g)
    return p - np.sign(s.before) * s.size


def asgd(h, s, g, p):
    """Polyak and Juditsky 1992 with Bottou's schedule; both schedules start with the number of updates
    before this one. Decoupled decay takes the learning rate, not eta."""
    g = couple(h, g, p)
    eta = h.learning_rate / (1 + h.lambd * h.learning_rate * (s.k - 1)) ** h.alpha
    mu = 1 / max(1.0, s.k - 1 - h.t0)
    p = move(h, p, eta, h.lambd * p + g)
    s.average = s.average + mu * (p - s.average) if mu != 1 else p
    return p


def adafactor(h, s, g, p):
    """Shazeer and Stern 2018 as PyTorch has it: eps1 bounds the mean of the rows and eps1^2 the second moment
    from below (the paper adds eps1 to g^2); the parameter's size is taken before the decay, its rate is
    bounded by 1 / sqrt(k); what is no matrix has its whole second moment."""
    new = float(s.k) ** h.beta2_decay
    square = g * g
    if g.ndim > 1:
        s.row = mix(s.row, np.mean(square, axis=-1, keepdims=True), 1 - new)
        s.column = mix(s.column, np.mean(square, axis=-2, keepdims=True), 1 - new)
        v = s.row * s.column / np.maximum(np.mean(s.row, axis=-2, keepdims=True), h.eps1)
    else:
        v = s.v = mix(s.v, square, 1 - new)
    u = g / np.sqrt(np.maximum(v, h.eps1 * h.eps1))
    rate = max(h.eps2, float(rms(p))) * min(h.learning_rate, 1 / math.sqrt(s.k))
    return move(h, p, rate / max(1.0, float(rms(u)) / h.d), u)


def lion(h, s, g, p):
    """Chen et al. 2023; sign(0) is 0."""
    c = mix(s.m, g, h.beta1)
    s.decided("peak", c)
    s.m = mix(s.m, g, h.beta2)
    return move(h, p, h.learning_rate, caution(h, s, g, np.sign(c)))


def ademamix(h, s, g, p):
    """Pagliardini et al. 2024: the fast average is debiased, the slow is not. Until update `warmup`, alpha
    rises linearly, and so does 1 / log(beta3), the half-life, from beta1's (the authors' code adds 1e-8 to
    both betas before the logarithm, the paper does not)."""
    c1, c2 = moments(h, s, g)
    alpha, beta3 = h.alpha, h.beta3
    if s.k < h.warmup:
        part = s.k / h.warmup
        alpha = part * h.alpha
        start = 1 / math.log(h.beta1) if h.beta1 > 0 else 0.0
        beta3 = math.exp(1 / ((1 - part) * start + part / math.log(h.beta3)))
    s.slow = mix(s.slow, g, beta3)
    d = (s.m / c1 + alpha * s.slow) / (np.sqrt(s.v / c2) + h.eps)
    return move(h, p, h.learning_rate, caution(h, s, g, d))


def adopt(h, s, g, p):
    """Taniguchi et al. 2024 as in the authors' code: the first gradient only sets v, without any decay of p;
    clip bounds the normalized gradient of update t after that by t^0.25; eps bounds the root from below."""
    g = couple(h, g, p)
    if s.k == 1:
        s.v = g * g
        return p
    normalized = g / np.maximum(np.sqrt(s.v), h.eps)
    if h.clip:
        bound = (s.k - 1) ** 0.25
        normalized = np.clip(normalized, -bound, bound)
    s.m = mix(s.m, normalized, h.beta1)
    s.v = mix(s.v, g * g, h.beta2)
    return move(h, p, h.learning_rate, caution(h, s, g, s.m))


def schedule_free(h, s, p, beta, d):
    """Defazio et al. 2024 as their SGDScheduleFreeReference: p is y, where gradients are taken; the average x
    is where to evaluate. The count, the largest rate and the sum of the weights are the tensor's own."""
    rate = h.learning_rate * (min(1.0, s.k / h.warmup_steps) if h.warmup_steps else 1.0)
    s.largest = max(rate, s.largest)
    weight = s.k**h.r * s.largest**h.weight_lr_power
    s.weights += weight
    part = weight / s.weights if s.weights != 0 else 0.0
    x, z = (s.average, s.z) if s.k > 1 else (p, p)
    s.z = z - rate * d
    s.average = (1 - part) * x + part * s.z
    return beta * s.average + (1 - beta) * s.z


def schedule_free_sgd(h, s, g, p):
    return schedule_free(h, s, p, h.beta, g + h.weight_decay * p)


def schedule_free_adamw(h, s, g, p):
    """Decay joins the normalized gradient, so that it moves z and is averaged as the gradient is."""
    s.v = mix(s.v, g * g, h.beta2)
    normalized = g / (np.sqrt(s.v / (1 - h.beta2**s.k)) + h.eps)
    return schedule_free(h, s, p, h.beta1, normalized + h.weight_decay * p)


def qhm(h, s, g, p):
    """Ma and Yarats 2019; m starts at zero and is not debiased."""
    g = couple(h, g, p)
    s.m = mix(s.m, g, h.beta)
    return move(h, p, h.learning_rate, h.nu * s.m + (1 - h.nu) * g)


def lars(h, s, g, p):
    """You et al. 2017, but the momentum is of local * (g + weight_decay * p), without the learning rate."""
    size, slope = norm(p), norm(g)
    local = h.trust * size / (slope + h.weight_decay * size + h.eps) if size > 0 and slope > 0 else 1.0
    s.m = h.momentum * s.m + local * (g + h.weight_decay * p)
    return p - h.learning_rate * s.m


def lamb(h, s, g, p):
    """You et al. 2020 (version 3, bias corrected, phi the identity). Caution comes before the decay joins the
    direction, and the norm is of what is left."""
    c1, c2 = moments(h, s, g)
    u = caution(h, s, g, s.m / c1 / (np.sqrt(s.v / c2) + h.eps)) + h.weight_decay * p
    size, length = norm(p), norm(u)
    return p - h.learning_rate * (size / length if size > 0 and length > 0 else 1.0) * u


def adabelief(h, s, g, p):
    """Zhuang et al. 2020 as in the authors' code: eps joins the second moment in each step, and the root."""
    g = couple(h, g, p)
    s.m = mix(s.m, g, h.beta1)
    s.v = mix(s.v, (g - s.m) ** 2, h.beta2) + h.eps
    d = s.m / (1 - h.beta1**s.k) / (np.sqrt(s.v / (1 - h.beta2**s.k)) + h.eps)
    return move(h, p, h.learning_rate, caution(h, s, g, d))


def keys(shared, cautious=False, **own):
    return own | shared | ({"cautious": 0} if cautious else {})


BETAS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
COUPLED = {"weight_decay": 0.0, "decay": "coupled", "maximize": 0}
DECOUPLED = {"weight_decay": 0.0, "decay": "decoupled", "maximize": 0}
AVERAGE = {"warmup_steps": 0, "r": 0.0, "weight_lr_power": 2.0}
EPS1 = 2.0**-23  # PyTorch's default is the epsilon of the parameter's type: this of float32

# Every rule's hyperparameters and their defaults, in the order of rules.cases.
DEFAULTS = {
    "adam": keys(DECOUPLED, True, learning_rate=0.001, **BETAS, amsgrad=0, debias=1),
    "nadam": keys(COUPLED, True, learning_rate=0.002, **BETAS, momentum_decay=0.004),
    "radam": keys(COUPLED, True, learning_rate=0.001, **BETAS),
    "adamax": keys(COUPLED, True, learning_rate=0.002, **BETAS),
    "adagrad": keys(COUPLED, learning_rate=0.01, lr_decay=0.0, initial_accumulator=0.0, eps=1e-10),
    "adadelta": keys(COUPLED, learning_rate=1.0, rho=0.9, eps=1e-6),
    "rmsprop": keys(COUPLED, True, learning_rate=0.01, alpha=0.99, eps=1e-8, momentum=0.0, centered=0),
    "rprop": keys(
        {"maximize": 0}, learning_rate=0.01, eta_minus=0.5, eta_plus=1.2, step_min=1e-6, step_max=50.0
    ),
    "asgd": keys(COUPLED, learning_rate=0.01, lambd=1e-4, alpha=0.75, t0=1e6),
    "adafactor": keys(DECOUPLED, learning_rate=0.01, beta2_decay=-0.8, eps1=EPS1, eps2=1e-3, d=1.0),
    "lion": keys(DECOUPLED, True, learning_rate=1e-4, beta1=0.9, beta2=0.99),
    "ademamix": keys(DECOUPLED, True, learning_rate=0.001, **BETAS, beta3=0.9999, alpha=5.0, warmup=0),
    "adopt": keys(COUPLED, True, learning_rate=0.001, beta1=0.9, beta2=0.9999, eps=1e-6, clip=1),
    "schedule_free_sgd": keys(COUPLED, learning_rate=1.0, beta=0.9, **AVERAGE),
    "schedule_free_adamw": keys(DECOUPLED, learning_rate=0.0025, **BETAS, **AVERAGE),
    "qhm": keys(COUPLED, learning_rate=0.01, beta=0.9, nu=0.7),
    "lars": keys(COUPLED | {"weight_decay": 1e-4}, learning_rate=0.1, momentum=0.9, trust=0.001, eps=1e-8),
    "lamb": keys(
        DECOUPLED | {"weight_decay": 0.01}, True, learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-6
    ),
    "adabelief": keys(DECOUPLED, True, learning_rate=0.001, beta1=0.9, beta2=0.999, eps=1e-16),
}
RULES = {name: globals()[name] for name in DEFAULTS}


def update(rule, hyper, state, p, gradient):
    """One step of one tensor that has a gradient."""
    h = types.SimpleNamespace(**hyper)
    state.k += 1
    return RULES[rule](h, state, -gradient if h.maximize else gradient, p)
