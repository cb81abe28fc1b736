/* The order in which Go writes the fields of a Pod's and a volume claim's spec; see blueprint.h. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_BLUEPRINT_FIELDS_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_BLUEPRINT_FIELDS_H_

/* Fields of a type, separated by blanks. Behind the name of a field:
 *   nothing     left out when it is empty (false, 0, "", [], {})
 *   *           written whenever it is there
 *   :Type       an object, written whenever it is there
 *   =Type       an object, always written
 *   [Type       a list of objects, left out when empty
 *   %           a quantity
 *   {%          a map of quantities, left out when empty
 * NULL: no such type. */
const char *blueprint_fields(const char *type);

#endif
