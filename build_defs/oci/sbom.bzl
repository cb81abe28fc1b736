"""sbom: what a program of an image is linked from, as SPDX and as the licences themselves.

An aspect walks the program's dependencies to the archives of @libs, so that the list is the linker's (and the
compiler's, for a library of headers alone) and nobody keeps it.
"""

LinkedInfo = provider(fields = ["packages"])

def _linked_impl(target, ctx):
    own = []
    # a library of headers alone is compiled in
    for src in (getattr(ctx.rule.attr, "srcs", None) or []) + (getattr(ctx.rule.attr, "hdrs", None) or []):
        own += [f.path.split("/")[2] for f in src.files.to_list() if f.path.startswith("external/libs/")]
    if target.label.workspace_name == "libs" and target.label.name == "cxx":
        own += ["libstdc++-12-dev", "libgcc-12-dev"]
    deps = (getattr(ctx.rule.attr, "deps", None) or []) + [d for d in [getattr(ctx.rule.attr, "src", None)] if d]
    return [LinkedInfo(packages = depset(own, transitive = [d[LinkedInfo].packages for d in deps if LinkedInfo in d]))]

_linked = aspect(implementation = _linked_impl, attr_aspects = ["deps", "src"])

def _sbom_impl(ctx):
    spdx = ctx.actions.declare_file(ctx.label.name + ".spdx.json")
    licences = ctx.actions.declare_file(ctx.label.name + ".copyright")
    packages = {p: True for p in ctx.attr.packages + [f.path for f in ctx.files.whole]}
    for program in ctx.attr.programs:
        packages.update({p: True for p in program[LinkedInfo].packages.to_list()})
    args = ctx.actions.args()
    args.add(ctx.file._sbom)
    args.add(ctx.attr.image)
    args.add(spdx)
    args.add(licences)
    args.add(",".join(sorted(packages)))
    manifests = ctx.files.whole + ctx.files.manifests
    args.add_all(manifests)
    args.add_all(ctx.files.copyrights)
    python = ctx.file._python
    ctx.actions.run_shell(
        command = "PYTHONHOME=$PWD/%s/root/usr PYTHONNOUSERSITE=1 %s -P -B \"$@\"" % (python.dirname.rpartition("/")[0], python.path),
        arguments = [args],
        inputs = [ctx.file._sbom, python] + ctx.files._tree + manifests + ctx.files.copyrights,
        outputs = [spdx, licences],
        mnemonic = "Sbom",
    )
    return [
        DefaultInfo(files = depset([spdx])),
        OutputGroupInfo(licences = depset([licences])),
    ]

_sbom_rule = rule(
    implementation = _sbom_impl,
    attrs = {
        "copyrights": attr.label_list(allow_files = True),
        "image": attr.string(mandatory = True),
        "manifests": attr.label_list(allow_files = True),
        "packages": attr.string_list(doc = "Debian packages that are in the image as files"),
        "whole": attr.label_list(allow_files = True, doc = "MANIFESTs of repositories that are in the image as a whole"),
        "programs": attr.label_list(aspects = [_linked]),
        "_python": attr.label(default = "@python//:bin/python3", allow_single_file = True),
        "_sbom": attr.label(default = "//build_defs/oci:sbom.py", allow_single_file = True),
        "_tree": attr.label(default = "@python//:tree"),
    },
)

def sbom(name, **kw):
    """name: the SPDX file; name + "_licences": the licences."""
    _sbom_rule(name = name, **kw)
    native.filegroup(name = name + "_licences", srcs = [":" + name], output_group = "licences")
