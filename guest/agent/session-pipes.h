/* The streams between the agent and a session's program. */
#ifndef CATNAP_SESSION_PIPES_H
#define CATNAP_SESSION_PIPES_H

#include "container-join.h"
#include "session-config.h"
#include "session-state.h"

/* Makes the report socket and, without a terminal, the pipes; returns the child's end of the report, or -1 with errno. */
int session_make_streams(struct session *session, const struct session_config *config, struct join_streams *streams);
void session_close_far_ends(struct join_streams *streams, int report);

enum report { REPORT_MORE, REPORT_STARTED, REPORT_FAILED };

/* What the starting child says: takes the terminal it sends; REPORT_STARTED when it has become the program. */
enum report session_read_report(struct session *session, struct start_failure *failure);

#endif
