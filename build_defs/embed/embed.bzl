"""embed_library: files as C arrays. files maps label -> symbol; include as "<package>/<name>.h"."""

def _embed_impl(ctx):
    c = ctx.actions.declare_file(ctx.attr.stem + ".c")
    h = ctx.actions.declare_file(ctx.attr.stem + ".h")
    args = ctx.actions.args()
    args.add(c)
    args.add(h)
    args.add(ctx.label.package + "/" + ctx.attr.stem + ".h")
    inputs = []
    for target, symbol in ctx.attr.files.items():
        f = target.files.to_list()[0]
        args.add(symbol)
        args.add(f)
        inputs.append(f)
    ctx.actions.run(executable = ctx.executable._embed, arguments = [args], inputs = inputs, outputs = [c, h], mnemonic = "Embed")
    return [DefaultInfo(files = depset([c, h])), OutputGroupInfo(c = depset([c]), h = depset([h]))]

_embed = rule(
    implementation = _embed_impl,
    attrs = {
        "stem": attr.string(),
        "files": attr.label_keyed_string_dict(allow_files = True),
        "_embed": attr.label(default = "//build_defs/embed", executable = True, cfg = "exec"),
    },
)

def embed_library(name, files, **kw):
    _embed(name = name + "_gen", stem = name, files = files)
    native.filegroup(name = name + "_c", srcs = [":" + name + "_gen"], output_group = "c")
    native.filegroup(name = name + "_h", srcs = [":" + name + "_gen"], output_group = "h")
    native.cc_library(name = name, srcs = [":" + name + "_c"], hdrs = [":" + name + "_h"], **kw)
