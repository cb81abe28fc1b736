"""sp_fuzz: a decoder under libFuzzer, and the same code over its corpus in every test run."""

load("//build_defs/cc:rules.bzl", "COPTS")

def sp_fuzz(name, deps = [], json = False):
    """name.c holds LLVMFuzzerTestOneInput; its corpus lies in corpus/<name>/.

    <name> is the fuzzer, built by --config=fuzz alone (tools/fuzz). <name>_test is a plain program: the corpus, then
    mutations of it from a fixed seed. json: inputs are JSON texts, mutated as values and not as bytes.
    """
    srcs = [name + ".c"] + (["//build_defs/fuzz:json_mutate.c"] if json else [])
    deps = deps + (["@libs//:jansson"] if json and "@libs//:jansson" not in deps else [])
    native.cc_binary(
        name = name,
        testonly = True,
        srcs = srcs,
        copts = COPTS,
        features = ["fuzz_main"],
        tags = ["fuzz", "manual"],
        deps = deps,
    )
    native.cc_test(
        name = name + "_test",
        size = "small",
        srcs = srcs + ["//build_defs/fuzz:mutate.c", "//build_defs/fuzz:mutate.h", "//build_defs/fuzz:replay.c"],
        copts = COPTS,
        args = [native.package_name() + "/corpus/" + name],
        data = native.glob(["corpus/%s/*" % name]),
        deps = deps,
    )
