/* pools list, get, scale, delete. */
#include "cli/call.h"
#include "cli/pool/collection.h"
#include "cli/pool/pool_print.h"
#include "lib/base/str.h"

static void show(const Cli *cli, Table *table, const void *pool) {
  if (table)
    pool_row(table, pool);
  else
    pool_print(cli, pool);
}

static int list(Cli *cli, const Args *args) {
  if (args->n_names)
    return cli_usage("pools list takes no names; pools get shows one");
  Sandplane__V1__ListPoolsRequest request = SANDPLANE__V1__LIST_POOLS_REQUEST__INIT;
  request.parent = args_has(args, "all-namespaces") ? (char *)"namespaces/-" : cli_parent(cli);
  return collection_list(cli, POOL_SERVICE "ListPools", &request.base, &sandplane__v1__list_pools_response__descriptor,
                         pool_table, show);
}

static int get(Cli *cli, const Args *args) {
  if (args->n_names != 1)
    return cli_usage("pools get needs one POOL");
  Sandplane__V1__GetPoolRequest request = SANDPLANE__V1__GET_POOL_REQUEST__INIT;
  request.name = cli_name(cli, "pools", args->names[0]);
  Error err = {0};
  Sandplane__V1__Pool *pool = call_unary(cli, POOL_SERVICE "GetPool", &request, &sandplane__v1__pool__descriptor, &err);
  if (!pool)
    return cli_fail(cli, &err);
  pool_print(cli, pool);
  return 0;
}

static int scale(Cli *cli, const Args *args) {
  int64_t replicas;
  if (args->n_names != 2)
    return cli_usage("pools scale needs POOL and REPLICAS");
  if (str_to_int64(args->names[1], 0, INT32_MAX, &replicas) < 0)
    return cli_usage("pools scale: \"%s\" is no number of sandboxes", args->names[1]);
  Sandplane__V1__ScalePoolRequest request = SANDPLANE__V1__SCALE_POOL_REQUEST__INIT;
  request.name = cli_name(cli, "pools", args->names[0]);
  request.replicas = (int32_t)replicas;
  Error err = {0};
  Sandplane__V1__Pool *pool =
      call_unary(cli, POOL_SERVICE "ScalePool", &request, &sandplane__v1__pool__descriptor, &err);
  if (!pool)
    return cli_fail(cli, &err);
  pool_print(cli, pool);
  return 0;
}

static int delete (Cli *cli, const Args *args) {
  if (!args->n_names)
    return cli_usage("pools delete needs POOLs");
  Sandplane__V1__DeletePoolRequest request = SANDPLANE__V1__DELETE_POOL_REQUEST__INIT;
  return collection_delete(cli, args, "pools", POOL_SERVICE "DeletePool", &request.base, &request.name);
}

static const Option NONE[] = {{NULL, 0, NULL, NULL}};
static const Option LIST[] = {{"all-namespaces", 'A', NULL, "of every namespace"}, {NULL, 0, NULL, NULL}};

const Command POOL_COMMANDS[] = {
    {"pools list", "", "Lists pools and how full they are.", LIST, list},
    {"pools get", "POOL", "Shows a pool, and why it is not full.", NONE, get, "pools list"},
    {"pools scale", "POOL REPLICAS", "Sets how many sandboxes a pool keeps ready.", NONE, scale, "pools list"},
    {"pools delete", "POOL...", "Deletes pools; claimed sandboxes live on.", NONE, delete, "pools list"},
    {NULL, NULL, NULL, NULL, NULL},
};
