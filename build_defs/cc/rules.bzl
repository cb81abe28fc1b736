"""sp_library, sp_binary, sp_test: cc_ rules with the project's warnings."""

COPTS = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-missing-field-initializers"]

# Folders whose BUILD files do not say yet who may use them.
_UNSAID = ["lib/redis", "services/reconciler/kubernetes", "services/router"]

def _visibility(given):
    """None: as the package says, which without a word of its own is private."""
    for folder in _UNSAID:
        if given == None and (native.package_name() + "/").startswith(folder + "/"):
            return ["//visibility:public"]
    return given

def sp_library(name, copts = [], visibility = None, **kw):
    native.cc_library(name = name, copts = COPTS + copts, visibility = _visibility(visibility), **kw)

def sp_binary(name, copts = [], visibility = None, **kw):
    native.cc_binary(name = name, copts = COPTS + copts, visibility = _visibility(visibility), **kw)

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
