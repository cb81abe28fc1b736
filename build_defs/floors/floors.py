"""The floors of the source tree: who may include whom. This table is the map; check.py reads it.

A file is found by its folder and, inside services/, by its name. Whatever matches no row is refused, so that a
new folder or a new foreign header gets its place here before it is used.
"""

# ---- headers in angle brackets ----

LIBC = """
    arpa/inet.h ctype.h dirent.h errno.h fcntl.h ftw.h grp.h inttypes.h limits.h math.h netdb.h netinet/in.h
    netinet/tcp.h poll.h pthread.h pwd.h sched.h search.h setjmp.h signal.h spawn.h stdarg.h stdatomic.h stdbool.h
    stddef.h stdint.h stdio.h stdlib.h string.h strings.h termios.h time.h unistd.h
    sys/eventfd.h sys/file.h sys/inotify.h sys/ioctl.h sys/mman.h sys/mount.h sys/prctl.h sys/random.h sys/resource.h
    sys/signalfd.h sys/socket.h sys/stat.h sys/statfs.h sys/statvfs.h sys/syscall.h sys/time.h sys/types.h sys/uio.h sys/un.h
    sys/wait.h
""".split()

# library -> how its headers begin
FOREIGN = {
    "cmocka": ["cmocka.h"],
    "curl": ["curl/"],
    "grpc": ["grpc/"],
    "hiredis": ["hiredis/"],
    "http_parser": ["http_parser.h"],
    "jansson": ["jansson.h"],
    "libarchive": ["archive.h", "archive_entry.h"],
    "libevent": ["event2/"],
    "linux": ["linux/"],
    "nghttp2": ["nghttp2/"],
    "openssl": ["openssl/"],
    "protobuf-c": ["protobuf-c/"],
    "seccomp": ["seccomp.h"],
    "uthash": ["uthash.h"],
    "yaml": ["yaml.h"],
}

# ---- lib/: (libraries of this project, foreign ones) ----

LIB = {
    "base": ([], ["uthash"]),
    "admin": (["base", "loop"], ["libevent"]),
    "authz": (["base", "crypto"], ["jansson"]),
    "crypto": (["base", "loop"], ["openssl"]),
    "http": (["base"], ["http_parser"]),
    "http2": (["base", "loop"], ["nghttp2"]),
    "https": (["base", "crypto", "loop"], ["libevent", "openssl"]),
    "kube": (["base", "loop", "yaml"], ["curl", "jansson"]),
    "loop": (["base"], ["libevent"]),
    "manifest": (["base", "yaml"], ["jansson", "yaml"]),
    "redis": (["base", "crypto", "loop"], ["hiredis", "openssl"]),
    "resource": (["base"], []),
    "rpc": (["base", "http2", "loop"], ["grpc", "protobuf-c"]),
    "service": (["admin", "base", "loop", "redis", "rpc", "state", "trace", "yaml"], ["jansson"]),
    "state": (["base", "loop", "redis"], ["jansson"]),
    # its context is pure, so that whoever only hands one on needs no connection
    "trace": (["base", "loop", "rpc"], ["protobuf-c"]),
    "wire": (["base"], []),
    "yaml": (["base"], ["jansson", "yaml"]),
}

# cmocka's one door (the first), and what is behind it
TEST_LIBRARY = ["lib/base/test.h", "lib/base/test.c"]

# No other folder may reach a foreign header through a library's header. The first two exist to carry protobuf-c;
# the others speak JSON, for which a type of ours would only be a copy (docs/decisions).
FOREIGN_IN_HEADER = {
    "lib/rpc/rpc_pb.h": "protobuf-c",
    "lib/rpc/rpc_pb_check.h": "protobuf-c",
    "lib/kube/kube_object.h": "jansson",
    "lib/yaml/yaml_json.h": "jansson",
}

# ---- services/<name>/ ----

DOMAIN = ["authz", "base", "crypto", "http", "http2", "manifest", "resource", "state"]
ALL = sorted(LIB)

# kind -> (floor, libraries of this project). A file includes its own floor and those below.
KIND = {
    "domain": (0, DOMAIN),
    "store": (1, DOMAIN + ["loop", "redis"]),
    "context": (1, ALL),
    "backend": (1, ["base", "loop", "manifest", "wire"]),
    "objects": (0, ["base", "kube"]),
    "cluster": (1, ["base", "crypto", "https", "kube", "loop", "manifest", "state"]),
    "loop": (2, ALL),
    "rpc": (2, ALL),
    "main": (3, ALL),
    "test": (3, ALL),
}

