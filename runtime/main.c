/* sandplane-runtime: the server inside each sandbox, usually its process 1. Runs commands, moves files, opens
 * ports; for one claim in its life. This file reads the configuration and wires the parts. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/base/config.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "runtime/call/call.h"
#include "runtime/http/http_server.h"
#include "runtime/listener.h"
#include "runtime/process/exec_timeout.h"
#include "runtime/process/memory_relief.h"
#include "runtime/process/surroundings.h"

#define VERSION "0.1.0"
#define ITEM(flag, env, type, field, fallback, help) \
  { flag, env, type, offsetof(RuntimeConfig, field), fallback, 0, 0, false, help }

static const ConfigItem ITEMS[] = {
    ITEM("listen-unix", "SANDPLANE_LISTEN_UNIX", CONFIG_STRING, listen_unix, "", "Unix socket that calls come in by"),
    {"listen-fd", "SANDPLANE_LISTEN_FD", CONFIG_INT, offsetof(RuntimeConfig, listen_fd), "-1", -1, 1 << 20, false,
     "inherited listening socket that calls come in by; -1: none"},
    ITEM("http-address", "SANDPLANE_HTTP_ADDRESS", CONFIG_ADDRESS, http_address, "0.0.0.0:8888",
         "HTTP listener; empty: none"),
    ITEM("base-dir", "SANDBOX_BASE_DIR", CONFIG_STRING, base_dir, "", "the workspace; empty: the current folder"),
    {"exec-timeout", EXEC_TIMEOUT_NAME, CONFIG_DURATION, offsetof(RuntimeConfig, exec_timeout_ms), "300s", 1,
     EXEC_TIMEOUT_MAX_MS, false, "how long a command of POST /execute may run"},
    ITEM("user", "SANDPLANE_USER", CONFIG_STRING, user, "",
         "UID:GID of commands and file work; empty: as this process"),
    ITEM("sandbox-name", "SANDPLANE_SANDBOX_NAME", CONFIG_STRING, sandbox_name, "",
         "which sandbox this is, for calls by the HTTP port; empty: the host name"),
    ITEM("log-level", "SANDPLANE_LOG_LEVEL", CONFIG_STRING, log_level, "info", "debug, info, warn or error"),
};

static const ConfigTable TABLE = {
    .program = "sandplane-runtime",
    .summary = "The server inside a sandbox: runs commands and moves files for the one claim it is bound to.",
    .items = ITEMS,
    .n_items = ARRAY_LEN(ITEMS),
};

static int parse_user(const char *user, Runtime *rt, Error *err) {
  rt->uid = (uid_t)-1;
  rt->gid = (gid_t)-1;
  if (!*user)
    return 0;
  const char *colon = strchr(user, ':');
  int64_t uid, gid;
  CLEANUP(str_freep) char *head = str_ndup(user, colon ? (size_t)(colon - user) : strlen(user));
  if (!colon || str_to_int64(head, 1, INT32_MAX, &uid) || str_to_int64(colon + 1, 0, INT32_MAX, &gid))
    return error_field(err, "user", "--user: '%s' is not UID:GID with a UID above 0", user);
  /* without the right to change identity, everything runs as we do: then that must be who was asked for */
  if (getuid() != 0 && (getuid() != (uid_t)uid || getgid() != (gid_t)gid))
    return error_field(err, "user", "--user: not root, cannot run commands as %s", user);
  if (getuid() == 0) {
    rt->uid = (uid_t)uid;
    rt->gid = (gid_t)gid;
  }
  return 0;
}

/* Before any command runs, which might change the host's name. One that fills its 63 bytes may be a longer name's head,
 * which other sandboxes share: it is nobody's. */
static void know_oneself(Runtime *rt) {
  const RuntimeConfig *c = rt->config;
  rt->calls_by_http = !*c->listen_unix && c->listen_fd < 0;
  char host[HOST_NAME_MAX + 1] = "";
  if (!*c->sandbox_name && gethostname(host, sizeof host - 1))
    *host = 0;
  if (strlen(host) >= 63)
    *host = 0;
  snprintf(rt->sandbox, sizeof rt->sandbox, "%s", *c->sandbox_name ? c->sandbox_name : host);
}

static void on_term(void *arg) {
  loop_stop(arg);
}

