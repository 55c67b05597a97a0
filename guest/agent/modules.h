#ifndef CATNAP_MODULES_H
#define CATNAP_MODULES_H

/* Loads every module of a directory in the order of their names; one that fails is logged, not fatal. */
void modules_load(const char *directory);

#endif