# Of a library that has both, what a file of the lowest floor may see: values, and nothing that needs a connection.
PURE = {
    "http2": ["lib/http2/http2_request.h"],
    "kube": ["lib/kube/kube_object.h"],
    "state": ["lib/state/state_keys.h", "lib/state/state_record.h"],
}

# First match decides; the pattern is for the path below services/<name>/, without .c or .h. {service} is the
# service's name. Whatever has no row is domain.
KIND_OF_NAME = [
    (r"(.*/)?\w+_(test|fixture|fuzz)|(.*/)?testing/.*", "test"),
    (r"main", "main"),
    (r"local/.*", "backend"),
    # of the Kubernetes backend the controllers, by name; whatever else lies in its folders is pure: objects in, objects
    # out, as the targets NOUN:rules hold it
    (r"kubernetes/(\w+|(cluster|mirror|webhook)/.*)", "cluster"),
    (
        r"kubernetes/claim/claim_(adopt|bind|cold|controller|expiry|lookup|move|pass|report|runtime|state|warm)",
        "cluster",
    ),
    (r"kubernetes/pool/pool_(controller|members|pass|why)", "cluster"),
    (r"kubernetes/sandbox/(address_book|sandbox_(controller|events|gauge|pass|refusals|report|steps))", "cluster"),
    (r"kubernetes/template/template_controller", "cluster"),
    (r"kubernetes/.*", "objects"),
    (r"(.*/)?\w+_rpc", "rpc"),
    (r"(.*/)?\w+_loop", "loop"),
    (r"(.*/)?\w+_store", "store"),
    # what all of a service's parts are handed: its struct, its settings, its metrics
    (r"{service}|config|(\w+_)?metrics", "context"),
]

# Files on a floor that their name does not tell.
KIND_OF_FILE = {
    "services/claims/claim/directory": ("store", "the pools' settings as last read from the state"),
    "services/claims/claim/refusal": ("store", "the words of both stores for what the state did not give"),
    "services/claims/claim/wait": ("store", "timers of a call that waits for the state, which both stores ask"),
    "services/claims/watch/watch_feed": ("store", "reads the history of pools for those who watch"),
    "services/pools/refill_pool": ("loop", "one pool's turn of the refill loop"),
    "services/reconciler/start_spans": ("loop", "spans that last from an order to what became of it"),
    "services/router/backend/backend": ("loop", "calls to a service of ours, on the loop"),
    "services/router/backend/backend_conn": ("loop", "a connection to a replica, on the loop"),
    "services/router/backend/backend_lookup": ("loop", "hands what a thread found to the loop"),
    "services/router/backend/backend_pool": ("loop", "the replicas of a service, on the loop"),
    "services/router/dial": ("loop", "a socket on the loop"),
    "services/router/http/exchange": ("loop", "one HTTP exchange: two sockets on the loop"),
    "services/router/http/exchange_answer": ("loop", "part of the HTTP exchange"),
    "services/router/http/exchange_open": ("loop", "part of the HTTP exchange"),
    "services/router/http/exchange_state": ("loop", "part of the HTTP exchange"),
    "services/router/http/grpc_relay": ("loop", "a call of gRPC between two HTTP/2 connections"),
    "services/router/http/http2_call": ("loop", "a request of the HTTP/2 connection"),
    "services/router/http/http2_front": ("loop", "the HTTP connection that speaks HTTP/2"),
    "services/router/http/http_answer": ("loop", "part of the HTTP connection"),
    "services/router/http/http_conn": ("loop", "part of the HTTP connection"),
    "services/router/http/http_conn_end": ("loop", "part of the HTTP connection"),
    "services/router/http/http_conn_state": ("loop", "part of the HTTP connection"),
    "services/router/http/http_listener": ("loop", "part of the HTTP connection"),
    "services/router/http/http_peer": ("loop", "asks a socket"),
    "services/router/http/http_rpc": ("loop", "part of the HTTP connection"),
    "services/router/http/http_log": ("loop", "part of the HTTP connection"),
    "services/router/http/https_shake": ("loop", "connections before they are let in"),
    "services/router/http/https_tls": ("loop", "files that are looked at on the loop"),
    "services/router/http/upstream_pool": ("loop", "idle connections into sandboxes, on the loop"),
    "services/router/grpc/pod_bind": ("rpc", "the first frames to a runtime, and its first answers"),
    "services/router/grpc/runtime_open": ("rpc", "the first frame to a runtime carries a protobuf message"),
}

