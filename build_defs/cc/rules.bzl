"""sp_library, sp_binary, sp_test: cc_ rules with the project's warnings."""

COPTS = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-missing-field-initializers"]

def sp_library(name, copts = [], visibility = None, **kw):
    native.cc_library(name = name, copts = COPTS + copts, visibility = visibility, **kw)

def sp_binary(name, copts = [], visibility = None, **kw):
    native.cc_binary(name = name, copts = COPTS + copts, visibility = visibility, **kw)

def sp_test(name, srcs = None, deps = [], copts = [], size = "small", **kw):
    """A cmocka program; srcs default to [name + ".c"]."""
    native.cc_test(
        name = name,
        size = size,
        srcs = srcs or [name + ".c"],
        copts = COPTS + copts,
        deps = deps + ["//lib/base:test"],
        **kw
    )