static int serve(Runtime *rt, Error *err) {
  const RuntimeConfig *c = rt->config;
  Listener *unix_listener = NULL, *fd_listener = NULL, *http = NULL;
  int rc = -1;
  if (*c->listen_unix && !(unix_listener = listener_unix(rt, c->listen_unix, call_accept, err)))
    goto out;
  if (c->listen_fd >= 0 && !(fd_listener = listener_fd(rt, (int)c->listen_fd, call_accept, err)))
    goto out;
  if (*c->http_address && !(http = listener_tcp(rt, c->http_address, http_server_accept, err)))
    goto out;
  log_event(LOG_INFO, "started", LOG_STR("version", VERSION), LOG_STR("workspace", rt->workspace.path));
  loop_run(rt->loop);
  rc = 0;
out:
  listener_free(unix_listener);
  listener_free(fd_listener);
  listener_free(http);
  return rc;
}

static int run(const RuntimeConfig *config) {
  Error err = {0};
  Runtime rt = {.config = config, .workspace = {.fd = -1}};
  if (parse_user(config->user, &rt, &err)) {
    fprintf(stderr, "sandplane-runtime: %s\n", err.message);
    return 2;
  }
  /* what a command may do to another process of its user must not reach us: no ptrace, no /proc/1/mem */
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  surroundings_complete_environment(rt.uid);
  know_oneself(&rt);
  rt.loop = loop_new();
  rt.processes = process_table_new(rt.loop, rt.uid, rt.gid);
  EndSignals *end = end_signals_new(rt.loop, on_term, rt.loop);
  MemoryRelief *relief = memory_relief_new(rt.loop);
  int rc = workspace_init(&rt.workspace, *config->base_dir ? config->base_dir : ".", &err);
  if (rc == 0)
    rc = serve(&rt, &err);
  if (rc)
    log_event(LOG_ERROR, "start_failed", LOG_ERR(&err));
  process_table_free(rt.processes);
  end_signals_free(end);
  memory_relief_free(relief);
  workspace_deinit(&rt.workspace);
  runtime_environ_free(rt.claim_env);
  /* connections that are still open end with the process, and so does what they hold */
  return rc ? 1 : 0;
}

/* config_parse, except that a bad EXEC_TIMEOUT_NAME counts as none, by the contract of that variable: ret_ignored then
 * holds it. While the table reads it, it is written as the table wants it; commands inherit what was given. */
static int parse(int argc, char **argv, RuntimeConfig *config, char **ret_ignored, Error *err) {
  const char *given = getenv(EXEC_TIMEOUT_NAME);
  CLEANUP(str_freep) char *kept = given ? str_dup(given) : NULL;
  int64_t ms = 0;
  if (kept && exec_timeout_parse(kept, &ms)) {
    CLEANUP(str_freep) char *text = str_printf("%lldms", (long long)ms);
    setenv(EXEC_TIMEOUT_NAME, text, true);
  } else if (kept) {
    unsetenv(EXEC_TIMEOUT_NAME);
    *ret_ignored = str_dup(kept);
  }
  int rc = config_parse(&TABLE, argc, argv, config, err);
  if (kept)
    setenv(EXEC_TIMEOUT_NAME, kept, true);
  return rc;
}

int main(int argc, char **argv) {
  RuntimeConfig config;
  Error err;
  LogLevel level;
  CLEANUP(str_freep) char *ignored = NULL;
  int rc = parse(argc, argv, &config, &ignored, &err);
  if (rc == CONFIG_HELP) {
    CLEANUP(str_freep) char *help = config_help(&TABLE);
    fputs(help, stdout);
    return 0;
  }
  if (rc == CONFIG_VERSION) {
    puts("sandplane-runtime " VERSION);
    return 0;
  }
  if (rc == 0 && !log_level_parse(config.log_level, &level))
    rc = error_field(&err, "log-level", "--log-level: '%s' is not debug, info, warn or error", config.log_level);
  if (rc) {
    fprintf(stderr, "sandplane-runtime: %s\n", err.message);
    return 2;
  }
  surroundings_settle((int)config.listen_fd);
  log_setup("runtime", level);
  if (ignored)
    log_event(LOG_WARN, "setting_ignored", LOG_STR("name", EXEC_TIMEOUT_NAME), LOG_STR("value", ignored),
              LOG_INT("used_ms", config.exec_timeout_ms));
  return run(&config);
}
