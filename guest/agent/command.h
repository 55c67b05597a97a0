/* One request line of the host, parsed. */
#ifndef CATNAP_COMMAND_H
#define CATNAP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "identity.h"
#include "protocol.h"

enum command_kind {
	COMMAND_RELAY,
	COMMAND_EVENTS,
	COMMAND_START,
	COMMAND_STATUS,
	COMMAND_LISTENING,
	COMMAND_BUSY,
	COMMAND_SETTLE,
	COMMAND_WAKE,
	COMMAND_REHEARSE,
	COMMAND_STOP,
	COMMAND_POWEROFF,
	COMMAND_HELLO,
	COMMAND_SESSION,
	COMMAND_IDENTIFY,
};

struct command {
	enum command_kind kind;
	uint16_t port;			/* relay */
	uint64_t offset;		/* events */
	size_t body_length;		/* start, session */
	uint32_t grace_ms;		/* stop */
	struct timespec wall_clock;	/* wake */
	uint8_t entropy[MAX_ENTROPY_BYTES];
	size_t entropy_length;
	uint16_t ports[MAX_LISTENING_PORTS];	/* listening */
	size_t port_count;
	char hostname[MAX_HOSTNAME_BYTES + 1];	/* identify */
	char machine_id[MACHINE_ID_DIGITS + 1];
};

/* Parses a line without its line feed; false when it is not exactly one valid request. */
bool command_parse(const char *line, size_t length, struct command *command);

#endif
