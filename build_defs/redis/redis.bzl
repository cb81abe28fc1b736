"""sp_redis_test: a cmocka program with a redis-server of its own, found through REDIS_ADDRESS."""

load("//build_defs/cc:rules.bzl", "sp_binary")

REDIS_DATA = ["@redis//:bin/redis-cli", "@redis//:bin/redis-server", "@redis//:tree"]

def sp_redis_test(name, srcs = None, deps = [], data = [], size = "small", **kw):
    """srcs default to [name + ".c"]; the program may also restart the server: REDIS_SERVER, REDIS_DIR."""
    sp_binary(
        name = name + "_program",
        testonly = True,
        srcs = srcs or [name + ".c"],
        deps = deps + ["//lib/base:test"],
    )
    native.sh_test(
        name = name,
        size = size,
        srcs = ["//build_defs/redis:with_redis.sh"],
        args = ["$(location :%s_program)" % name],
        data = [":%s_program" % name] + REDIS_DATA + data,
        **kw
    )

def sp_redis_cluster_test(name, of, data = [], size = "small", **kw):
    """The program of the sp_redis_test `of`, once more over a cluster of three: REDIS_CLUSTER is set."""
    native.sh_test(
        name = name,
        size = size,
        srcs = ["//build_defs/redis:with_redis_cluster.sh"],
        args = ["$(location :%s_program)" % of],
        data = [":%s_program" % of] + REDIS_DATA + data,
        **kw
    )
