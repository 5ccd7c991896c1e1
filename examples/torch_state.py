#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""State of torch.optim optimizers in Glissade's state files, and back.

    import torch_state
    torch_state.save(optimizer, "state.safetensors", model)    # what glissade_optimizer_load reads
    torch_state.load(optimizer, "state.safetensors", model)    # what glissade_optimizer_save wrote

Parameters are called as model.named_parameters() calls them; without a model as the optimizer's own param_names do, or
else by their numbers, as Glissade calls tensors without labels. Translated are SGD, Adam and AdamW, hyperparameters
included; what one side has and the other has not is refused. Weights are not part of it: save them beside.

As a command it works on files with what optimizer.state_dict() returned. Tensors are called by number, or by the names in a
text file, one a line, in the optimizer's order. Arrays keep the shapes that they have in the state file, so these should
be the parameters' (glissade_optimizer_set_labels).

    torch_state.py to-glissade OPTIMIZER.pt STATE.safetensors [--names NAMES]
    torch_state.py to-torch STATE.safetensors OPTIMIZER.pt [--names NAMES]

It needs the packages torch and safetensors, neither of which knows of checksums: those of a file that is read are not
checked (`glissade state verify` does that), and a file that is written has none (`glissade state convert` adds them).
"""
import argparse
import itertools
import sys

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

# By rule: a key that only its param_groups have; arrays of state; hyperparameters, theirs and ours; what of Glissade's
# torch does as a matter of course, so that it can be nothing else; and what it does, but what depends on other values.
RULES = {
    "sgd": {
        "key": "nesterov",
        "states": ("momentum_buffer",),
        "numbers": {"lr": "learning_rate", "momentum": "momentum", "dampening": "dampening", "weight_decay": "weight_decay"},
        "flags": ("nesterov", "maximize"),
        "always": {"debias": "false", "defer_threshold": "0x0p+0", "average_weight": "0x0p+0"},
        "usually": {"decay": "0", "first_step": "1", "defer_unit": "0", "point": "0"},
    },
    "adam": {
        "key": "amsgrad",
        "states": ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"),
        "numbers": {"lr": "learning_rate", "eps": "eps", "weight_decay": "weight_decay"},
        "flags": ("amsgrad", "maximize"),
        "always": {"debias": "true", "cautious": "false", "average_weight": "0x0p+0"},
        "usually": {"point": "0"},
    },
}
OPTIMIZERS = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


class Unsupported(ValueError):
    """What has no counterpart on the other side."""


class Texts(dict):
    """Lines of metadata."""

    def __missing__(self, key):
        raise Unsupported(f"the metadata has no {key}")


def _names(optimizer, model):
    """Names of the optimizer's parameters, in the order in which state_dict() numbers them."""
    groups = optimizer.param_groups
    if model is not None:
        called = {id(p): name for name, p in model.named_parameters()}
        names = [called.get(id(p)) for group in groups for p in group["params"]]
        if None in names:
            raise Unsupported(f"the model does not have parameter {names.index(None)} of the optimizer")
        return names
    if all("param_names" in group for group in groups):
        return [name for group in groups for name in group["param_names"]]
    return [str(i) for i in range(sum(len(group["params"]) for group in groups))]


# ---- to Glissade ----


def _rule_of(group):
    for name, rule in RULES.items():
        if rule["key"] in group:
            return name
    raise Unsupported(f"param_groups have {', '.join(group)}: neither SGD's nor Adam's nor AdamW's")


def group_texts(index, group):
    """Lines of metadata for one of torch's groups."""
    name = _rule_of(group)
    rule = RULES[name]
    texts = {"rule": name, "stream": str(index), **rule["always"], **rule["usually"]}
    texts.update({ours: float(group[theirs]).hex() for theirs, ours in rule["numbers"].items()})
    texts.update({flag: str(bool(group.get(flag, False))).lower() for flag in rule["flags"]})
    if name == "adam":
        if "decoupled_weight_decay" not in group:
            raise Unsupported("param_groups do not say whether they are Adam's or AdamW's, as those of torch 2.13 do")
        texts["decay"] = "1" if group["decoupled_weight_decay"] else "0"
        texts["beta1"], texts["beta2"] = (float(beta).hex() for beta in group["betas"])
    return {f"glissade.group.{index}.{key}": value for key, value in texts.items()}


