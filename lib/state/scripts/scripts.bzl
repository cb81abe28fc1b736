"""The scripts of the shared state: what each takes, and how it is run. The one place that knows the order of arguments.

From it come, for each script NAME:
- its first lines of Lua: a local for each argument, and `server` where it is fenced;
- in lib/state/state_script_calls.h a struct StateNAMEArgs and state_run_NAME, which sends them. A field that is not set is
  empty or 0.
"""

# c: how the struct has it; lua: how the script gets it from its place in ARGV
def _arg(name, c, lua):
    return struct(name = name, c = c, lua = lua)

def _text(name):
    return _arg(name, "const char *", "%s")

def _int(name):
    return _arg(name, "int64_t ", "tonumber(%s)")

def _digits(name):
    """A number that the script keeps as it is written."""
    return _arg(name, "int64_t ", "%s")

def _flag(name):
    return _arg(name, "bool ", "%s == '1'")

def _texts(name):
    """All that are left."""
    return _arg(name, "const char *const *", None)

# milliseconds: the server's clock, the only one that all services share, unless a test has set another
_NOW = _arg("now", None, "tonumber(%s)")

def _script(*args, durable = False, fenced = False, source = None, own_key = False):
    """durable, fenced: as of RedisScript. source: of another name. own_key: KEYS[1] is not the pool's, and common.lua not there."""
    return struct(args = args, durable = durable, fenced = fenced, source = source, own_key = own_key)

SCRIPTS = {
    "batch": _script(
        _NOW,
        _text("token"),
        _text("request"),  # TENANT:REQUEST_ID, or empty
        _int("ttl_ms"),
        _int("idle_ms"),
        _text("labels"),  # JSON
        _text("env"),  # JSON
        _int("max_wait_ms"),
        _text("replica"),
        _text("tenant"),
        _int("count"),
        _int("min"),
        durable = True,
        fenced = True,
    ),
    "batch_leave": _script(
        _NOW,
        _text("token"),
        _text("replica"),
        _flag("give_back"),  # also what was granted
        durable = True,
    ),
    "cancel_wait": _script(_NOW, _text("uid"), _text("replica"), durable = True),
    "claim": _script(
        _NOW,
        _text("uid"),
        _text("request"),  # TENANT:REQUEST_ID, or empty
        _int("ttl_ms"),
        _int("idle_ms"),
        _text("labels"),  # JSON
        _text("env"),  # JSON
        _int("max_wait_ms"),
        _text("replica"),
        _text("tenant"),
        _int("priority"),  # -1, 0, 1
        _flag("takes_again"),  # the uid may stand for one sandbox after another
        durable = True,
        fenced = True,
    ),
    "confirm": _script(_NOW, _text("uid"), durable = True),
    "epoch": _script(
        _text("known"),  # the newest epoch the world knows, or empty
        _text("fresh"),
        own_key = True,  # sp:epoch
    ),
    "events": _script(_text("after")),  # a stream id; '$': nothing, only the newest id
    "expire": _script(_NOW, fenced = True),
    "fail": _script(
        _NOW,
        _text("id"),
        _text("reason"),
        _text("message"),
        _int("how"),  # StateFailure
    ),
    "get": _script(_text("id")),
    "gone": _script(_NOW, _text("id")),
    "lease": _script(
        _text("replica"),
        _int("ttl_ms"),  # 0: let go
        own_key = True,  # the lease's
    ),
    "list": _script(
        _text("after"),  # exclusive; empty: from the start
        _digits("limit"),
    ),
    "pool_apply": _script(
        _NOW,
        _text("template"),
        _digits("replicas"),
        _digits("strategy"),
        _flag("implicit"),
        _text("shape"),  # of the template, see common.lua; empty: not known
        durable = True,
        fenced = True,
    ),
    "pool_delete": _script(_NOW, durable = True),
    "pool_get": _script(),
    "pool_heal": _script(),
    "pool_purge": _script(),
    "pool_scale": _script(_digits("replicas"), durable = True),
    "pool_set_hash": _script(
        _NOW,
        _text("hash"),
        _text("shape"),  # of the template, see common.lua; empty: not known
    ),
    "pool_set_reason": _script(
        _text("reason"),  # empty: it is full, or on its way
        _text("message"),
    ),
    "quota_get": _script(_text("tenant"), own_key = True),  # sp:{NS}:quotas
    # when the replicas have the change before it
    "quota_get_durable": _script(_text("tenant"), own_key = True, durable = True, source = "quota_get"),
    "quota_list": _script(
        _text("after"),  # exclusive; empty: from the start
        _int("limit"),
        own_key = True,  # sp:{NS}:quotas
    ),
    "ready": _script(_NOW, _text("id"), _text("route"), _text("class"), fenced = True),
    "register": _script(_NOW, _text("template"), _text("hash"), _texts("ids")),
    "release": _script(
        _NOW,
        _text("id"),
        _text("holder"),  # a uid; empty: any
        _text("reason"),
        durable = True,
    ),
    "restore": _script(
        _NOW,
        _text("id"),
        _text("uid"),
        _text("template"),
        _text("hash"),
        _text("route"),  # empty: it has none just now
        _text("class"),
        _text("labels"),  # JSON
        _digits("expire_ms"),
        _flag("pool_deleted"),
        _text("tenant"),
        _text("env"),  # JSON
    ),
    "retire": _script(
        _NOW,
        _int("n"),
        _int("which"),  # StateRetire
        _text("reason"),
    ),
    "template_apply": _script(
        _NOW,
        _text("manifest"),
        _text("hash"),
        _text("class"),
        _text("image"),
        own_key = True,  # the template's
        durable = True,
    ),
    "touch": _script(_NOW, _text("id"), _text("uid")),
    "unready": _script(_NOW, _text("id")),
    "update": _script(
        _NOW,
        _text("id"),
        _int("mask"),  # 1 labels, 2 expire, 4 idle
        _text("labels"),  # JSON
        _digits("expire_ms"),
        _digits("idle_ms"),
        durable = True,
    ),
}

