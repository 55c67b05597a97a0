#ifndef CATNAP_SESSION_MEMBERS_H
#define CATNAP_SESSION_MEMBERS_H

#include <sys/types.h>

/* Tells every process of the session that `leader` leads, background jobs included, that its terminal is gone. */
void session_members_hang_up(pid_t leader);

#endif
