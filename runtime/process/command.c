/* See command.h. The limits are those that api/sandplane/v1/sandbox.proto states. */
#include "runtime/process/command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"

#define ARGS_MAX_BYTES ((size_t)128 << 10)
#define ENV_MAX_BYTES ((size_t)32 << 10)
/* 30 days, as for all durations of the API. */
#define TIMEOUT_MAX_S ((int64_t)30 * 86400)

static int check_args(const Sandplane__V1__Command *m, Error *err) {
  if (!m || m->n_args == 0)
    return error_field(err, "command.args", "at least one is needed: the program");
  size_t total = 0;
  for (size_t i = 0; i < m->n_args; i++)
    total += strlen(m->args[i]) + 1;
  if (total > ARGS_MAX_BYTES)
    return error_field(err, "command.args", "%zu bytes, at most %zu are allowed", total, ARGS_MAX_BYTES);
  if (!*m->args[0])
    return error_field(err, "command.args[0]", "the program's name is empty");
  return 0;
}

static int check_env(const Sandplane__V1__Command *m, Error *err) {
  size_t total = 0;
  for (size_t i = 0; i < m->n_env; i++) {
    if (!str_is_env_name(m->env[i]->key))
      return error_field(err, "command.env", "\"%.64s\" is not a name of an environment variable", m->env[i]->key);
    total += strlen(m->env[i]->key) + strlen(m->env[i]->value) + 2;
  }
  if (total > ENV_MAX_BYTES)
    return error_field(err, "command.env", "%zu bytes, at most %zu are allowed", total, ENV_MAX_BYTES);
  return 0;
}

static int check_timeout(const Sandplane__V1__Command *m, int64_t *ret_ms, Error *err) {
  *ret_ms = 0;
  if (!m->timeout)
    return 0;
  int64_t s = m->timeout->seconds;
  int32_t ns = m->timeout->nanos;
  if (s < 0 || ns < 0 || ns > 999999999 || s > TIMEOUT_MAX_S || (s == 0 && ns == 0))
    return error_field(err, "command.timeout", "must be above zero and at most 30 days");
  *ret_ms = s * 1000 + (ns + 999999) / 1000000;
  return 0;
}

int command_init(Command *cmd, const Runtime *rt, const Sandplane__V1__Command *m, const char *traceparent,
                 Error *err) {
  int64_t timeout_ms;
  *cmd = (Command){.cwd_fd = -1};
  if (check_args(m, err) || check_env(m, err) || check_timeout(m, &timeout_ms, err))
    return -1;
  runtime_become_user(rt);
  cmd->cwd_fd = path_open_dir(&rt->workspace, m->working_dir, err);
  runtime_become_self(rt);
  if (cmd->cwd_fd < 0)
    return error_prefix(err, "command.working_dir");
  const char **names = calloc(m->n_env + 1, sizeof *names), **values = calloc(m->n_env + 1, sizeof *values);
  size_t n = 0;
  cmd->argv = calloc(m->n_args + 1, sizeof *cmd->argv);
  if (!names || !values || !cmd->argv)
    abort();
  if (*traceparent) {
    names[n] = "TRACEPARENT";
    values[n++] = traceparent;
  }
  /* of two with one name the later is taken */
  for (size_t i = 0; i < m->n_env; i++) {
    names[n] = m->env[i]->key;
    values[n++] = m->env[i]->value;
  }
  memcpy(cmd->argv, m->args, m->n_args * sizeof *cmd->argv);
  cmd->envp = runtime_environ(rt, names, values, n);
  free(names);
  free(values);
  cmd->spec = (ProcessSpec){.argv = cmd->argv, .envp = cmd->envp, .cwd_fd = cmd->cwd_fd, .timeout_ms = timeout_ms};
  return 0;
}

void command_deinit(Command *cmd) {
  if (cmd->cwd_fd >= 0)
    close(cmd->cwd_fd);
  runtime_environ_free(cmd->envp);
  free(cmd->argv);
}

Sandplane__V1__ExitStatus command_status(const ProcessExit *e) {
  Sandplane__V1__ExitStatus status = SANDPLANE__V1__EXIT_STATUS__INIT;
  status.exit_code = e->exit_code;
  status.signal = e->signal;
  status.timed_out = e->timed_out;
  return status;
}
