#ifndef CATNAP_CHILDREN_H
#define CATNAP_CHILDREN_H

/* Reaps every process the agent started and tells whose it was. */
void children_init(void);

#endif