def _state_tensors(name, group, state):
    """Arrays of a parameter's state by their names in the file, and its number of steps."""
    arrays = {part: value for part, value in state.items() if value is not None}
    if not arrays:
        return {}, 0
    if "momentum_buffer" in arrays and group["momentum"] == 0:
        raise Unsupported(f"{name} has a momentum_buffer and momentum 0, with which Glissade keeps none")
    # torch's SGD counts nothing; that there is a buffer is all that it goes by.
    steps = int(arrays.pop("step")) if "step" in arrays else 1
    for part, value in arrays.items():
        if part not in RULES[_rule_of(group)]["states"]:
            raise Unsupported(f"{name} has a {part}, which is no state of {_rule_of(group)}")
        if value.dtype not in DTYPES:
            raise Unsupported(f"{part} of {name} is of {value.dtype}")
    tensors = {f"state.{name}.{part}": value.detach().cpu().contiguous() for part, value in arrays.items()}
    if "step" in state:
        tensors[f"state.{name}.step"] = torch.tensor(float(steps), dtype=torch.float32)
    return tensors, steps


def to_glissade(state_dict, names=None):
    """Tensors and metadata of a state file, from optimizer.state_dict() and the names of its parameters by number."""
    groups = state_dict["param_groups"]
    count = sum(len(group["params"]) for group in groups)
    names = [str(i) for i in range(count)] if names is None else names
    if len(names) != count or len(set(names)) != count:
        raise Unsupported(f"there are {len(set(names))} different names for {count} parameters")
    tensors, texts = {}, {"format": "pt", "glissade.format": "1", "glissade.seed": "0", "glissade.groups": str(len(groups))}
    for index, group in enumerate(groups):
        texts.update(group_texts(index, group))
        for number in group["params"]:
            name = names[number]
            arrays, steps = _state_tensors(name, group, state_dict["state"].get(number, {}))
            tensors.update(arrays)
            texts.update({f"glissade.tensor.{name}.group": str(index), f"glissade.tensor.{name}.steps": str(steps),
                          f"glissade.tensor.{name}.updates": str(steps)})
    return tensors, texts


def save(optimizer, path, model=None):
    """Writes the state of a torch optimizer to a file that glissade_optimizer_load reads."""
    if type(optimizer) not in OPTIMIZERS:
        raise Unsupported(f"{type(optimizer).__name__}: only SGD, Adam and AdamW are translated")
    tensors, texts = to_glissade(optimizer.state_dict(), _names(optimizer, model))
    save_file(tensors, path, metadata=texts)


# ---- to torch ----


def _group_of(texts, index, names):
    """torch's hyperparameters, from the lines of metadata of the group that these parameters are in."""
    before = f"glissade.group.{index}."
    text = Texts({key[len(before):]: value for key, value in texts.items() if key.startswith(before)})
    if text["rule"] not in RULES:
        raise Unsupported(f"group {index} is under the rule {text['rule']}; only sgd and adam are translated")
    rule = RULES[text["rule"]]
    for key, value in rule["always"].items():
        if text[key] != value:
            raise Unsupported(f"group {index} has {key} = {text[key]}; torch has only {value}")
    group = {theirs: float.fromhex(text[ours]) for theirs, ours in rule["numbers"].items()}
    group.update({flag: text[flag] == "true" for flag in rule["flags"]})
    decoupled = text["decay"] == "1"
    if text["rule"] == "adam":
        group["betas"] = float.fromhex(text["beta1"]), float.fromhex(text["beta2"])
        group["decoupled_weight_decay"] = decoupled
        return group
    if decoupled and group["weight_decay"] != 0:
        raise Unsupported(f"group {index} has decoupled weight decay, which torch's SGD has not")
    if group["nesterov"] and group["dampening"] != 0:
        raise Unsupported(f"group {index} has nesterov and dampening, which torch's SGD refuses")
    waiting = [name for name in names if texts[f"glissade.tensor.{name}.updates"] == "0"]
    if waiting and text["first_step"] == "0" and group["momentum"] != 0 and group["dampening"] != 0:
        raise Unsupported(f"{waiting[0]} is to begin with a dampened step; torch's SGD does not dampen the first")
    return group


def _state_of(file, keys, texts, name, group):
    """torch's state of a parameter."""
    rule = "adam" if "betas" in group else "sgd"
    parts = [part for part in RULES[rule]["states"] if f"state.{name}.{part}" in keys]
    state = {part: file.get_tensor(f"state.{name}.{part}") for part in parts}
    steps = int(texts[f"glissade.tensor.{name}.steps"])
    if rule == "adam" and steps:
        state["step"] = torch.tensor(float(steps), dtype=torch.float32)
        if group["amsgrad"] and "max_exp_avg_sq" not in state:  # switched on after the last step
            state["max_exp_avg_sq"] = torch.zeros_like(state["exp_avg_sq"])
    return state


