/* quotas list, get, set, delete. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/sandplane/v1/quota_service.pb-c.h"
#include "cli/call.h"
#include "cli/pool/collection.h"
#include "cli/text/json_pb.h"
#include "cli/text/table.h"
#include "lib/base/str.h"
#include "lib/manifest/manifest.h"

typedef Sandplane__V1__Quota Quota;

/* "2/10", "2" without a limit. */
static void of_limit(char out[48], int64_t used, int64_t max) {
  int n = snprintf(out, 48, "%" PRId64, used);
  if (max > 0)
    snprintf(out + n, 48 - (size_t)n, "/%" PRId64, max);
}

static void cores(char *out, size_t size, int64_t milli) {
  snprintf(out, size, "%g", (double)milli / 1000);
}

static void bytes(char *out, size_t size, int64_t n) {
  static const char *const UNITS[] = {"", "Ki", "Mi", "Gi", "Ti"};
  size_t u = 0;
  double v = (double)n;
  while (v >= 1024 && u + 1 < sizeof UNITS / sizeof UNITS[0]) {
    v /= 1024;
    u++;
  }
  snprintf(out, size, "%.4g%s", v, UNITS[u]);
}

static void pair(char out[48], void (*text)(char *out, size_t size, int64_t n), int64_t used, int64_t max) {
  char a[20], b[20];
  text(a, sizeof a, used);
  text(b, sizeof b, max);
  if (max > 0)
    snprintf(out, 48, "%s/%s", a, b);
  else
    snprintf(out, 48, "%s", a);
}

static Table *quota_table(void) {
  static const char *const HEADS[] = {"TENANT", "SANDBOXES", "CPU", "MEMORY", "CLAIMS/S", "BURST", "WEIGHT", NULL};
  return table_new(HEADS);
}

static void quota_row(Table *table, const Quota *q) {
  char sandboxes[48], cpu[48], memory[48], rate[32] = "", burst[16] = "", weight[16];
  of_limit(sandboxes, q->sandbox_count, q->max_sandboxes);
  pair(cpu, cores, q->cpu_milli, q->max_cpu_milli);
  pair(memory, bytes, q->memory_bytes, q->max_memory_bytes);
  if (q->claims_per_second > 0) {
    snprintf(rate, sizeof rate, "%g", q->claims_per_second);
    snprintf(burst, sizeof burst, "%d", q->claim_burst);
  }
  snprintf(weight, sizeof weight, "%d", q->weight ? q->weight : 1);
  table_row(table, (const char *const[]){cli_short(q->name), sandboxes, cpu, memory, rate, burst, weight});
}

static void quota_print(const Cli *cli, const Quota *q) {
  if (cli->format == FORMAT_JSON) {
    json_pb_print(q);
  } else if (cli->format == FORMAT_NAME) {
    printf("%s\n", q->name);
  } else {
    Table *table = quota_table();
    quota_row(table, q);
    table_print(table);
  }
}

static void show(const Cli *cli, Table *table, const void *quota) {
  if (table)
    quota_row(table, quota);
  else
    quota_print(cli, quota);
}

static int list(Cli *cli, const Args *args) {
  if (args->n_names)
    return cli_usage("quotas list takes no names; quotas get shows one");
  Sandplane__V1__ListQuotasRequest request = SANDPLANE__V1__LIST_QUOTAS_REQUEST__INIT;
  request.parent = cli_parent(cli);
  return collection_list(cli, QUOTA_SERVICE "ListQuotas", &request.base,
                         &sandplane__v1__list_quotas_response__descriptor, quota_table, show);
}

static Quota *get_quota(Cli *cli, char *name, Error *err) {
  Sandplane__V1__GetQuotaRequest request = SANDPLANE__V1__GET_QUOTA_REQUEST__INIT;
  request.name = name;
  return call_unary(cli, QUOTA_SERVICE "GetQuota", &request, &sandplane__v1__quota__descriptor, err);
}

static int get(Cli *cli, const Args *args) {
  if (args->n_names != 1)
    return cli_usage("quotas get needs one TENANT");
  Error err = {0};
  Quota *quota = get_quota(cli, cli_name(cli, "quotas", args->names[0]), &err);
  if (!quota)
    return cli_fail(cli, &err);
  quota_print(cli, quota);
  return 0;
}

/* ---- set ---- */

static int whole(const Args *args, const char *option, int64_t max, int64_t *value) {
  const char *text = args_value(args, option);
  if (text && str_to_int64(text, 0, max, value) < 0)
    return cli_usage("--%s: \"%s\" is no number of 0 to %" PRId64, option, text, max);
  return 0;
}

