/* templates list, get, delete. */
#include <stdio.h>

#include "cli/call.h"
#include "cli/pool_print.h"
#include "google/protobuf/empty.pb-c.h"

static int list(Cli *cli, const Args *args) {
  if (args->n_names)
    return cli_usage("templates list takes no names; templates get shows one");
  Sandplane__V1__ListTemplatesRequest request = SANDPLANE__V1__LIST_TEMPLATES_REQUEST__INIT;
  request.parent = args_has(args, "all-namespaces") ? (char *)"namespaces/-" : cli_parent(cli);
  Table *table = cli->format == FORMAT_TABLE ? template_table() : NULL;
  Error err = {0};
  Sandplane__V1__ListTemplatesResponse *page;
  do {
    page = call_unary(cli, TEMPLATE_SERVICE "ListTemplates", &request,
                      &sandplane__v1__list_templates_response__descriptor, &err);
    for (size_t i = 0; page && i < page->n_templates; i++) {
      if (table)
        template_row(table, page->templates[i]);
      else
        template_print(cli, page->templates[i]);
    }
    if (page)
      request.page_token = page->next_page_token;
  } while (page && request.page_token[0]);
  if (!page) {
    table_free(table);
    return cli_fail(cli, &err);
  }
  if (table)
    table_print(table);
  return 0;
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
  for (size_t i = 0; i < args->n_names; i++) {
    Sandplane__V1__DeleteTemplateRequest request = SANDPLANE__V1__DELETE_TEMPLATE_REQUEST__INIT;
    request.name = cli_name(cli, "templates", args->names[i]);
    Error err = {0};
    if (!call_unary(cli, TEMPLATE_SERVICE "DeleteTemplate", &request, &google__protobuf__empty__descriptor,
                    &err))
      return cli_fail(cli, &err);
    printf("%s\n", cli->format == FORMAT_TABLE ? cli_short(request.name) : request.name);
  }
  return 0;
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