# ---- foreign libraries outside lib/ ----

FOREIGN_OF_FOLDER = {
    "build_defs/embed": [],
    "build_defs/fuzz": ["jansson"],
    "build_defs/oci": ["jansson", "libarchive", "openssl"],
    "cli": ["jansson", "protobuf-c"],
    "cli/key": ["jansson"],
    "cli/pool": ["protobuf-c"],
    "cli/sandbox": ["protobuf-c"],
    "cli/text": ["jansson", "protobuf-c"],
    "deploy/images": [],
    "e2e/bench": ["grpc"],
    "runtime": [],
    "runtime/call": ["protobuf-c"],
    "runtime/process": ["linux"],
    "services/claims": [],
    "services/pools": [],
    "services/reconciler": [],
    "services/reconciler/local": ["jansson", "libarchive", "linux", "openssl", "seccomp"],
    "services/reconciler/kubernetes": ["jansson"],
    "services/reconciler/kubernetes/claim": ["jansson"],
    "services/reconciler/kubernetes/cluster": ["jansson"],
    "services/reconciler/kubernetes/conversion": ["jansson"],
    "services/reconciler/kubernetes/mirror": ["jansson"],
    "services/reconciler/kubernetes/object": ["jansson"],
    "services/reconciler/kubernetes/pod": ["jansson"],
    "services/reconciler/kubernetes/pool": ["jansson"],
    "services/reconciler/kubernetes/sandbox": ["jansson"],
    "services/reconciler/kubernetes/template": ["jansson"],
    "services/reconciler/kubernetes/testing": ["jansson"],
    "services/reconciler/kubernetes/webhook": ["jansson"],
    "services/reconciler/testing": [],
    "services/router": [],
    "services/router/access": ["jansson"],
    "services/router/http": ["jansson"],
    "services/router/route": [],
    "services/router/testing": [],
    "third_party/curl_stubs": [],
}

# ---- the other programs: headers of this project they may include, by how these begin ----

PROGRAM = {
    "build_defs/oci/": ["build_defs/oci/", "lib/base/"],
    "build_defs/": ["build_defs/"],
    "cli/": ["cli/"]
    + ["lib/%s/" % lib for lib in ["authz", "base", "crypto", "kube", "loop", "manifest", "resource", "rpc", "yaml"]],
    "deploy/": [],
    # measures the scripts of the shared state without a service
    "e2e/bench/state_": ["e2e/bench/"] + ["lib/%s/" % lib for lib in ["base", "loop", "redis", "state"]],
    "e2e/": ["e2e/"] + ["lib/%s/" % lib for lib in ["base", "loop", "rpc"]],
    # static and small: of lib/rpc only what needs no gRPC
    "runtime/": ["runtime/", "lib/rpc/rpc_pb_check.h"] + ["lib/%s/" % lib for lib in ["base", "http", "loop", "wire"]],
    "third_party/": ["third_party/"],
}

# ---- generated headers ----

# Protobuf messages (*.pb-c.h) stay at the edge: files of kind rpc and test, the programs that speak the API, and these.
PB_FOLDERS = ["cli/", "e2e/", "lib/rpc/", "lib/trace/", "runtime/"]
PB_FILES = {
    "lib/resource/resource_pb.h": "fields that messages of several services share",
    "services/reconciler/local/probe.c": "asks a new sandbox's runtime whether it is up",
}
GENERATED = {
    "api/descriptors.h": ["lib/service/"],
    "cli/doctor_rbac.h": ["cli/"],
    "api/sandplane/v1/descriptors.h": ["e2e/", "lib/rpc/"],
    "lib/authz/authz_methods.h": ["lib/authz/"],
    "lib/state/state_audit.h": ["lib/state/"],
    "lib/state/state_scripts.h": ["lib/state/"],
    "lib/state/state_script_calls.h": ["lib/state/"],
}