_CLOCK = """if now == 0 then
  local clock = redis.call('TIME')
  now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
end
"""

def _lua(script):
    names, values, rest = [], [], ""
    for i, arg in enumerate(script.args):
        if arg.lua:
            names.append(arg.name)
            values.append(arg.lua % ("ARGV[%d]" % (i + 1)))
        else:
            rest = "local %s = {}\nfor i = %d, #ARGV do %s[i - %d] = ARGV[i] end\n" % (arg.name, i + 1, arg.name, i)
    if script.fenced:
        names.append("server")
        values.append("ARGV[#ARGV]")
    out = "local %s = %s\n" % (", ".join(names), ", ".join(values)) if names else ""
    return out + (_CLOCK if _NOW in script.args else "") + rest

def _c_name(name):
    return "State" + "".join([word.capitalize() for word in name.split("_")]) + "Args"

def _c(name, script):
    fields = [arg for arg in script.args if arg.c]
    source = script.source or name
    out = "\n/* scripts/%s.lua */\n" % source
    if fields:
        out += "typedef struct %s {\n" % _c_name(name)
        for arg in fields:
            out += "  %s%s;\n" % (arg.c, arg.name) + ("" if arg.lua else "  size_t n_%s;\n" % arg.name)
        out += "} %s;\n" % _c_name(name)
        out += "#define state_run_%s(call, %s...) state_run_%s_((call), %s&(%s){__VA_ARGS__})\n" % (
            name,
            "key, " if script.own_key else "",
            name,
            "(key), " if script.own_key else "",
            _c_name(name),
        )
    out += "static inline void state_run_%s%s(StateCall *call%s%s) {\n" % (
        name,
        "_" if fields else "",
        ", const char *key" if script.own_key else "",
        ", const %s *args" % _c_name(name) if fields else "",
    )
    for arg in script.args:
        if not arg.c:
            out += "  state_call_now(call);\n"
        elif not arg.lua:
            out += "  for (size_t i = 0; i < args->n_%s; i++)\n    state_call_str(call, args->%s[i]);\n" % (arg.name, arg.name)
        else:
            out += "  state_call_%s(call, args->%s);\n" % ("str" if "char" in arg.c else "int", arg.name)
    how = "".join([", .%s = true" % flag for flag in ("durable", "fenced") if getattr(script, flag)])
    run = "state_call_script_on(call, %s, key)" if script.own_key else "state_call_script(call, %s)"
    return out + "  " + run % ("STATE_SCRIPT(%s%s)" % (source, how)) + ";\n}\n"

def script_calls():
    """The text of state_script_calls.h."""
    guard = "SANDPLANE_LIB_STATE_STATE_SCRIPT_CALLS_H_"
    out = "/* Made by scripts/scripts.bzl: what sends each script its arguments. */\n#ifndef %s\n#define %s\n\n" % (guard, guard)
    out += "#include \"lib/state/state_call.h\"\n#include \"lib/state/state_scripts.h\"\n"
    return out + "".join([_c(name, SCRIPTS[name]) for name in SCRIPTS]) + "\n#endif\n"

def script_locals(name):
    """The Lua lines that name a script's arguments."""
    return _lua(SCRIPTS[name])

def script_names(own_key):
    """The files of scripts/ that run on the pool's key, or on a key of their own."""
    return [name for name, script in SCRIPTS.items() if script.own_key == own_key and not script.source]

def _write_impl(ctx):
    ctx.actions.write(ctx.outputs.out, ctx.attr.content)

# A file of this text.
write = rule(implementation = _write_impl, attrs = {"out": attr.output(), "content": attr.string()})
