"""Builds that are broken on purpose (--config=broken_KIND), which tools/chaos has to catch.

A kind is one edit of one script. An edit that changes nothing fails the build: the script has moved on.
"""

# those whose edit stands elsewhere: half_script in lib/redis
ELSEWHERE = ["half_script"]

# kind -> (script, sed expression)
BROKEN = {
    # what was given away stays in the ready set
    "double_claim": ("claim", "/redis.call('ZREM', key('ready'), best)/d"),
    # a repeated request is a new one
    "idempotency": ("claim", "s/^if request ~= '' then$$/if false then/"),
    # what is released is destroyed by nobody
    "leak": ("release", "s/^release(id, reason, .*/&\\nredis.call('ZREM', key('releasing'), id)/"),
    # a pool that shrinks takes claimed ones as well
    "lose_claim": ("retire", "s/take(redis.call('ZREVRANGE', key('ready'), 0, n - 1))/take(redis.call('ZRANGE', key('claimed'), 0, n - 1))/"),
    # a full quota does not matter
    "quota": ("claim", "/^if room < 1 then return refusal end/d"),
    # what is released is offered again
    "reuse": ("release", "s/^release(id, reason, .*/redis.call('ZREM', key('claimed'), id)\\nredis.call('HSET', key('sb:' .. id), 'state', '2')\\nredis.call('ZADD', key('ready'), 0, id)/"),
    # a batch takes what there is, were it one
    "split_gang": ("batch", "s/ and n >= min then/ and n >= 1 then/"),
    # of a tenant's waiters the last one is the first
    "unfair": ("ready", "s/redis.call('ZRANGE', key('queue:' .. tenant), 0, 0)/redis.call('ZREVRANGE', key('queue:' .. tenant), 0, 0)/"),
}

def broken_settings():
    for kind in ELSEWHERE + BROKEN.keys():
        native.config_setting(name = "broken_" + kind, define_values = {"broken": kind})

def script_command(script):
    """The genrule command that puts what it needs of common.lua, and the names of its arguments, before a script."""
    whole = "awk -f $(location trim.awk) $(SRCS) >$@"
    commands = {"//conditions:default": whole}
    for kind, (of, edit) in BROKEN.items():
        if of == script:
            commands[":broken_" + kind] = whole + " && sed -e \"%s\" $@ >$@.new && ! cmp -s $@ $@.new && mv $@.new $@" % edit
    return select(commands)