def _check_names(path, texts, names):
    """The file must be of these parameters, all of them and no others."""
    before, after = "glissade.tensor.", ".group"
    there = {key[len(before):-len(after)] for key in texts if key.startswith(before) and key.endswith(after)}
    lacks, others = sorted(set(names) - there), sorted(there - set(names))
    if lacks or others:
        raise Unsupported(f"{path} is of other parameters: it lacks {lacks[:3]} and has {others[:3]} besides")


def _check_rest(path, keys, names):
    """Nothing of the file's state may be left over."""
    known = {f"state.{name}.{part}" for name in names for rule in RULES.values() for part in (*rule["states"], "step")}
    for key in sorted(keys - known):
        if key.startswith("state."):
            raise Unsupported(f"{path} has {key}, which has no counterpart in torch")


def _divide(names, places, sizes):
    """Names group by group: of so many in each, or of those that follow one another and are of one group in the file."""
    if sizes is None:
        return [list(group) for _, group in itertools.groupby(names, places.get)]
    rest = iter(names)
    return [list(itertools.islice(rest, size)) for size in sizes]


def to_torch(path, names=None, sizes=None):
    """A state dict for optimizer.load_state_dict(), from a state file, the names of torch's parameters (None: "0", "1", ...)
    and how many of them are in each of its groups (None: divided as in the file)."""
    with safe_open(path, framework="pt") as file:
        texts, keys = Texts(file.metadata() or {}), set(file.keys())
        if texts["glissade.format"] != "1":
            raise Unsupported(f"{path}: glissade.format is {texts['glissade.format']}; known is 1")
        if names is None:
            count = sum(key.startswith("glissade.tensor.") and key.endswith(".group") for key in texts)
            names = [str(i) for i in range(count)]
        _check_names(path, texts, names)
        places = {name: texts[f"glissade.tensor.{name}.group"] for name in names}
        groups, state = [], {}
        for members in _divide(names, places, sizes):
            theirs = sorted({places[name] for name in members})
            if len(theirs) > 1:
                raise Unsupported(f"{members[0]} is in one group with others that {path} has in groups {', '.join(theirs)}")
            first = sum(len(group["params"]) for group in groups)
            groups.append(_group_of(texts, theirs[0], members) if theirs else {})
            groups[-1]["params"] = list(range(first, first + len(members)))
            for number, name in enumerate(members, first):
                state[number] = _state_of(file, keys, texts, name, groups[-1])
        _check_rest(path, keys, names)
    return {"state": {number: found for number, found in state.items() if found}, "param_groups": groups}


def load(optimizer, path, model=None, convert=False):
    """Loads a file that glissade_optimizer_save wrote into a torch optimizer over the same parameters. torch keeps state in
    the number format of its parameter: with convert, what has another is rounded to it."""
    if type(optimizer) not in OPTIMIZERS:
        raise Unsupported(f"{type(optimizer).__name__}: only SGD, Adam and AdamW are translated")
    names, present = _names(optimizer, model), optimizer.state_dict()["param_groups"]
    loaded = to_torch(path, names, [len(group["params"]) for group in present])
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, state in loaded["state"].items():
        name, p = names[number], parameters[number]
        for part in state.keys() - {"step"}:
            if state[part].dtype != p.dtype and not convert:
                raise Unsupported(f"{part} of {name} is of {state[part].dtype}, the parameter of {p.dtype}; see convert")
            if state[part].numel() != p.numel():
                raise Unsupported(f"{part} of {name} has {state[part].numel()} elements, the parameter {p.numel()}")
            state[part] = state[part].reshape(p.shape)
    for ours, theirs in zip(present, loaded["param_groups"]):
        if theirs["params"] and _rule_of(ours) != _rule_of(theirs):
            raise Unsupported(f"{path} has state of {_rule_of(theirs)}, the optimizer is {type(optimizer).__name__}")
        # What Glissade knows nothing of (foreach, fused, a scheduler's initial_lr) stays.
        theirs.update({key: value for key, value in ours.items() if key not in theirs})
    optimizer.load_state_dict(loaded)


# ---- command ----


def main():
    parser = argparse.ArgumentParser(description="Translates optimizer state between torch and Glissade.")
    parser.add_argument("direction", choices=("to-glissade", "to-torch"))
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--names", help="file with the parameters' names, one a line, in the optimizer's order")
    given = parser.parse_args()
    try:
        names = None
        if given.names:
            with open(given.names, encoding="utf-8") as file:
                names = file.read().splitlines()
        if given.direction == "to-glissade":
            state = torch.load(given.source, weights_only=True)
            tensors, texts = to_glissade(state, names)
            save_file(tensors, given.target, metadata=texts)
        else:
            torch.save(to_torch(given.source, names), given.target)
    except (Unsupported, SafetensorError, OSError) as error:
        sys.exit(f"torch_state.py: {error}")


if __name__ == "__main__":
    main()
