#ifndef CATNAP_MODULES_H
#define CATNAP_MODULES_H

/* Loads every module of a directory in the order of their names, then drops the files; one that fails is logged, not fatal. */
void modules_load(const char *directory);
/* Removes the files, which lie in memory. */
void modules_drop(const char *directory);

#endif
