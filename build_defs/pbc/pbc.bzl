"""pbc_library: .proto -> .pb-c.c, .pb-c.h -> cc_library (protobuf-c); pb2_files: .proto -> _pb2.py, for tests;
proto_descriptors: a descriptor set."""

PbcInfo = provider(fields = ["protos", "roots"])

_INCLUDE = "external/proto/root/usr/include"

def _collect(ctx, srcs, root):
    return PbcInfo(
        protos = depset(srcs, transitive = [d[PbcInfo].protos for d in ctx.attr.deps]),
        roots = depset([root or "."] if srcs else [], transitive = [d[PbcInfo].roots for d in ctx.attr.deps]),
    )

def _pbc_gen_impl(ctx):
    root = ctx.attr.import_root
    info = _collect(ctx, ctx.files.srcs, root)
    cs, hs = [], []

    # files of @proto's tree are named, not labelled: the tree is one directory
    names = [p.path[len(root) + 1:] if root else p.path for p in ctx.files.srcs] + ctx.attr.wellknown
    for n in names:
        stem = n[:-len(".proto")]
        out = stem if root else stem.split("/")[-1]
        c = ctx.actions.declare_file(out + ".pb-c.c")
        h = ctx.actions.declare_file(out + ".pb-c.h")
        args = ctx.actions.args()
        args.add_all(info.roots, format_each = "-I%s")
        args.add("-I" + _INCLUDE)
        args.add("--c_out=" + ctx.bin_dir.path + ("/" + root if root else ""))
        args.add(n)
        ctx.actions.run(
            executable = ctx.executable._protoc_c,
            arguments = [args],
            inputs = depset(ctx.files._tree, transitive = [info.protos]),
            outputs = [c, h],
            mnemonic = "ProtocC",
            progress_message = "Generating C for %s" % n,
        )
        cs.append(c)
        hs.append(h)
    return [
        DefaultInfo(files = depset(cs + hs)),
        OutputGroupInfo(c = depset(cs), h = depset(hs)),
        info,
    ]

_pbc_gen = rule(
    implementation = _pbc_gen_impl,
    attrs = {
        "srcs": attr.label_list(allow_files = [".proto"]),
        "wellknown": attr.string_list(doc = "google/protobuf/*.proto of @proto"),
        "import_root": attr.string(doc = "folder that imports are relative to; the workspace if empty"),
        "deps": attr.label_list(providers = [PbcInfo]),
        "_protoc_c": attr.label(default = "@proto//:bin/protoc-c", allow_single_file = True, executable = True, cfg = "exec"),
        "_tree": attr.label(default = "@proto//:tree", cfg = "exec"),
    },
)

def _gen_label(label):
    """//a/b -> //a/b:b_gen, //a/b:c -> //a/b:c_gen."""
    return label + "_gen" if ":" in label else label + ":" + label.split("/")[-1] + "_gen"

def pbc_library(name, srcs = [], wellknown = [], import_root = "", deps = [], **kw):
    """deps: other pbc_library targets. Include as "<path below import_root>/<file>.pb-c.h"."""
    _pbc_gen(name = name + "_gen", srcs = srcs, wellknown = wellknown, import_root = import_root, deps = [_gen_label(d) for d in deps], **kw)
    native.filegroup(name = name + "_c", srcs = [":" + name + "_gen"], output_group = "c")
    native.filegroup(name = name + "_h", srcs = [":" + name + "_gen"], output_group = "h")
    native.cc_library(
        name = name,
        srcs = [":" + name + "_c"],
        hdrs = [":" + name + "_h"],
        copts = ["-w"],
        includes = ["."] if import_root else [],
        deps = deps + ["@libs//:protobuf_c"],
        **kw
    )

def _pb2_impl(ctx):
    protos = depset(ctx.files.srcs, transitive = [d[PbcInfo].protos for d in ctx.attr.deps])
    outs = [ctx.actions.declare_file(p.basename[:-len(".proto")] + "_pb2.py") for p in ctx.files.srcs]
    args = ctx.actions.args()
    args.add("-I.")
    args.add("-I" + _INCLUDE)
    args.add("--python_out=" + ctx.bin_dir.path)
    args.add_all(ctx.files.srcs)
    ctx.actions.run(
        executable = ctx.executable._protoc,
        arguments = [args],
        inputs = depset(ctx.files._tree, transitive = [protos]),
        outputs = outs,
        mnemonic = "ProtoPython",
    )
    return [DefaultInfo(files = depset(outs), runfiles = ctx.runfiles(outs))]

pb2_files = rule(
    implementation = _pb2_impl,
    doc = "Python messages: `from api.sandplane.v1 import sandbox_pb2`, with the runfiles' root in sys.path.",
    attrs = {
        "srcs": attr.label_list(allow_files = [".proto"]),
        "deps": attr.label_list(providers = [PbcInfo], doc = "pbc_library names with _gen behind, for what srcs import"),
        "_protoc": attr.label(default = "@proto//:bin/protoc", allow_single_file = True, executable = True, cfg = "exec"),
        "_tree": attr.label(default = "@proto//:tree", cfg = "exec"),
    },
)

def _descriptors_impl(ctx):
    out = ctx.actions.declare_file(ctx.label.name + ".binpb")
    protos = depset(transitive = [d[PbcInfo].protos for d in ctx.attr.deps])
    roots = depset(transitive = [d[PbcInfo].roots for d in ctx.attr.deps])
    args = ctx.actions.args()
    args.add_all(roots, format_each = "-I%s")
    args.add("-I" + _INCLUDE)
    args.add("--include_imports")
    args.add("--descriptor_set_out=" + out.path)
    args.add_all(ctx.attr.files)
    ctx.actions.run(
        executable = ctx.executable._protoc,
        arguments = [args],
        inputs = depset(ctx.files._tree, transitive = [protos]),
        outputs = [out],
        mnemonic = "ProtoDescriptors",
    )
    return [DefaultInfo(files = depset([out]))]

proto_descriptors = rule(
    implementation = _descriptors_impl,
    doc = "A serialized FileDescriptorSet of files and all they import.",
    attrs = {
        "files": attr.string_list(doc = "import paths, as in an import statement"),
        "deps": attr.label_list(providers = [PbcInfo], doc = "pbc_library names with _gen behind"),
        "_protoc": attr.label(default = "@proto//:bin/protoc", allow_single_file = True, executable = True, cfg = "exec"),
        "_tree": attr.label(default = "@proto//:tree", cfg = "exec"),
    },
)
