/* Removes a folder and all in it; links are removed, not followed. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_REMOVE_TREE_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_REMOVE_TREE_H_

void remove_tree(const char *path);

#endif