static int whole32(const Args *args, const char *option, int32_t *value) {
  int64_t n = *value;
  int code = whole(args, option, INT32_MAX, &n);
  *value = (int32_t)n;
  return code;
}

static int quantity(const Args *args, const char *option, int64_t unit, int64_t *value) {
  const char *text = args_value(args, option);
  int64_t milli;
  if (!text)
    return 0;
  if (manifest_quantity(text, &milli) != 0)
    return cli_usage("--%s: \"%s\" is no quantity such as 500m, 4 or 8Gi", option, text);
  *value = milli / unit;
  return 0;
}

static int rate(const Args *args, double *value) {
  const char *text = args_value(args, "rate");
  if (!text)
    return 0;
  char *end;
  errno = 0;
  *value = strtod(text, &end);
  if (errno || end == text || *end || !isfinite(*value) || *value < 0)
    return cli_usage("--rate: \"%s\" is no number of claims a second", text);
  return 0;
}

static int set(Cli *cli, const Args *args) {
  static const char *const LIMITS[] = {"max-sandboxes", "max-cpu", "max-memory", "rate", "burst", "weight"};
  bool any = false;
  if (args->n_names != 1)
    return cli_usage("quotas set needs one TENANT");
  for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0]; i++)
    any |= args_has(args, LIMITS[i]);
  if (!any)
    return cli_usage("quotas set needs a limit, for example --max-sandboxes 10");
  Quota fresh = SANDPLANE__V1__QUOTA__INIT;
  fresh.name = cli_name(cli, "quotas", args->names[0]);
  Error err = {0};
  Quota *quota = get_quota(cli, fresh.name, &err);
  if (!quota && err.kind != ERROR_NOT_FOUND)
    return cli_fail(cli, &err);
  if (!quota)
    quota = &fresh;
  int code;
  if ((code = whole(args, "max-sandboxes", INT64_MAX, &quota->max_sandboxes)) ||
      (code = quantity(args, "max-cpu", 1, &quota->max_cpu_milli)) ||
      (code = quantity(args, "max-memory", 1000, &quota->max_memory_bytes)) ||
      (code = rate(args, &quota->claims_per_second)) || (code = whole32(args, "burst", &quota->claim_burst)) ||
      (code = whole32(args, "weight", &quota->weight)))
    return code;
  if (quota->claims_per_second == 0 && !args_has(args, "burst"))
    quota->claim_burst = 0;
  Sandplane__V1__ApplyQuotaRequest request = SANDPLANE__V1__APPLY_QUOTA_REQUEST__INIT;
  request.quota = quota;
  quota = call_unary(cli, QUOTA_SERVICE "ApplyQuota", &request, &sandplane__v1__quota__descriptor, &err);
  if (!quota)
    return cli_fail(cli, &err);
  quota_print(cli, quota);
  return 0;
}

static int delete (Cli *cli, const Args *args) {
  if (!args->n_names)
    return cli_usage("quotas delete needs TENANTs");
  Sandplane__V1__DeleteQuotaRequest request = SANDPLANE__V1__DELETE_QUOTA_REQUEST__INIT;
  return collection_delete(cli, args, "quotas", QUOTA_SERVICE "DeleteQuota", &request.base, &request.name);
}

static const Option NONE[] = {{NULL, 0, NULL, NULL}};
static const Option SET[] = {
    {"max-sandboxes", 0, "N", "sandboxes held, and claims that wait; 0: no limit, as in all of these"},
    {"max-cpu", 0, "CPUS", "of what templates ask for, for example 4 or 500m"},
    {"max-memory", 0, "BYTES", "likewise, for example 8Gi"},
    {"rate", 0, "N", "new claims a second"},
    {"burst", 0, "N", "new claims at once after a pause (1)"},
    {"weight", 0, "N", "share of the sandboxes that several tenants wait for, 1 to 1000 (1)"},
    {NULL, 0, NULL, NULL},
};

const Command QUOTA_COMMANDS[] = {
    {"quotas list", "", "Lists what tenants may hold, and hold.", NONE, list},
    {"quotas get", "TENANT", "Shows one tenant's quota.", NONE, get, "quotas list"},
    {"quotas set", "TENANT", "Changes the limits given; others stay.", SET, set, "quotas list"},
    {"quotas delete", "TENANT...", "Takes quotas away: no limits any more.", NONE, delete, "quotas list"},
    {NULL, NULL, NULL, NULL, NULL},
};
