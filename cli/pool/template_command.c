/* templates list, get, delete. */
#include "cli/call.h"
#include "cli/pool/collection.h"
#include "cli/pool/pool_print.h"

static void show(const Cli *cli, Table *table, const void *template) {
  if (table)
    template_row(table, template);
  else
    template_print(cli, template);
}

static int list(Cli *cli, const Args *args) {
  if (args->n_names)
    return cli_usage("templates list takes no names; templates get shows one");
  Sandplane__V1__ListTemplatesRequest request = SANDPLANE__V1__LIST_TEMPLATES_REQUEST__INIT;
  request.parent = args_has(args, "all-namespaces") ? (char *)"namespaces/-" : cli_parent(cli);
  return collection_list(cli, TEMPLATE_SERVICE "ListTemplates", &request.base,
                         &sandplane__v1__list_templates_response__descriptor, template_table, show);
}

static int get(Cli *cli, const Args *args) {
  if (args->n_names != 1)
    return cli_usage("templates get needs one TEMPLATE");
  Sandplane__V1__GetTemplateRequest request = SANDPLANE__V1__GET_TEMPLATE_REQUEST__INIT;
  request.name = cli_name(cli, "templates", args->names[0]);
  Error err = {0};
  Sandplane__V1__Template *template =
      call_unary(cli, TEMPLATE_SERVICE "GetTemplate", &request, &sandplane__v1__template__descriptor, &err);
  if (!template)
    return cli_fail(cli, &err);
  template_print(cli, template);
  return 0;
}

static int delete (Cli *cli, const Args *args) {
  if (!args->n_names)
    return cli_usage("templates delete needs TEMPLATEs");
  Sandplane__V1__DeleteTemplateRequest request = SANDPLANE__V1__DELETE_TEMPLATE_REQUEST__INIT;
  return collection_delete(cli, args, "templates", TEMPLATE_SERVICE "DeleteTemplate", &request.base, &request.name);
}

static const Option NONE[] = {{NULL, 0, NULL, NULL}};
static const Option LIST[] = {{"all-namespaces", 'A', NULL, "of every namespace"}, {NULL, 0, NULL, NULL}};

const Command TEMPLATE_COMMANDS[] = {
    {"templates list", "", "Lists templates.", LIST, list},
    {"templates get", "TEMPLATE", "Shows a template with its manifest.", NONE, get, "templates list"},
    {"templates delete", "TEMPLATE...", "Deletes templates; their pools stop refilling.", NONE, delete,
     "templates list"},
    {NULL, NULL, NULL, NULL, NULL},
};
