# SPDX-License-Identifier: Apache-2.0
"""Glissade's calls for Python, as far as the comparison needs them: mirrors of the public headers' structs, and the
library with an exception for every status but OK. Knows nothing of PyTorch."""

import ctypes

OK = 0
UNSET = 2**32 - 1
FIRST_STEP_UNDAMPENED = 1


class Error(ctypes.Structure):
    """glissade_error"""

    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 252)]


class EngineOptions(ctypes.Structure):
    """glissade_engine_options"""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("threads", ctypes.c_uint32),
        ("isa", ctypes.c_int),
        ("pin", ctypes.c_int),
        ("tile", ctypes.c_uint32),
        ("streams", ctypes.c_uint32),
        ("huge_pages", ctypes.c_uint32),
        ("keep_subnormals", ctypes.c_uint32),
        ("verbose", ctypes.c_uint32),
        ("oversubscribe", ctypes.c_bool),
        ("log", ctypes.c_void_p),
        ("log_user", ctypes.c_void_p),
    ]


class EngineInfo(ctypes.Structure):
    """glissade_engine_info"""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("isa", ctypes.c_int),
        ("threads", ctypes.c_uint32),
        ("pus", ctypes.c_uint32),
        ("cores", ctypes.c_uint32),
        ("packages", ctypes.c_uint32),
        ("nodes", ctypes.c_uint32),
        ("cpu_quota", ctypes.c_double),
        ("pin", ctypes.c_int),
        ("pinnable", ctypes.c_bool),
        ("oversubscribed", ctypes.c_bool),
        ("forked", ctypes.c_bool),
        ("tile", ctypes.c_uint32),
        ("streams", ctypes.c_uint32),
        ("huge_pages", ctypes.c_bool),
        ("keep_subnormals", ctypes.c_bool),
        ("verbose", ctypes.c_uint32),
        ("threads_reason", ctypes.c_char_p),
    ]


class Tensor(ctypes.Structure):
    """glissade_tensor"""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("parameter", ctypes.c_void_p),
        ("gradient", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("momentum", ctypes.c_void_p),
    ]


class SgdOptions(ctypes.Structure):
    """glissade_sgd_options"""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("learning_rate", ctypes.c_double),
        ("momentum", ctypes.c_double),
        ("dampening", ctypes.c_double),
        ("weight_decay", ctypes.c_double),
        ("decay", ctypes.c_int),
        ("first_step", ctypes.c_int),
        ("nesterov", ctypes.c_bool),
        ("debias", ctypes.c_bool),
        ("maximize", ctypes.c_bool),
    ]


class AdamOptions(ctypes.Structure):
    """glissade_adam_options"""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("learning_rate", ctypes.c_double),
        ("weight_decay", ctypes.c_double),
        ("decay", ctypes.c_int),
        ("maximize", ctypes.c_bool),
        ("cautious", ctypes.c_bool),
        ("amsgrad", ctypes.c_bool),
        ("debias", ctypes.c_bool),
        ("beta1", ctypes.c_double),
        ("beta2", ctypes.c_double),
        ("eps", ctypes.c_double),
    ]


class StepOptions(ctypes.Structure):
    """glissade_step_options"""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("tensors", ctypes.c_void_p),
        ("tensor_count", ctypes.c_size_t),
        ("gradient_scale", ctypes.c_double),
        ("zero_gradients", ctypes.c_bool),
        ("check_overlap", ctypes.c_bool),
        ("clip_norm", ctypes.c_double),
        ("norm", ctypes.c_double),
        ("clip_tensor_norm", ctypes.c_double),
        ("clip_value", ctypes.c_double),
        ("accumulated", ctypes.c_uint32),
        ("skip_nonfinite", ctypes.c_bool),
    ]


class Library:
    """libglissade: its calls, with an exception for every status but OK."""

    def __init__(self, path):
        self.calls = calls = ctypes.CDLL(path)
        pointer, handle = ctypes.POINTER, ctypes.c_void_p
        signatures = {
            "glissade_version": (ctypes.c_char_p, []),
            "glissade_status_text": (ctypes.c_char_p, [ctypes.c_int]),
            "glissade_isa_name": (ctypes.c_char_p, [ctypes.c_int]),
            "glissade_engine_options_init": (None, [pointer(EngineOptions), ctypes.c_size_t]),
            "glissade_tensor_init": (None, [pointer(Tensor), ctypes.c_size_t]),
            "glissade_sgd_options_init": (None, [pointer(SgdOptions), ctypes.c_size_t]),
            "glissade_adam_options_init": (None, [pointer(AdamOptions), ctypes.c_size_t]),
            "glissade_step_options_init": (None, [pointer(StepOptions), ctypes.c_size_t]),
            "glissade_engine_create": (ctypes.c_int, [pointer(EngineOptions), pointer(handle), pointer(Error)]),
            "glissade_engine_get_info": (ctypes.c_int, [handle, pointer(EngineInfo)]),
            "glissade_engine_destroy": (None, [pointer(handle)]),
            "glissade_optimizer_create": (ctypes.c_int, [handle, pointer(handle), pointer(Error)]),
            "glissade_optimizer_destroy": (None, [pointer(handle)]),
            "glissade_optimizer_message": (ctypes.c_char_p, [handle]),
            "glissade_optimizer_add_sgd": (
                ctypes.c_int,
                [handle, pointer(Tensor), ctypes.c_size_t, pointer(SgdOptions), pointer(ctypes.c_uint32)],
            ),
            "glissade_optimizer_add_adam": (
                ctypes.c_int,
                [handle, pointer(Tensor), ctypes.c_size_t, pointer(AdamOptions), pointer(ctypes.c_uint32)],
            ),
            "glissade_optimizer_step": (ctypes.c_int, [handle, pointer(StepOptions), ctypes.c_void_p]),
        }
        for name, (result, arguments) in signatures.items():
            getattr(calls, name).restype = result
            getattr(calls, name).argtypes = arguments

    def filled(self, structure, initialiser):
        """A struct with the library's defaults."""
        value = structure()
        getattr(self.calls, initialiser)(ctypes.byref(value), ctypes.sizeof(value))
        if value.size != ctypes.sizeof(value):
            raise RuntimeError(f"{initialiser} does not know a {structure.__name__} of {ctypes.sizeof(value)} bytes")
        return value

    def check(self, status, message):
        """Raises what the library said, unless it said OK."""
        if status != OK:
            text = self.calls.glissade_status_text(status).decode()
            raise RuntimeError(f"{text}: {message.decode()}" if message else text)

    def engine(self, threads):
        """An engine of that many threads, and what it says about itself."""
        options = self.filled(EngineOptions, "glissade_engine_options_init")
        options.threads = threads or UNSET
        engine, error, info = ctypes.c_void_p(), Error(), EngineInfo(size=ctypes.sizeof(EngineInfo))
        status = self.calls.glissade_engine_create(ctypes.byref(options), ctypes.byref(engine), ctypes.byref(error))
        self.check(status, error.message)
        self.check(self.calls.glissade_engine_get_info(engine, ctypes.byref(info)), b"")
        return engine, info
